//! Commands of the documentation that the test replaces, and why. All other commands run unchanged.
//!
//! Each replacement is a bash script in PATH, or in place of a script of the repository, under the name that the pages
//! use. Its environment has `REAL`, the directory of the built programs; `MUSIC`, the directory of a small collection
//! in the layout of FMA; and `PROJECT`, the root of the repository.

/// A replaced command.
pub struct Replaced {
    /// Its name. With a `/`, a path below the root of the repository, where `*` matches any name.
    pub name: &'static str,
    /// Why it is replaced, and by what.
    pub reason: &'static str,
    /// The bash script that runs instead.
    pub script: &'static str,
}

pub const REPLACED: &[Replaced] = &[
    Replaced {
        name: "train",
        reason: "Trains for one epoch (three in a sweep) with small batches, few seeds and excerpts of less than a \
                 second on the CPU, because real training takes minutes to hours and there is no GPU. Flags are kept.",
        script: r#"
            words=() fit=no resume=no epochs=1 has=' '
            for word in "$@"; do
                [[ $word != --resume ]] || resume=yes
                has+="$word "
            done
            case ${1:-} in fit | sweep) fit=yes ;; esac
            [[ $resume == no ]] || epochs=2
            [[ ${1:-} != sweep ]] || epochs=3
            while [[ $# -gt 0 ]]; do
                case $1 in
                    --epochs) words+=(--epochs "$epochs") && shift ;;
                    --batch-size) words+=(--batch-size 4) && shift ;;
                    --steps | --seeds) words+=("$1" 2) && shift ;;
                    --device | --devices) words+=("$1" cpu) && shift ;;
                    --precision) words+=(--precision auto) && shift ;;
                    --clip-seconds) words+=(--clip-seconds 0.8) && shift ;;
                    --skip-seconds) words+=(--skip-seconds 0.2) && shift ;;
                    networks/*.pth) words+=("${1%.pth}.safetensors") ;;
                    *) words+=("$1") ;;
                esac
                shift
            done
            if [[ $fit == yes && $resume == no ]]; then
                [[ $has == *' --epochs '* ]] || words+=(--epochs "$epochs")
                [[ $has == *' --batch-size '* ]] || words+=(--batch-size 4)
            fi
            [[ ${words[0]:-} != import ]] || words+=(--clip-samples 24576)
            exec "$REAL/train" "${words[@]}""#,
    },
    Replaced {
        name: "preprocess",
        reason: "Uses clips of one to two seconds, because the tracks of the small collections have two: tracks of \
                 twelve to thirty seconds would take minutes to make and to train on.",
        script: r#"
            words=()
            for word in "$@"; do
                [[ ${last:-} == --clip-samples ]] || words+=("$word")
                [[ ${last:-} != --clip-samples ]] || words+=(24576)
                last=$word
            done
            if [[ ${1:-} == build ]]; then
                [[ " $* " == *' --clip-samples '* ]] || words+=(--clip-samples 24576)
                [[ " $* " == *' --min-seconds '* ]] || words+=(--min-seconds 1)
            fi
            exec "$REAL/preprocess" "${words[@]}""#,
    },
    Replaced {
        name: "make-corpus",
        reason: "Takes a minute; a small existing corpus is copied. The program still checks the arguments.",
        script: r#"
            "$REAL/make-corpus" "$@" --help > /dev/null
            while [[ $# -gt 0 && $1 != --out ]]; do shift; done
            mkdir -p "$(dirname "$2")"
            cp -r "$MUSIC" "$2""#,
    },
    Replaced {
        name: "scripts/fetch_fma.sh",
        reason: "Downloads 7.5 GiB; a small collection with the same layout is copied.",
        script: r#"
            [[ $# -eq 1 && $1 != -* ]]
            mkdir -p "$1"
            cp -r "$MUSIC/audio" "$1/fma_small"
            cp -r "$MUSIC/metadata" "$1/fma_metadata""#,
    },
    Replaced {
        name: "scripts/fetch_networks.sh",
        reason: "Downloads 20 MB. A musicnn that is trained for one epoch on a small collection is written instead, with \
                 its labels. Its file is .safetensors, which `train import` is given by its own replacement.",
        script: r#"
            [[ $# -eq 1 && $1 != -* ]]
            mkdir -p "$1" stand-in
            "$REAL/preprocess" build --source magnatagatune --audio mtat/mp3 --metadata mtat/annotations_final.csv \
                --features won --clip-samples 24576 --min-seconds 1 --out stand-in/data
            "$REAL/preprocess" split stand-in/data
            "$REAL/train" fit --data stand-in/data --model musicnn --run stand-in/run --epochs 1 --batch-size 4 --device cpu
            "$REAL/train" export --run stand-in/run --out stand-in/exported
            cp stand-in/exported/weights.safetensors "$1/mtat-musicnn.safetensors"
            sed -n '/^  "classes": \[/,/\]/s/^    "\(.*\)",*$/\1/p' stand-in/data/dataset.json > "$1/mtat.txt""#,
    },
    Replaced {
        name: "scripts/acceptance.sh",
        reason: "Needs FMA small and trains for hours. Only its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/quickstart.sh",
        reason: "Compiles and trains for minutes. Only its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/release.sh",
        reason: "Compiles. Only its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/test.sh",
        reason: "Would run this test. Only its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/test_gpu.sh",
        reason: "Compiles for minutes and needs a GPU. Only its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/papers/*.sh",
        reason: "Each compiles and trains for minutes to days. Only flags are checked, against its top comment.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/bench/*.sh",
        reason: "Each measures for minutes and needs an idle machine. Only its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/slurm/test.sh",
        reason: "Needs a Slurm installation. Only its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "sbatch",
        reason: "There is no cluster. Options are checked, and the job runs immediately, array tasks one by one.",
        script: r#"
            say=id array='' job=$RANDOM cpus=1
            while [[ ${1:-} == -* ]]; do
                case $1 in
                    --parsable) ;;
                    --array=1-*) array=${1#--array=1-} ;;
                    --cpus-per-task=*) cpus=${1#*=} ;;
                    --requeue | --open-mode=append | --kill-on-invalid-dep=yes | --job-name=* | --output=*) ;;
                    --dependency=afterok:* | --gres=gpu:* | --time=* | --account=* | --partition=*) ;;
                    --export=*) ;;
                    *) echo "sbatch: the test does not know the option $1" >&2 && exit 1 ;;
                esac
                shift
            done
            export SLURM_JOB_ID=$job SLURM_CPUS_PER_TASK=$cpus SLURM_SUBMIT_DIR=$PWD
            for ((task = 1; task <= ${array:-1}; task++)); do
                [[ -z $array ]] || export SLURM_ARRAY_TASK_ID=$task
                bash "$@" >&2
            done
            echo "$job""#,
    },
    Replaced {
        name: "cargo",
        reason: "The programs are compiled already. The command, its flags and the package name are checked.",
        script: r#"
            [[ $1 == build || $1 == install ]]
            shift
            while [[ $# -gt 0 ]]; do
                case $1 in
                    --release | --locked | --workspace | --bins) ;;
                    -p | --path) [[ -f $PROJECT/$2/Cargo.toml ]] && shift ;;
                    --features) grep -q "^$2 = " "$PROJECT/train/Cargo.toml" && shift ;;
                    --root) shift ;;
                    *) echo "cargo: the test does not know the option $1" >&2 && exit 1 ;;
                esac
                shift
            done"#,
    },
    Replaced {
        name: "apt-get",
        reason: "Installs packages.",
        script: "[[ $1 == install && $# -ge 2 ]]",
    },
    Replaced {
        name: "sudo",
        reason: "Commands run as the current user.",
        script: r#"exec "$@""#,
    },
    Replaced {
        name: "pip",
        reason: "Installs packages over the network.",
        script: "[[ $1 == install && $# -ge 2 ]]",
    },
    Replaced {
        name: "python3",
        reason: "Runs only if an interpreter with the required modules is available (see python.rs); otherwise only \
                 the existence of the script is checked. A virtual environment is an empty directory.",
        script: r#"
            if [[ $1 == -m && $2 == venv ]]; then
                mkdir -p "$3/bin" && : > "$3/bin/activate"
                exit
            fi
            if [[ $1 == - ]]; then
                cat > block.py
                set -- block.py
            fi
            [[ -f $1 ]]
            modules=numpy,safetensors
            for module in torch matplotlib onnxruntime; do
                ! grep -q "^import $module" "$1" || modules+=,$module
            done
            if "${PYTHON:-false}" -c "import $modules"; then
                exec "$PYTHON" "$@"
            fi
            echo "skipped: no Python with $modules to run $1" >&2"#,
    },
];

/// Checks that the script is executable, that bash can parse it, and that its flags are in the comment at its top.
const FORM_OF_A_SCRIPT: &str = r#"
    script=$PROJECT/${0#"$HOME/cratedigger/"}
    [[ -x $script ]] && bash -n "$script"
    comment=$(awk 'NR > 1 { if (!/^#/) exit; print }' "$script")
    for word in "$@"; do
        [[ $word != --* || $comment == *"$word"* ]] || { echo "$script does not have $word" >&2 && exit 2; }
    done"#;
