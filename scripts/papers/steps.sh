# Steps that the scripts of this directory have in common. This file is sourced, not run:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
#
# A script says what it is in the comment at its top, sets the four variables `paper` (its name in published.csv), `layout`
# (of the small corpus), `preset` (of `preprocess build`) and `models` (all it can do, with commas between), calls
# parse_arguments, and then steps. Steps that are done are not done again, so that a script that was interrupted goes on
# where it was.
# shellcheck shell=bash
set -euo pipefail

# Set by the script and by parse_arguments, read by both.
paper='' layout='' preset='' models=''
audio='' metadata='' out='' epochs='' device=auto seed=0 tiny=no
# What a script takes besides, as `--name VALUE`: names with _ for -, into variables of that name.
own_options=()

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

fail() {
    echo "error: $1" >&2
    exit 1
}

# The comment at the top of the script, to standard error, and exit status 2.
usage() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" >&2
    exit 2
}

# wrong SENTENCE: for a mistake in the arguments.
wrong() {
    echo "error: $1" >&2
    exit 2
}

step() {
    printf '\n== %s (after %d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60))
}

# parse_arguments "$@": sets the variables above, and leaves the working directory at the root of the project.
parse_arguments() {
    local name all=$models
    while [[ $# -gt 0 ]]; do
        name=${1#--}
        name=${name//-/_}
        case $1 in
            --tiny)
                tiny=yes
                shift
                continue
                ;;
            --audio | --metadata | --out | --models | --epochs | --device | --seed) ;;
            --*) [[ " ${own_options[*]-} " == *" $name "* ]] || usage ;;
            *) usage ;;
        esac
        [[ $# -ge 2 ]] || usage
        printf -v "$name" '%s' "$2"
        shift 2
    done
    for name in ${models//,/ }; do
        [[ ,$all, == *",$name,"* ]] || wrong "--models has \`$name\`; there are $all"
    done
    [[ -z $epochs || $epochs =~ ^[1-9][0-9]*$ ]] || wrong "--epochs should be a number from 1 on, not $epochs"
    [[ $seed =~ ^[0-9]+$ ]] || wrong "--seed should be a number, not $seed"
    [[ -z $audio || $tiny == no ]] || wrong "--tiny is for the small corpus; leave out it or --audio"
    [[ -n $audio || -z $metadata ]] || wrong "--metadata goes with --audio"
    if [[ -n $audio ]]; then
        [[ -d $audio ]] || wrong "--audio $audio is no directory"
        audio=$(cd "$audio" && pwd)
    fi
    if [[ $layout == gtzan ]]; then
        [[ -z $metadata ]] || wrong "gtzan has no table; leave out --metadata"
    elif [[ -n $audio && -z $metadata ]]; then
        wrong "--audio needs --metadata, the collection's table"
    fi
    metadata=$(absolute "$metadata")
    if [[ $tiny == yes ]]; then
        epochs=${epochs:-2}
        out=${out:-$root/target/papers/$paper-tiny}
    elif [[ -z $audio ]]; then
        out=${out:-$root/target/papers/$paper-synthetic}
    else
        out=${out:-$root/target/papers/$paper}
    fi
    mkdir -p "$out/metrics"
    out=$(cd "$out" && pwd)
    cd "$root"
    # Rows are collected anew each time.
    : > "$out/metrics.tsv"
}

# absolute PATH: the path of a file, or of what will be one, from the root on; nothing of nothing.
absolute() {
    if [[ -n $1 ]]; then
        [[ -e $1 ]] || wrong "$1 does not exist"
        echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
    fi
}

# wanted MODEL: whether --models has it.
wanted() {
    [[ ,$models, == *",$1,"* ]]
}

# The programs: sets `bin`.
compile() {
    step "Compiling"
    cargo build --release --workspace --bins
    bin=${CARGO_TARGET_DIR:-target}/release
    SECONDS=0
}

# make_corpus NAME LAYOUT TRACKS_PER_GENRE SECONDS: $out/NAME, music in the layout of a collection.
make_corpus() {
    step "Making music in the layout of $2"
    if [[ -d $out/$1 ]]; then
        echo "$out/$1 is there already"
    else
        "$bin/make-corpus" --layout "$2" --out "$out/$1" --tracks-per-genre "$3" --seconds "$4"
    fi
}

# build NAME SOURCE AUDIO METADATA [SETTINGS OF preprocess build...]: the data set $out/NAME. METADATA may be empty.
build() {
    local dataset=$out/$1 source=$2 from=$3 table=()
    if [[ -n $4 ]]; then
        table=(--metadata "$4")
    fi
    shift 4
    step "Building ${dataset##*/}"
    "$bin/preprocess" build --source "$source" --audio "$from" ${table[@]+"${table[@]}"} --out "$dataset" "$@"
}

# build_dataset TRACKS_PER_GENRE SECONDS [SETTINGS OF --tiny...]: $out/dataset, of the user's files with the paper's
# settings, or of a small corpus that is made here: with --tiny as the arguments say, else as large as the quickstart's,
# in clips of the real length.
build_dataset() {
    local per_genre=$1 seconds=$2
    shift 2
    if [[ -n $audio ]]; then
        build dataset "$layout" "$audio" "$metadata" --preset "$preset"
        return
    fi
    if [[ $tiny == no ]]; then
        per_genre=30 seconds=31
        set --
    fi
    make_corpus corpus "$layout" "$per_genre" "$seconds"
    build_corpus dataset corpus "$layout" --preset "$preset" "$@"
}

# build_corpus NAME CORPUS LAYOUT [SETTINGS...]: a data set of a corpus that make_corpus made.
build_corpus() {
    local name=$1 corpus=$out/$2 source=$3
    shift 3
    case $source in
        fma) build "$name" fma "$corpus/audio" "$corpus/metadata/tracks.csv" "$@" ;;
        magnatagatune)
            build "$name" magnatagatune "$corpus/audio" "$corpus/metadata/annotations_final.csv" "$@"
            ;;
        gtzan) build "$name" gtzan "$corpus/genres" '' "$@" ;;
    esac
}

# split_dataset NAME RATIOS: a stratified split, called `paper`.
split_dataset() {
    step "Splitting $1"
    if [[ -d $out/$1/splits/paper ]]; then
        echo "there is a split already"
    else
        "$bin/preprocess" split "$out/$1" --name paper --strategy stratified --ratios "$2" --seed "$seed"
    fi
}

# fit NAME DATASET MODEL [ARGUMENTS OF train fit...]: trains the run $out/runs/NAME, or goes on with it. As in the papers a
# track is evaluated by its middle clip, unless the variable eval_clips says all.
fit() {
    local run=$out/runs/$1 data=$out/$2 model=$3 more=()
    shift 3
    if [[ -n $epochs ]]; then
        more+=(--epochs "$epochs")
    fi
    step "Training ${run##*/}"
    if [[ -e $run/config.toml ]]; then
        "$bin/train" fit --run "$run" --resume --device "$device" ${more[@]+"${more[@]}"}
        return
    fi
    if [[ $tiny == yes ]]; then
        more+=(--batch-size 8)
    fi
    "$bin/train" fit --run "$run" --data "$data" --split paper --model "$model" --device "$device" --seed "$seed" \
        --eval-clips "${eval_clips:-1}" ${more[@]+"${more[@]}"} "$@"
}

# keep FILE NEWER_THAN COMMAND...: the command's output in $out/metrics/FILE, unless that is there and newer.
keep() {
    local file=$out/metrics/$1 than=$2
    shift 2
    if [[ ! $file -nt $than ]]; then
        "$@" > "$file.part" || {
            rm -f "$file.part"
            return 1
        }
        mv "$file.part" "$file"
    fi
    sed '$d' "$file"
}

# evaluate NAME FILE [ARGUMENTS OF train eval...]: the test set's metrics of a run's best epoch, in $out/metrics/FILE.
evaluate() {
    local run=$out/runs/$1 file=$2
    shift 2
    keep "$file" "$run/best.safetensors" "$bin/train" eval --run "$run" --set test --device "$device" --json "$@"
}

# fit_and_eval NAME DATASET MODEL [ARGUMENTS OF train fit...]
fit_and_eval() {
    fit "$@"
    evaluate "$1" "$1.json"
}

# classify NAME RUN DATASET: k nearest neighbours and a linear SVM on what a run's model makes of a data set, in
# $out/metrics/NAME.json. RUN is one of ours, or a directory or file from elsewhere, which is then of MODEL.
classify() {
    local name=$1 run=$2 data=$out/$3 weights newer_than=$2
    if [[ -d $run ]]; then
        weights=(--run "$run")
        newer_than=$run/best.safetensors
    else
        weights=(--init-from "$run" --model "$4")
    fi
    step "Classifying what $name makes of the tracks"
    keep "$name.json" "$newer_than" "$bin/train" embed "${weights[@]}" --data "$data" --split paper \
        --eval-clips 1 --classify knn,svm --device "$device" --json --out "$out/metrics/$name.safetensors"
}

# Values that a run's best weights hold, but for batch norm's running means and variances: from the names and shapes at
# the beginning of the file.
count_parameters() {
    local length
    length=$(head -c 8 "$1" | od -An -t u8 | tr -d ' ')
    tail -c +9 "$1" | head -c "$length" | sed 's/},/}\n/g' | awk '
        /running_(mean|var)/ || !/"shape"/ { next }
        {
            sub(/.*"shape":\[/, "")
            sub(/\].*/, "")
            values = 1
            dimensions = split($0, dimension, ",")
            for (at = 1; at <= dimensions; at++) {
                values *= dimension[at]
            }
            sum += values
        }
        END { print sum }'
}

# row NAME METRIC=PATH_IN_FILE... -- FILE: metrics of a model, of a file of $out/metrics, for the table.
row() {
    local name=$1 wanted=()
    shift
    while [[ $1 != -- ]]; do
        wanted+=("$1")
        shift
    done
    awk -f "$root/scripts/papers/json.awk" "$out/metrics/$2" | awk -F '\t' -v name="$name" -v wanted="${wanted[*]}" '
        BEGIN {
            count = split(wanted, pairs, " ")
            for (at = 1; at <= count; at++) {
                split(pairs[at], pair, "=")
                metric[pair[2]] = pair[1]
            }
        }
        ($1 in metric) && $2 != "null" { print name "\t" metric[$1] "\t" $2 }' >> "$out/metrics.tsv"
}

# effort NAME RUN: parameters, epochs and seconds per epoch (their median) of one of our runs, for the table.
effort() {
    local run=$out/runs/$2
    {
        printf '%s\tparameters\t%s\n' "$1" "$(count_parameters "$run/best.safetensors")"
        cut -d , -f 2 "$run/history.csv" | sed 1d | sort -g | awk -v name="$1" '
            { value[NR] = $1 }
            END {
                print name "\tepochs\t" NR
                print name "\tseconds_per_epoch\t" (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2
            }'
    } >> "$out/metrics.tsv"
}

# make_table TITLE METRIC=HEADING...: $out/table.md, and on standard output.
make_table() {
    local title=$1
    shift
    step "Done"
    {
        printf '# %s\n\n' "$title"
        if [[ -z $audio ]]; then
            echo "**These are metrics of synthetic music$([[ $tiny == no ]] || echo ', short clips and few epochs'), made to try"
            printf 'the programs: they say nothing about the models and cannot be held against the published ones.**\n\n'
        fi
        scripts/papers/table.sh "$paper" "$out/metrics.tsv" "$@"
    } > "$out/table.md.part"
    mv "$out/table.md.part" "$out/table.md"
    cat "$out/table.md"
    printf '\nThe table is in %s\n' "$out/table.md"
}
