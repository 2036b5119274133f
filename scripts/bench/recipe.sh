#!/usr/bin/env bash
# Measures what the strong recipe and each of its parts bring:
#
#   scripts/bench/recipe.sh DATASET OUT [--seeds N] [--epochs N] [--folds N] [--workers N] [--parts] [--train BINARY]
#
# The current split of DATASET is a fold of `preprocess split --folds`. Trains crnn and cnn2d on all folds with the
# strong recipe, with the paper's settings, and with those but without augmentation, with several seeds each (default: 3
# seeds, 12 epochs, 5 folds). --parts adds crnn with one part of the strong recipe replaced by the paper's, and with other
# methods added to it. --workers settings (default: 2) are trained at a time, with one thread each. A stopped measurement
# continues when started again. Writes the set of runs OUT/SETTING and its log OUT/SETTING.log, and prints the comparison
# of all settings with the strong recipe.
set -euo pipefail

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
seeds=3 epochs=12 folds=5 workers=2 parts='' train='' positional=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --seeds | --epochs | --folds | --workers | --train)
            [[ $# -ge 2 ]] || usage
            declare "${1#--}=$2"
            shift 2
            ;;
        --parts)
            parts=1
            shift
            ;;
        -*) usage ;;
        *)
            positional+=("$1")
            shift
            ;;
    esac
done
[[ ${#positional[@]} -eq 2 ]] || usage
dataset=${positional[0]} out=${positional[1]}
if [[ -z $train ]]; then
    cargo build --release --quiet --workspace --manifest-path "$root/Cargo.toml"
    train=$root/target/release/train
fi

# SETTING ARGUMENT...
plan() {
    for model in crnn cnn2d; do
        cat << EOF
$model-strong --model $model --recipe strong
$model-paper --model $model
$model-no-augmentation --model $model --augment none
EOF
    done
    [[ $parts ]] || return 0
    cat << EOF
crnn-paper-short-clips --model crnn --clip-seconds 4 --train-clips 4
crnn-strong-one-clip --model crnn --recipe strong --train-clips 1
crnn-strong-adamw-ema --model crnn --recipe strong --optimizer adamw --weight-decay 0.01 --ema 0.99
crnn-strong-one-cycle-ema --model crnn --recipe strong --lr-schedule one-cycle --lr 3e-3 --ema 0.99
crnn-strong-adamw-one-cycle --model crnn --recipe strong --optimizer adamw --weight-decay 0.01 --lr-schedule one-cycle \
--lr 3e-3
crnn-strong-spec-augment --model crnn --recipe strong --augment spec-augment
crnn-strong-mixup --model crnn --recipe strong --mixup 0.2
crnn-strong-label-smoothing --model crnn --recipe strong --label-smoothing 0.1
EOF
}

# Trains one setting, unless that is done.
fit() {
    local run=$out/$1 resume=()
    local finished=$run.$seeds-seeds
    shift
    if [[ -e $finished ]]; then
        return
    fi
    if [[ -e $run/runs.toml ]]; then
        resume=(--resume)
    fi
    RAYON_NUM_THREADS=1 "$train" fit --data "$dataset" --folds "$folds" --seeds "$seeds" --epochs "$epochs" \
        --patience 0 --device cpu --loader-threads 1 --quiet --run "$run" "$@" "${resume[@]}" > "$run.log" 2>&1
    touch "$finished"
}
export train dataset out epochs folds seeds
export -f fit

mkdir -p "$out"
# shellcheck disable=SC2016 # The inner shell expands it.
if ! plan | xargs -P "$workers" -L1 bash -euc 'fit "$@"' fit; then
    echo "error: a setting was not trained; see $out/*.log" >&2
    exit 1
fi
for model in crnn cnn2d; do
    mapfile -t runs < <(plan | cut -d' ' -f1 | grep "^$model-" | sed "s|^|$out/|")
    "$train" report "${runs[@]}" --csv "$out/$model.csv" --html "$out/$model.html"
done
