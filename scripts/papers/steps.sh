# Steps shared by the scripts of this directory. Source this file, do not run it:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
#
# A script prints the comment at its top as its usage. It sets the four variables `paper` (its name in published.csv),
# `layout` (of the small corpus), `preset` (of `preprocess build`, or empty) and `models` (all its models,
# comma-separated), and `features` (of `preprocess build --features`) if they are not the preset's. It calls
# parse_arguments, and then the steps. Finished steps are skipped, so an interrupted script can be run again.
# shellcheck shell=bash
set -euo pipefail

# Set by the script and by parse_arguments.
paper='' layout='' preset='' models='' features=''
audio='' metadata='' out='' epochs='' device=auto seed=0 tiny=no
# Additional options `--name VALUE` of a script, with _ instead of -. Each value is stored in the variable of that name.
extra_options=()
# The split that fit trains on, set by split_dataset, and its kind as in published.csv: official or random.
split=paper split_kind=random

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

fail() {
    echo "error: $1" >&2
    exit 1
}

# Prints the comment at the top of the script and exits with status 2.
usage() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" >&2
    exit 2
}

# usage_error MESSAGE
usage_error() {
    echo "error: $1" >&2
    exit 2
}

step() {
    printf '\n== %s (after %d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60))
}

# parse_arguments "$@": sets the variables above and changes to the root directory of the project.
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
            --*) [[ " ${extra_options[*]-} " == *" $name "* ]] || usage ;;
            *) usage ;;
        esac
        [[ $# -ge 2 ]] || usage
        printf -v "$name" '%s' "$2"
        shift 2
    done
    for name in ${models//,/ }; do
        [[ ,$all, == *",$name,"* ]] || usage_error "unknown model \`$name\` in --models; choose from $all"
    done
    [[ -z $epochs || $epochs =~ ^[1-9][0-9]*$ ]] || usage_error "--epochs must be a positive integer, not $epochs"
    [[ $seed =~ ^[0-9]+$ ]] || usage_error "--seed must be an integer from 0, not $seed"
    [[ -z $audio || $tiny == no ]] || usage_error "--tiny uses synthetic music; leave out --tiny or --audio"
    [[ -n $audio || -z $metadata ]] || usage_error "--metadata needs --audio"
    if [[ -n $audio ]]; then
        [[ -d $audio ]] || usage_error "--audio $audio is not a directory"
        audio=$(cd "$audio" && pwd)
    fi
    if [[ $layout == gtzan ]]; then
        [[ -z $metadata ]] || usage_error "gtzan has no table; leave out --metadata"
    elif [[ -n $audio && -z $metadata ]]; then
        usage_error "--audio needs --metadata, the table of the collection"
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
    # The rows are written again in each run.
    : > "$out/metrics.tsv"
}

# absolute PATH: prints the absolute path of an existing file; prints nothing if PATH is empty.
absolute() {
    if [[ -n $1 ]]; then
        [[ -e $1 ]] || usage_error "$1 does not exist"
        echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
    fi
}

# wanted MODEL: succeeds if --models includes it.
wanted() {
    [[ ,$models, == *",$1,"* ]]
}

# Compiles the programs and sets `bin`.
compile() {
    step "Compiling"
    cargo build --release --workspace --bins
    bin=${CARGO_TARGET_DIR:-target}/release
    SECONDS=0
}

# make_corpus NAME LAYOUT TRACKS_PER_GENRE SECONDS: makes synthetic music in $out/NAME.
make_corpus() {
    step "Making music in the layout of $2"
    if [[ -d $out/$1 ]]; then
        echo "$out/$1 exists already"
    else
        "$bin/make-corpus" --layout "$2" --out "$out/$1" --tracks-per-genre "$3" --seconds "$4"
    fi
}

# build NAME SOURCE AUDIO METADATA [OPTIONS OF preprocess build...]: builds the data set $out/NAME. METADATA may be
# empty.
build() {
    local dataset=$out/$1 source=$2 from=$3 table=()
    if [[ -n $4 ]]; then
        table=(--metadata "$4")
    fi
    shift 4
    step "Building ${dataset##*/}"
    "$bin/preprocess" build --source "$source" --audio "$from" ${table[@]+"${table[@]}"} --out "$dataset" "$@"
}

# build_dataset TRACKS_PER_GENRE SECONDS [OPTIONS FOR --tiny...]: builds $out/dataset with the settings of the paper,
# from --audio or from synthetic music. With --tiny the arguments give the size of the corpus and further build options;
# otherwise the corpus has as many tracks as the quickstart's and clips of the real length. The array `selection` has
# options that select a part of the collection.
selection=()
build_dataset() {
    local per_genre=$1 seconds=$2 settings=(${selection[@]+"${selection[@]}"})
    shift 2
    if [[ -n $preset ]]; then
        settings+=(--preset "$preset")
    fi
    if [[ -n $features ]]; then
        settings+=(--features "$features")
    fi
    if [[ -n $audio ]]; then
        build dataset "$layout" "$audio" "$metadata" ${settings[@]+"${settings[@]}"}
        return
    fi
    if [[ $tiny == no ]]; then
        per_genre=30 seconds=31
        set --
    fi
    make_corpus corpus "$layout" "$per_genre" "$seconds"
    build_corpus dataset corpus "$layout" ${settings[@]+"${settings[@]}"} "$@"
}

# build_again NAME [OPTIONS OF preprocess build...]: builds another data set from the same music, for models with other
# features. build_dataset must come first, because it makes the corpus.
build_again() {
    local name=$1
    shift
    if [[ -n $audio ]]; then
        build "$name" "$layout" "$audio" "$metadata" "$@"
    else
        build_corpus "$name" corpus "$layout" "$@"
    fi
}

# build_corpus NAME CORPUS LAYOUT [OPTIONS...]: builds a data set from a corpus that make_corpus made.
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

# split_dataset DATASET STRATEGY [RATIOS [NAME]]: makes a split, named `paper` unless NAME is given, and sets `split` and
# `split_kind`. The strategy `official` has no ratios; give '' if NAME follows.
split_dataset() {
    local dataset=$out/$1 strategy=$2 ratios=()
    split=${4:-paper}
    split_kind=random
    if [[ $strategy == official ]]; then
        split_kind=official
    else
        ratios=(--ratios "$3" --seed "$seed")
    fi
    step "Splitting $1: $strategy"
    if [[ -d $dataset/splits/$split ]]; then
        echo "the split $split exists already"
    else
        "$bin/preprocess" split "$dataset" --name "$split" --strategy "$strategy" ${ratios[@]+"${ratios[@]}"}
    fi
}

# fit NAME DATASET MODEL [ARGUMENTS OF train fit...]: trains the run $out/runs/NAME, or continues it. As in the papers,
# the middle clip of each track is evaluated, unless the variable eval_clips is `all`.
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
    "$bin/train" fit --run "$run" --data "$data" --split "$split" --model "$model" --device "$device" --seed "$seed" \
        --eval-clips "${eval_clips:-1}" ${more[@]+"${more[@]}"} "$@"
}

# keep FILE NEWER_THAN COMMAND...: writes the output of the command to $out/metrics/FILE, unless FILE is newer than
# NEWER_THAN, and prints all but its last line, which is JSON.
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

# evaluate NAME FILE [ARGUMENTS OF train eval...]: evaluates the run NAME on the test set; metrics go to
# $out/metrics/FILE.
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

# classify NAME RUN DATASET MODEL: evaluates k-nearest neighbours and a linear SVM on the embeddings of a data set;
# metrics go to $out/metrics/NAME.json. RUN is the directory of a run, or a file with weights of MODEL.
classify() {
    local name=$1 run=$2 data=$out/$3 weights newer_than=$2
    if [[ -d $run ]]; then
        weights=(--run "$run")
        newer_than=$run/best.safetensors
    else
        weights=(--init-from "$run" --model "$4")
    fi
    step "Classifying the embeddings of $name"
    keep "$name.json" "$newer_than" "$bin/train" embed "${weights[@]}" --data "$data" --split "$split" \
        --eval-clips 1 --classify knn,svm --device "$device" --json --out "$out/metrics/$name.safetensors"
}

# classify_statistics FILE CLASSIFIER DATASET: trains a classifier on the tracks' MFCC statistics and evaluates it on the
# test set; metrics go to $out/metrics/FILE.
classify_statistics() {
    local file=$1 classifier=$2 data=$out/$3
    step "Classifying MFCC statistics with $classifier"
    keep "$file" "$data/splits/$split/split.json" "$bin/train" embed --statistics mfcc --classify "$classifier" \
        --data "$data" --split "$split" --json
}

# count_parameters FILE: prints the number of parameters in a safetensors file, without the running means and variances
# of batch norm. Reads names and shapes from the header.
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

# row NAME METRIC=JSON_PATH... -- FILE: adds metrics from $out/metrics/FILE to the table row of model NAME.
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

# training_cost NAME RUN: adds parameters, epochs and median seconds per epoch of a run to the table row of model NAME.
training_cost() {
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

# make_table TITLE METRIC=HEADING...: writes and prints $out/table.md.
make_table() {
    local title=$1
    shift
    step "Done"
    {
        printf '# %s\n\n' "$title"
        if [[ -z $audio ]]; then
            echo "**These metrics are from synthetic music$([[ $tiny == no ]] || echo ', short clips and few epochs'). They only"
            printf 'show that the programs work and cannot be compared with published metrics.**\n\n'
        fi
        scripts/papers/table.sh "$paper" "$split_kind" "$out/metrics.tsv" "$@"
    } > "$out/table.md.part"
    mv "$out/table.md.part" "$out/table.md"
    cat "$out/table.md"
    printf '\nTable: %s\n' "$out/table.md"
}
