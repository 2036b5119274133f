#!/usr/bin/env bash
# Measures the speed of `train`, of PyTorch's training step and of a librosa data path on a CPU:
#
#   scripts/bench/cpu.sh DATASET CORPUS [--python PYTHON] [--out DIR] [--repeats N] [--threads N] [--steps N]
#                        [--seconds N] [--models M,..] [--batch-sizes N,..] [--compile] [--train BINARY]
#
# DATASET is a data set with a split; CORPUS contains audio/ with MP3 files. PYTHON must have torch, librosa and
# audiomentations (default: $PYTHON, else python3). First checks that the PyTorch twins, the same models in PyTorch,
# give the same logits. Then the three alternate, so a slowdown of the machine affects all of them: --repeats (default:
# 3) of --steps training steps (5) and --seconds of librosa (30), with --threads threads each (2). PyTorch is measured
# in both memory layouts, with its default allocator and with one that keeps freed memory ("-kept"); --compile adds
# torch.compile, which is slow to start. Writes train.csv, torch.csv and librosa.csv, one row per measurement, load.csv,
# the load of the machine before each measurement, and summary.md to DIR (default: target/bench/cpu). --train measures
# BINARY instead of building one. Exits with status 1 if a measurement failed; the others are still made.
set -euo pipefail

usage() {
    sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dataset='' corpus='' out=$root/target/bench/cpu python=${PYTHON:-python3} train=''
repeats=3 threads=2 steps=5 seconds=30
models=cnn1d,cnn2d,crnn,mm-crnn batch_sizes=8,32 compile=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --python | --out | --repeats | --threads | --steps | --seconds | --models | --batch-sizes | --train)
            [[ $# -ge 2 ]] || usage
            name=${1#--}
            declare "${name//-/_}=$2"
            shift 2
            ;;
        --compile)
            compile=(--compile)
            shift
            ;;
        -*) usage ;;
        *)
            if [[ -z $dataset ]]; then
                dataset=$1
            elif [[ -z $corpus ]]; then
                corpus=$1
            else
                usage
            fi
            shift
            ;;
    esac
done
[[ -n $corpus ]] || usage
if [[ ! -f $dataset/dataset.json || ! -e $dataset/splits/current ]]; then
    echo "error: $dataset is not a data set with a split; run preprocess build and preprocess split" >&2
    exit 1
fi
if [[ ! -d $corpus/audio ]]; then
    echo "error: $corpus does not contain audio/" >&2
    exit 1
fi
if ! "$python" -c 'import torch, librosa, audiomentations' 2> /dev/null; then
    echo "error: $python does not have torch, librosa and audiomentations; set --python to one that has" >&2
    exit 1
fi
# An absolute path, because the working directory changes. The link itself is not resolved: the python of a virtual
# environment must be called by its own name.
absolute() {
    echo "$(cd "$(dirname "$1")" && pwd)/${1##*/}"
}
dataset=$(cd "$dataset" && pwd)
corpus=$(cd "$corpus" && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [[ $python == */* ]]; then
    python=$(absolute "$python")
fi
if [[ -n $train ]]; then
    train=$(absolute "$train")
fi
cd "$root"
if [[ -z $train ]]; then
    cargo build --release -p train
    train=${CARGO_TARGET_DIR:-target}/release/train
fi

# Both sides use as many threads as they have cores, so this process and its children are limited to that many cores.
if [[ $(nproc) -gt $threads ]] && ! taskset -pc "0-$((threads - 1))" $$ > /dev/null; then
    echo "error: could not limit the runs to $threads cores with taskset; install it, or use --threads $(nproc)" >&2
    exit 1
fi
IFS=, read -ra model_list <<< "$models"
IFS=, read -ra batch_list <<< "$batch_sizes"
rm -f "$out"/{train,torch,librosa,load}.csv "$out/summary.md"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=()

# attempt WHAT COMMAND...: runs a measurement. A failure is recorded and the next measurements still run.
attempt() {
    local what=$1
    shift
    echo "$what,$(cut -d ' ' -f 1 /proc/loadavg)" >> "$out/load.csv"
    "$@" || failed+=("$what")
}

bench() {
    "$train" bench --data "$dataset" --device cpu "$@"
}

torch_step() {
    "$python" scripts/bench/torch_step.py --device cpu --precision f32 --threads "$threads" --steps "$steps" \
        --warmup 2 --channels-last --csv "$out/torch.csv" "$@"
}

librosa_frontend() {
    local line
    # The log has librosa's warnings about damaged files.
    line=$("$python" scripts/bench/librosa_frontend.py --corpus "$corpus" --seconds "$seconds" \
        --processes "$threads" 2> "$scratch/librosa.log") || {
        tail -n 5 "$scratch/librosa.log" >&2
        return 1
    }
    echo "$line"
    for field in clips_per_s clips_per_s_without_load clips seconds processes; do
        sed -n "s/.*\"$field\": \([0-9.e-]*\).*/\1/p" <<< "$line"
    done | paste -sd , >> "$out/librosa.csv"
}

# Prints the median of the numbers on standard input, or nothing for empty input.
median() {
    sort -g | awk '{ value[NR] = $1 }
        END { if (NR) print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

# column FILE NUMBER: prints a column without its header.
column() {
    awk -F , -v column="$2" 'NR > 1 { print $column }' "$1"
}

# Clips per second of our loader for the models that take only mel spectrograms, as the librosa path makes them.
our_data_path() {
    if [[ -f $out/train.csv ]]; then
        awk -F , '$8 == "loader" && ($1 == "crnn" || $1 == "cnn2d") { print $10 }' "$out/train.csv"
    fi
}

echo "what,load" > "$out/load.csv"
echo "clips_per_s,clips_per_s_without_load,clips,seconds,processes" > "$out/librosa.csv"
outputs=()
for model in "${model_list[@]}"; do
    file=$scratch/$model.safetensors
    attempt "outputs of $model" bench --model "$model" --batch-size 4 --outputs "$file"
    if [[ -f $file ]]; then
        outputs+=("$model.safetensors")
    fi
done
twins='no outputs to check'
if [[ ${#outputs[@]} -gt 0 ]]; then
    twins=$(cd "$scratch" && "$python" "$root/scripts/bench/torch_check.py" "${outputs[@]}") ||
        failed+=("logits of the PyTorch twins")
    rm -f "$scratch"/*.safetensors
fi
echo "$twins"

for ((repeat = 1; repeat <= repeats; repeat++)); do
    echo "repeat $repeat of $repeats"
    attempt "librosa's data path" librosa_frontend
    for batch in "${batch_list[@]}"; do
        for model in "${model_list[@]}"; do
            attempt "train bench $model $batch" bench --model "$model" --batch-size "$batch" --augment paper \
                --steps "$steps" --csv "$out/train.csv"
            attempt "torch_step $model $batch" torch_step --model "$model" --batch-size "$batch" "${compile[@]}"
            attempt "torch_step $model $batch kept" torch_step --model "$model" --batch-size "$batch" --keep-memory \
                "${compile[@]}"
        done
    done
done

{
    echo "scripts/bench/cpu.sh, median of $repeats repeats of $steps steps, $threads threads."
    echo "$(uname -sm), $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2> /dev/null | head -n 1);" \
        "median load before the runs: $(column "$out/load.csv" 2 | median)."
    "$python" -c 'import librosa, torch; print(f"torch {torch.__version__}, librosa {librosa.__version__}.")'
    printf '\n## Logits of the PyTorch twins\n\n'
    while IFS= read -r line; do echo "    $line"; done <<< "$twins"
    printf '\n## Training steps\n\n'
    "$python" scripts/bench/step_table.py "$out/train.csv" "$out/torch.csv" --variants --stages
    printf '\n## Data path\n\n%s threads or processes; noise and time stretching each in half of the clips:\n\n' "$threads"
    awk -v ours="$(our_data_path | median)" -v all="$(column "$out/librosa.csv" 1 | median)" \
        -v without="$(column "$out/librosa.csv" 2 | median)" 'BEGIN {
        print "| data path | clips/s | speedup of ours |\n|---|---:|---:|"
        printf "| ours: shards, noise, stretch, mel | %s | |\n", ours == "" ? "–" : sprintf("%.1f", ours)
        name[1] = "librosa: MP3, noise, stretch, mel"; rate[1] = all
        name[2] = "librosa without the time to load MP3"; rate[2] = without
        for (at = 1; at <= 2; at++)
            printf "| %s | %s | %s |\n", name[at], rate[at] == "" ? "–" : sprintf("%.1f", rate[at]),
                ours == "" || rate[at] == "" ? "–" : sprintf("%.2f", ours / rate[at])
    }'
    if [[ ${#failed[@]} -gt 0 ]]; then
        printf '\n## Failed\n\n'
        printf -- '- %s\n' "${failed[@]}"
    fi
} | tee "$out/summary.md"
[[ ${#failed[@]} -eq 0 ]]
