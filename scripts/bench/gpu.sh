#!/usr/bin/env bash
# How fast is `train` on a GPU? Beside PyTorch on the same device, in one go and a given time:
#
#   scripts/bench/gpu.sh DATASET [--train BINARY] [--python PYTHON] [--out DIR] [--minutes N] [--parts P,..]
#                        [--models M,..] [--batch-sizes N,..] [--precisions P,..] [--steps N] [--device DEVICE]
#
# DATASET was made by `preprocess build` and has a split. BINARY was built with --features cuda (default: $BINARY, else
# the one in the target directory); nothing is built here. PYTHON has torch and numpy (default: $PYTHON, else python3).
# The parts, in this order, all of them by default:
#   front-end  the device's mel path against the host's
#   twins      PyTorch twins of the models have to give the logits that ours give on the device
#   train      train bench: each model, batch size and precision, front end on the device
#   torch      PyTorch's step, eager and as one CUDA graph, data in the device's memory
#   compile    the same through torch.compile
# Each has its share of N minutes (default: 8.5), and what one leaves over goes to the next; within a part, what matters
# most comes first. DIR gets train.csv and torch.csv, a row per measurement, written as they come; log.txt, all output;
# and summary.md (default: target/bench/gpu). DIR's files of parts that are not run again are kept and shown; rows of
# compile are added to those of torch.
# --device cpu tries the script itself where there is no GPU. Exit code 1: some part failed; the others have been run.
set -euo pipefail

usage() {
    sed -n '2,21s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dataset='' train=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/release/train} python=${PYTHON:-python3}
out=$root/target/bench/gpu minutes=8.5 parts=front-end,twins,train,torch,compile device=cuda steps=20
models=cnn1d,cnn2d,crnn,mm-crnn batch_sizes=32,256 precisions=tf32,bf16
while [[ $# -gt 0 ]]; do
    case $1 in
        --train | --python | --out | --minutes | --parts | --models | --batch-sizes | --precisions | --steps | --device)
            [[ $# -ge 2 ]] || usage
            name=${1#--}
            declare "${name//-/_}=$2"
            shift 2
            ;;
        -*) usage ;;
        *)
            [[ -z $dataset ]] || usage
            dataset=$1
            shift
            ;;
    esac
done
[[ -n $dataset ]] || usage
if [[ ! -f $dataset/dataset.json || ! -e $dataset/splits/current ]]; then
    echo "error: $dataset is no data set with a split; make one with preprocess build and preprocess split" >&2
    exit 1
fi
if [[ ! -x $train ]]; then
    echo "error: there is no program at $train; name it with --train" >&2
    exit 1
fi
if ! "$python" -c 'import torch, numpy' 2> /dev/null; then
    echo "error: $python lacks torch or numpy; name another with --python" >&2
    exit 1
fi
if [[ $python == */* ]]; then
    # It is called from another directory. Not resolved further: a virtual environment's python is a link that must be
    # called by its own name.
    python=$(cd "$(dirname "$python")" && pwd)/${python##*/}
fi
mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
scripts=$root/scripts/bench
log=$out/log.txt
: > "$log"

declare -A share=([front-end]=2 [twins]=2 [train]=8 [torch]=4 [compile]=5)
IFS=, read -ra part_list <<< "$parts"
IFS=, read -ra model_list <<< "$models"
IFS=, read -ra batch_list <<< "$batch_sizes"
IFS=, read -ra precision_list <<< "$precisions"
shares=0
for part in "${part_list[@]}"; do
    if [[ -z ${share[$part]:-} ]]; then
        echo "error: there is no part $part" >&2
        exit 2
    fi
    shares=$((shares + share[$part]))
done
total=$(awk -v minutes="$minutes" 'BEGIN { print int(60 * minutes) }')
failed=() notes=()
# When the part in hand has to be over, in seconds since the start.
deadline=0

# attempt WHAT SECONDS COMMAND...: runs COMMAND for SECONDS at most; what fails is remembered, and the others go on.
attempt() {
    local what=$1 limit=$2 begin=$SECONDS rc=0
    shift 2
    echo "== $what: $*" >> "$log"
    timeout --kill-after=5 "$limit" "$@" >> "$log" 2>&1 || rc=$?
    printf '%4d s  %-36s %4d s\n' "$SECONDS" "$what" "$((SECONDS - begin))"
    [[ $rc -ne 0 ]] || return 0
    echo "FAILED, exit code $rc:" >&2
    tail -n 5 "$log" | cut -c 1-300 >&2
    if [[ ($rc -eq 124 || $rc -eq 137) && $what == PyTorch* ]]; then
        # What it had measured by then is in its file.
        notes+=("$what: stopped after $limit s, in the middle of a variant")
    elif [[ $rc -eq 124 || $rc -eq 137 ]]; then
        failed+=("$what: stopped after $limit s")
    else
        failed+=("$what: exit code $rc")
    fi
    return 1
}

# Seconds left of the part in hand, or LEAST.
left() {
    local rest=$((deadline - SECONDS))
    echo $((rest > $1 ? rest : $1))
}

bench() {
    local what=$1 limit=$2
    shift 2
    attempt "$what" "$limit" "$train" bench --data "$dataset" --device "$device" "$@"
}

run_front-end() {
    # The model that takes both inputs.
    bench "front end, device against host" "$(left 20)" --model mm-crnn --check-front-end || true
    sed -n '/^== front end, /,$p' "$log" | tail -n +2 > "$out/front-end.txt"
}

run_twins() {
    local files=() model file
    rm -f "$out/twins.txt"
    for model in "${model_list[@]}"; do
        file=$model.safetensors
        if bench "outputs of $model" "$(left 20)" --model "$model" --batch-size 4 --outputs "$scratch/$file"; then
            files+=("$file")
        fi
    done
    [[ ${#files[@]} -gt 0 ]] || return 0
    (cd "$scratch" && timeout "$(left 20)" "$python" "$scripts/torch_check.py" "${files[@]}") \
        > "$out/twins.txt" 2>> "$log" || failed+=("the twins do not give the same logits, or could not be checked")
    cat "$out/twins.txt"
    rm -f "$scratch"/*.safetensors
}

run_train() {
    local batch precision model rest skipped=0
    rm -f "$out/train.csv"
    for batch in "${batch_list[@]}"; do
        for precision in "${precision_list[@]}"; do
            for model in "${model_list[@]}"; do
                rest=$((deadline - SECONDS))
                if [[ $rest -lt 5 ]]; then
                    skipped=$((skipped + 1))
                    continue
                fi
                bench "train bench $model $batch $precision" $((rest < 90 ? rest : 90)) --model "$model" \
                    --batch-size "$batch" --precision "$precision" --front-end device --augment paper \
                    --steps "$steps" --csv "$out/train.csv" || true
            done
        done
    done
    if [[ $skipped -gt 0 ]]; then
        notes+=("train bench ran out of time: $skipped combinations were not measured")
    fi
}

torch_step() {
    local what=$1 rest
    shift
    rest=$(left 20)
    # A variant that has begun is let finish; the limit is for one that never would.
    attempt "$what" $((rest + 15)) "$python" "$scripts/torch_step.py" --device "$device" --model "$models" \
        --batch-size "$batch_sizes" --precision "$precisions" --steps "$steps" --channels-last --graphs \
        --budget-s $((rest - 10)) --csv "$out/torch.csv" "$@" || true
    local line
    while IFS= read -r line; do
        notes+=("$what: $line")
    done < <(sed -n "/^== $what/,\$p" "$log" | grep -E '^(failed|out of time):' || true)
}

run_torch() {
    rm -f "$out/torch.csv"
    torch_step "PyTorch, eager" --engines eager
}

run_compile() {
    torch_step "PyTorch, compiled" --engines compile --compile --autotune
}

until_now=0
for part in "${part_list[@]}"; do
    until_now=$((until_now + share[$part]))
    deadline=$((total * until_now / shares))
    "run_$part"
done

{
    printf '\nscripts/bench/gpu.sh, %s steps, %s s in all.\n' "$steps" "$SECONDS"
    nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2> /dev/null ||
        echo "no NVIDIA GPU, device $device"
    "$python" -c 'import torch; print(f"torch {torch.__version__}, CUDA {torch.version.cuda}")'
    for file in front-end twins; do
        if [[ -s $out/$file.txt ]]; then
            printf '\n## %s\n\n' "$file"
            while IFS= read -r line; do echo "    $line"; done < "$out/$file.txt"
        fi
    done
    printf '\n## Training steps\n\n'
    "$python" "$scripts/step_table.py" "$out/train.csv" "$out/torch.csv" --variants --stages
    if [[ ${#notes[@]} -gt 0 ]]; then
        printf '\n## Not measured\n\n'
        printf -- '- %s\n' "${notes[@]}"
    fi
    if [[ ${#failed[@]} -gt 0 ]]; then
        printf '\n## Failed\n\n'
        printf -- '- %s\n' "${failed[@]}"
    fi
} | tee "$out/summary.md"
[[ ${#failed[@]} -eq 0 ]]
