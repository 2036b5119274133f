#!/usr/bin/env bash
# Measures the speed of `train` and of PyTorch on a GPU within a time limit:
#
#   scripts/bench/gpu.sh DATASET [--train BINARY] [--python PYTHON] [--out DIR] [--minutes N] [--parts P,..]
#                        [--models M,..] [--batch-sizes N,..] [--precisions P,..] [--steps N] [--device DEVICE]
#
# DATASET is a data set with a split. BINARY must be built with --features cuda (default: $BINARY, else the one in the
# target directory); this script builds nothing. PYTHON must have torch and numpy (default: $PYTHON, else python3).
# The parts, in this order, all of them by default:
#   front-end  compares the mel spectrograms of the device with those of the host
#   twins      checks that the PyTorch twins, the same models in PyTorch, give the same logits as ours on the device
#   train      train bench: each model, batch size and precision, front end on the device
#   torch      PyTorch's training step, eager and as one CUDA graph, with data in device memory
#   compile    the same with torch.compile
# Each part gets a fraction of --minutes (default: 8.5); unused time goes to the next part. Within a part the most
# important measurements come first. Writes train.csv and torch.csv, one row per measurement; log.txt, all output; and
# summary.md to DIR (default: target/bench/gpu). Files of parts that are not run again are kept and shown; compile adds
# its rows to those of torch.
# Use --device cpu to test this script without a GPU. Exits with status 1 if a part failed; the others are still run.
set -euo pipefail

usage() {
    sed -n '2,19s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
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
    echo "error: $dataset is not a data set with a split; run preprocess build and preprocess split" >&2
    exit 1
fi
if [[ ! -x $train ]]; then
    echo "error: $train does not exist or is not executable; set --train" >&2
    exit 1
fi
if ! "$python" -c 'import torch, numpy' 2> /dev/null; then
    echo "error: $python does not have torch and numpy; set --python to one that has" >&2
    exit 1
fi
if [[ $python == */* ]]; then
    # An absolute path, because it is called from another directory. The link itself is not resolved: the python of a
    # virtual environment must be called by its own name.
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
        echo "error: unknown part $part; choose from front-end, twins, train, torch, compile" >&2
        exit 2
    fi
    shares=$((shares + share[$part]))
done
total=$(awk -v minutes="$minutes" 'BEGIN { print int(60 * minutes) }')
failed=() notes=()
# Seconds since the start at which the current part must end.
deadline=0

# attempt WHAT SECONDS COMMAND...: runs COMMAND for at most SECONDS. A failure is recorded and the next ones still run.
attempt() {
    local what=$1 limit=$2 begin=$SECONDS rc=0
    shift 2
    echo "== $what: $*" >> "$log"
    timeout --kill-after=5 "$limit" "$@" >> "$log" 2>&1 || rc=$?
    printf '%4d s  %-36s %4d s\n' "$SECONDS" "$what" "$((SECONDS - begin))"
    [[ $rc -ne 0 ]] || return 0
    echo "FAILED, exit status $rc:" >&2
    tail -n 5 "$log" | cut -c 1-300 >&2
    if [[ ($rc -eq 124 || $rc -eq 137) && $what == PyTorch* ]]; then
        # Earlier measurements are already in its file.
        notes+=("$what: stopped after $limit s during a variant")
    elif [[ $rc -eq 124 || $rc -eq 137 ]]; then
        failed+=("$what: stopped after $limit s")
    else
        failed+=("$what: exit status $rc")
    fi
    return 1
}

# seconds_left MIN: prints the seconds left for the current part, at least MIN.
seconds_left() {
    local remaining=$((deadline - SECONDS))
    echo $((remaining > $1 ? remaining : $1))
}

bench() {
    local what=$1 limit=$2
    shift 2
    attempt "$what" "$limit" "$train" bench --data "$dataset" --device "$device" "$@"
}

run_front-end() {
    # mm-crnn takes both inputs.
    bench "front end, device and host" "$(seconds_left 20)" --model mm-crnn --check-front-end || true
    sed -n '/^== front end, /,$p' "$log" | tail -n +2 > "$out/front-end.txt"
}

run_twins() {
    local files=() model file
    rm -f "$out/twins.txt"
    for model in "${model_list[@]}"; do
        file=$model.safetensors
        if bench "outputs of $model" "$(seconds_left 20)" --model "$model" --batch-size 4 --outputs "$scratch/$file"; then
            files+=("$file")
        fi
    done
    [[ ${#files[@]} -gt 0 ]] || return 0
    (cd "$scratch" && timeout "$(seconds_left 20)" "$python" "$scripts/torch_check.py" "${files[@]}") \
        > "$out/twins.txt" 2>> "$log" || failed+=("the PyTorch twins give other logits, or could not be checked")
    cat "$out/twins.txt"
    rm -f "$scratch"/*.safetensors
}

run_train() {
    local batch precision model remaining skipped=0
    rm -f "$out/train.csv"
    for batch in "${batch_list[@]}"; do
        for precision in "${precision_list[@]}"; do
            for model in "${model_list[@]}"; do
                remaining=$((deadline - SECONDS))
                if [[ $remaining -lt 5 ]]; then
                    skipped=$((skipped + 1))
                    continue
                fi
                bench "train bench $model $batch $precision" $((remaining < 90 ? remaining : 90)) --model "$model" \
                    --batch-size "$batch" --precision "$precision" --front-end device --augment paper \
                    --steps "$steps" --csv "$out/train.csv" || true
            done
        done
    done
    if [[ $skipped -gt 0 ]]; then
        notes+=("train bench ran out of time: $skipped combinations not measured")
    fi
}

torch_step() {
    local what=$1 remaining
    shift
    remaining=$(seconds_left 20)
    # A running variant may finish; the limit stops one that hangs.
    attempt "$what" $((remaining + 15)) "$python" "$scripts/torch_step.py" --device "$device" --model "$models" \
        --batch-size "$batch_sizes" --precision "$precisions" --steps "$steps" --channels-last --graphs \
        --budget-s $((remaining - 10)) --csv "$out/torch.csv" "$@" || true
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

used_shares=0
for part in "${part_list[@]}"; do
    used_shares=$((used_shares + share[$part]))
    deadline=$((total * used_shares / shares))
    "run_$part"
done

{
    printf '\nscripts/bench/gpu.sh, %s steps, %s s in total.\n' "$steps" "$SECONDS"
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
