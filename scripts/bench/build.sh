#!/usr/bin/env bash
# Measures the speed of `preprocess build`, and of librosa on the same files:
#
#   scripts/bench/build.sh CORPUS [--out DIR] [--repeats N] [--jobs N] [--python PYTHON]
#
# CORPUS contains audio/ and metadata/tracks.csv. The two alternate, so a slowdown of the machine affects both.
# Writes raw.csv, one row per run, and summary.txt, the medians, to DIR (default: target/bench/build). PYTHON must have
# librosa (default: $PYTHON, else python3). Seconds are wall-clock time, for librosa without imports. CPU seconds are
# the CPU time of the whole process; use them if the machine is busy.
set -euo pipefail

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
corpus='' out=$root/target/bench/build repeats=3 jobs=2 python=${PYTHON:-python3}
while [[ $# -gt 0 ]]; do
    case $1 in
        --out | --repeats | --jobs | --python)
            [[ $# -ge 2 ]] || usage
            declare "${1#--}=$2"
            shift 2
            ;;
        -*) usage ;;
        *)
            [[ -z $corpus ]] || usage
            corpus=$1
            shift
            ;;
    esac
done
[[ -n $corpus ]] || usage
if [[ ! -d $corpus/audio || ! -f $corpus/metadata/tracks.csv ]]; then
    echo "error: $corpus must contain audio/ and metadata/tracks.csv" >&2
    exit 1
fi
if ! "$python" -c 'import librosa' 2> /dev/null; then
    echo "error: $python does not have librosa; set --python to one that has" >&2
    exit 1
fi
corpus=$(cd "$corpus" && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
if [[ $python == */* ]]; then
    # The link itself is not resolved: the python of a virtual environment must be called by its own name.
    python=$(cd "$(dirname "$python")" && pwd)/${python##*/}
fi
cd "$root"

cargo build --release --workspace --bins
bin=${CARGO_TARGET_DIR:-target}/release
scratch=$out/scratch
files=$(find "$corpus/audio" -name '*.mp3' | wc -l)
raw=$out/raw.csv

now() {
    date +%s.%N
}

# Prints the seconds of the whole program, including its start.
run_preprocess() {
    local begin
    begin=$(now)
    "$bin/preprocess" build --source fma --audio "$corpus/audio" --metadata "$corpus/metadata/tracks.csv" \
        --out "$scratch/dataset" --jobs "$jobs" --quiet > /dev/null
    awk -v begin="$begin" -v end="$(now)" 'BEGIN { print end - begin }'
}

# Prints the seconds that the script itself measures, which exclude imports.
run_librosa() {
    "$python" scripts/bench/librosa_build.py "$corpus/audio" "$scratch/librosa" --jobs "$jobs" 2> /dev/null |
        sed -n 's/.*"seconds": \([0-9.e-]*\).*/\1/p'
}

# median WHAT COLUMN: prints the median over the repeats.
median() {
    awk -F , -v what="$1" -v column="$2" '$2 == what { print $column }' "$raw" | sort -g |
        awk '{ value[NR] = $1 } END { print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

echo "repeat,what,files,jobs,seconds,cpu_seconds" > "$raw"
TIMEFORMAT='%U %S'
# Reads every file into the page cache, so no measurement includes reading from disk.
find "$corpus/audio" -name '*.mp3' -exec cat {} + > /dev/null
for ((repeat = 1; repeat <= repeats; repeat++)); do
    for what in preprocess librosa; do
        rm -rf "$scratch"
        mkdir -p "$scratch"
        sync
        { time seconds=$("run_$what" 2>&3); } 3>&2 2> "$out/cpu"
        cpu_seconds=$(awk '{ print $1 + $2 }' "$out/cpu")
        echo "$repeat,$what,$files,$jobs,$seconds,$cpu_seconds" >> "$raw"
        printf 'repeat %d: %-12s %8.2f s, %8.2f s of CPU\n' "$repeat" "$what" "$seconds" "$cpu_seconds"
    done
done
rm -rf "$scratch" "$out/cpu"

{
    echo "command   scripts/bench/build.sh, median of $repeats repeats, $jobs jobs"
    echo "machine   $(uname -sm), $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2> /dev/null | head -n 1)"
    echo "librosa   $("$python" -c 'import librosa; print(librosa.__version__)')"
    echo "files     $files"
    echo
    printf '%-40s %10s %10s %12s\n' "" "seconds" "CPU s" "tracks/s"
    for what in preprocess librosa; do
        awk -v what="$what" -v files="$files" -v seconds="$(median "$what" 5)" -v cpu="$(median "$what" 6)" 'BEGIN {
            name["preprocess"] = "preprocess build"
            name["librosa"] = "librosa (decoding and mel spectrogram)"
            printf "%-40s %10.2f %10.2f %12.2f\n", name[what], seconds, cpu, files / seconds
        }'
    done
    echo
    awk -v preprocess="$(median preprocess 5)" -v librosa="$(median librosa 5)" 'BEGIN {
        printf "preprocess build / librosa: %.2fx the speed\n", librosa / preprocess
    }'
} | tee "$out/summary.txt"
