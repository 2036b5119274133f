//! Everything that the documentation's commands do otherwise in the test than for a reader, and why. Nothing else is
//! replaced: all other commands, `preprocess` and `train` among them, are run as they stand.
//!
//! Each is a script of bash that lies in PATH, or in the place of the project's script, under the name that the pages use.
//! They find in the environment: `REAL`, the directory of the built programs; `MUSIC`, that of a small collection in the
//! layout of FMA; and `PROJECT`, the root of the project.

/// A command that is not run as it stands.
pub struct Replaced {
    /// Its name; with a `/`, a path below the project's root, where a `*` stands for any name.
    pub name: &'static str,
    /// Why, and what is done instead.
    pub reason: &'static str,
    /// What is done instead.
    pub script: &'static str,
}

/// All of them.
pub const REPLACED: &[Replaced] = &[
    Replaced {
        name: "train",
        reason: "One epoch (three in a sweep) of small batches, few seeds, frames of less than a second, the CPU: a training for real takes \
                 minutes to hours on music that is longer, and there is no GPU. The names of settings stay.",
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
                    --excerpt-seconds) words+=(--excerpt-seconds 0.8) && shift ;;
                    --skip-seconds) words+=(--skip-seconds 0.2) && shift ;;
                    *) words+=("$1") ;;
                esac
                shift
            done
            if [[ $fit == yes && $resume == no ]]; then
                [[ $has == *' --epochs '* ]] || words+=(--epochs "$epochs")
                [[ $has == *' --batch-size '* ]] || words+=(--batch-size 4)
            fi
            exec "$REAL/train" "${words[@]}""#,
    },
    Replaced {
        name: "preprocess",
        reason: "Clips of a second or two, because the small collections have tracks of two: music of twelve to thirty seconds \
                 would take minutes to make and to learn.",
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
        reason: "Takes a minute; a small corpus that is there already is laid down. Its arguments are read by the program.",
        script: r#"
            "$REAL/make-corpus" "$@" --help > /dev/null
            while [[ $# -gt 0 && $1 != --out ]]; do shift; done
            mkdir -p "$(dirname "$2")"
            cp -r "$MUSIC" "$2""#,
    },
    Replaced {
        name: "scripts/fetch_fma.sh",
        reason: "Downloads 7.5 GiB; a small collection of the same layout is laid down.",
        script: r#"
            [[ $# -eq 1 && $1 != -* ]]
            mkdir -p "$1"
            cp -r "$MUSIC/audio" "$1/fma_small"
            cp -r "$MUSIC/metadata" "$1/fma_metadata""#,
    },
    Replaced {
        name: "scripts/quickstart.sh",
        reason: "Compiles, and trains for minutes; it is run where releases are made. Its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/test.sh",
        reason: "Would run this test. Its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/papers/*.sh",
        reason: "Each compiles and trains for minutes to days. Flags are checked against the comment at the script's top.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/bench/*.sh",
        reason: "Each measures for minutes and wants the machine for itself. Its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "scripts/slurm/test.sh",
        reason: "Needs a Slurm installation. Its form is checked.",
        script: FORM_OF_A_SCRIPT,
    },
    Replaced {
        name: "sbatch",
        reason: "There is no cluster. Options are checked, and the job runs at once, each task of an array in turn.",
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
                    *) echo "sbatch: option $1 is not one that the test knows" >&2 && exit 1 ;;
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
        reason: "The programs are compiled already. Command and flags are checked, and that the package is there.",
        script: r#"
            [[ $1 == build || $1 == install ]]
            shift
            while [[ $# -gt 0 ]]; do
                case $1 in
                    --release | --locked | --workspace | --bins) ;;
                    -p | --path) [[ -f $PROJECT/$2/Cargo.toml ]] && shift ;;
                    --features) grep -q "^$2 = " "$PROJECT/train/Cargo.toml" && shift ;;
                    --root) shift ;;
                    *) echo "cargo: $1 is not what the test knows" >&2 && exit 1 ;;
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
        reason: "Nothing is done as another user.",
        script: r#"exec "$@""#,
    },
    Replaced {
        name: "pip",
        reason: "Installs packages, over the network.",
        script: "[[ $1 == install && $# -ge 2 ]]",
    },
    Replaced {
        name: "python3",
        reason: "Run where there is an interpreter with the modules that the script needs (see python.rs); elsewhere the \
                 script is only looked for. A virtual environment is an empty one.",
        script: r#"
            if [[ $1 == -m && $2 == venv ]]; then
                mkdir -p "$3/bin" && : > "$3/bin/activate"
            elif [[ -f $1 || $1 == - ]] && modules=numpy,safetensors && { [[ $1 != *torch* ]] || modules+=,torch; } &&
                "${PYTHON:-false}" -c "import $modules"; then
                exec "$PYTHON" "$@"
            else
                [[ -f $1 || $1 == - ]] && echo "skipped: no Python with $modules to run $1 with" >&2
            fi"#,
    },
];

/// The script is there and can be run, bash can read it, and the flags that it is given stand in the comment at its top.
const FORM_OF_A_SCRIPT: &str = r#"
    script=$PROJECT/${0#"$HOME/cratedigger/"}
    [[ -x $script ]] && bash -n "$script"
    comment=$(awk 'NR > 1 { if (!/^#/) exit; print }' "$script")
    for word in "$@"; do
        [[ $word != --* || $comment == *"$word"* ]] || { echo "$script knows no $word" >&2 && exit 2; }
    done"#;
