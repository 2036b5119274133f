#!/usr/bin/env bash
# Checks that costs grow linearly with the number of tracks: builds, splits, opens and verifies collections of 100,
# 1,000 and 8,000 tracks, which are hard links to the clips of a small corpus under new ids:
#
#   scripts/bench/scale.sh CORPUS [--out DIR] [--bin DIR] [--counts N,..] [--jobs N] [--repeats N]
#                          [--shape audio_info.csv]
#
# CORPUS contains audio/ and metadata/tracks.csv in the layout of FMA. Collections use its clips in turn, without those
# that a build drops. --shape is a table `track_id,sampling_rate,duration` of the decodable tracks of a real data set.
# With it, collections have the first N tracks of that data set. Each track gets a clip with its sample rate, or the
# nearest one, and the nearest duration; a track that is too short gets a clip that a build drops as too short, and a
# track that does not decode (listed in fma_small.toml) one that it drops as damaged.
#
# Writes raw.csv and summary.txt to DIR (default: target/bench/scale), which must be on the file system of CORPUS. It
# contains one data set at a time: 3 MB for each clip of 30 seconds, 24 GB for 8,000 clips. --bin (default:
# target/release) must contain the results of `cargo build --release -p preprocess` and `cargo build --release -p shared
# --example open_dataset`.
#
# Seconds are wall-clock time including the start of the program. A build is measured once. The others are the minimum
# of --repeats (default: 5): `split` (grouped by artist, and stratified), opening the data set as training does, and
# running a finished build again, which only lists the tracks. Memory is the peak of the build. `verify` reads every
# byte once, from the page cache if the data set fits into memory.
set -euo pipefail

usage() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}" >&2
    exit 2
}

fail() {
    echo "error: $1" >&2
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
corpus='' out=$root/target/bench/scale bin=$root/target/release counts=100,1000,8000 jobs=$(nproc) repeats=5 shape=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --out | --bin | --counts | --jobs | --repeats | --shape)
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
[[ -n $corpus && $counts =~ ^[1-9][0-9]*(,[1-9][0-9]*)*$ && $repeats =~ ^[1-9][0-9]*$ ]] || usage
[[ -d $corpus/audio && -f $corpus/metadata/tracks.csv ]] || fail "$corpus must contain audio/ and metadata/tracks.csv"
[[ -z $shape || -f $shape ]] || fail "$shape is not a file; set --shape to a table of track_id,sampling_rate,duration"
[[ -x $bin/preprocess ]] || fail "$bin does not contain preprocess; run cargo build --release, or set --bin"
[[ -x $bin/examples/open_dataset ]] ||
    fail "$bin does not contain examples/open_dataset; run cargo build --release -p shared --example open_dataset"
corpus=$(cd "$corpus" && pwd)
bin=$(cd "$bin" && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$out/scratch
raw=$out/raw.csv
[[ ! -e $scratch ]] || fail "$scratch exists already; delete it if no other run uses it"
mkdir "$scratch"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

now() {
    date +%s.%N
}

seconds_since() {
    awk -v begin="$1" -v end="$(now)" 'BEGIN { printf "%.4f", end - begin }'
}

# best COMMAND...: prints the minimum seconds of the repeats.
best() {
    local begin
    for ((repeat = 1; repeat <= repeats; repeat++)); do
        begin=$(now)
        "$@" > /dev/null 2>> "$scratch/stderr"
        seconds_since "$begin"
        echo
    done | sort -g | head -n 1
}

# build_arguments COLLECTION DATASET: sets `arguments` to those of `preprocess build`.
build_arguments() {
    arguments=(build --source fma --audio "$1/audio" --metadata "$1/metadata/tracks.csv" --out "$2"
        --jobs "$jobs" --quiet)
}

# measured_build: sets `seconds` and `peak`, the peak memory in KiB.
measured_build() {
    local begin pid high_water
    begin=$(now)
    "$bin/preprocess" "${arguments[@]}" > /dev/null &
    pid=$!
    peak=0
    # VmHWM never falls. An increase in the last 20 ms is missed.
    while high_water=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2> /dev/null) && [[ -n $high_water ]]; do
        peak=$high_water
        sleep 0.02
    done
    wait "$pid"
    seconds=$(seconds_since "$begin")
}

# columns NAME,NAME CSV: prints the columns of all rows, separated by tabs.
columns() {
    awk -F , -v names="$1" '
        NR == 1 { wanted = split(names, name, ","); for (at = 1; at <= NF; at++) column[$at] = at; next }
        { for (at = 1; at <= wanted; at++) printf "%s%s", $column[name[at]], at < wanted ? "\t" : "\n" }' "$2"
}

# Clips for the collections: path, rate and samples of each kept clip; path and reason of each dropped one.
build_arguments "$corpus" "$scratch/clips"
"$bin/preprocess" "${arguments[@]}" > /dev/null
columns path,source_rate,samples "$scratch/clips/tracks.csv" > "$scratch/kept"
columns path,reason "$scratch/clips/rejected.csv" > "$scratch/dropped"
stored_rate=$(sed -n 's/.*"sample_rate": *\([0-9]*\).*/\1/p' "$scratch/clips/dataset.json" | head -n 1)
bytes=$(du -sb "$scratch/clips" | cut -f 1)
largest=$(tr , '\n' <<< "$counts" | sort -g | tail -n 1)
needed=$(awk -v bytes="$bytes" -v kept="$(wc -l < "$scratch/kept")" -v count="$largest" \
    'BEGIN { printf "%d", bytes / kept * count * 1.05 / 1048576 }')
rm -rf "$scratch/clips"
free=$(($(df -Pk "$out" | awk 'NR == 2 { print $4 }') / 1024))
[[ $free -gt $needed ]] ||
    fail "$largest tracks need $needed MiB, but $out has $free MiB free; choose another --out, or smaller --counts"

# in_turn N: prints N lines for link_corpus.sh that use the clips in turn.
in_turn() {
    awk -F '\t' -v count="$1" -v audio="$corpus/audio/" '{ path[NR] = $1 }
        END { for (at = 0; at < count; at++) printf "%d\t%s%s\n", at + 1, audio, path[at % NR + 1] }' "$scratch/kept"
}

# Prints lines for all tracks of the real data set: those in its table, and those that do not decode, which are not in
# it.
shaped() {
    awk -v audio="$corpus/audio/" -v stored="$stored_rate" '
        function size(x) { return x < 0 ? -x : x }
        function give(id, file) { printf "%d\t%s%s\n", id, audio, file }
        FILENAME == ARGV[1] {
            split($0, field, "\t")
            clips++; path[clips] = field[1]; rate[clips] = field[2]; seconds[clips] = field[3] / stored
            next
        }
        FILENAME == ARGV[2] {
            split($0, field, "\t")
            if (field[2] ~ /^(too_short|low_decoded_share)$/) short[++shorts] = field[1]
            else broken[++brokens] = field[1]
            next
        }
        FILENAME == ARGV[3] {
            if (/^track_id = /) id = $3
            if (/^fault = "undecodable"/) undecodable[++faults] = id
            next
        }
        FNR == 1 { next }
        {
            split($0, field, ",")
            if (field[3] < 10) { give(field[1], short[++given % shorts + 1]); next }
            # The sample rate counts more than the duration. Equally near clips are used in turn.
            least = 1e18
            for (at = 1; at <= clips; at++) {
                which = (at + FNR) % clips + 1
                off = size(rate[which] - field[2]) * 1e6 + size(seconds[which] - field[3])
                if (off < least - 0.001) { nearest = which; least = off }
            }
            others += rate[nearest] != field[2]
            give(field[1], path[nearest])
        }
        END {
            for (at = 1; at <= faults; at++) give(undecodable[at], broken[at % brokens + 1])
            if (others) print others " tracks have a sample rate that no clip has; using the nearest" > "/dev/stderr"
        }
    ' "$scratch/kept" "$scratch/dropped" "$root/data-manifests/fma_small.toml" "$shape" | sort -n
}

if [[ -n $shape ]]; then
    for reason in 'too_short\|low_decoded_share' 'no_frames\|not_audio\|empty_file'; do
        grep -q "	\($reason\)\$" "$scratch/dropped" ||
            fail "$corpus has no file that a build drops as ${reason//\\|/ or }; --shape needs one"
    done
    shaped > "$scratch/shaped"
fi

split() {
    "$bin/preprocess" split "$scratch/dataset" --strategy "$1" --name "$1-$RANDOM$RANDOM" --quiet
}

header=tracks,kept,dropped,build_seconds,tracks_per_s,peak_mib,bytes,shards,index_bytes
header+=,split_grouped_s,split_stratified_s,open_s,rebuild_s,verify_s,verify_mb_per_s
echo "$header" > "$raw"
# Reads every clip into the page cache, so all collections are measured under the same conditions.
find "$corpus/audio" -name '*.mp3' -exec cat {} + > /dev/null
IFS=, read -ra count_list <<< "$counts"
for count in "${count_list[@]}"; do
    if [[ -n $shape ]]; then
        head -n "$count" "$scratch/shaped" > "$scratch/list"
    else
        in_turn "$count" > "$scratch/list"
    fi
    "$here/link_corpus.sh" "$scratch/corpus" < "$scratch/list"
    sync
    build_arguments "$scratch/corpus" "$scratch/dataset"
    measured_build
    kept=$(($(wc -l < "$scratch/dataset/tracks.csv") - 1))
    dropped=$(($(wc -l < "$scratch/dataset/rejected.csv") - 1))
    size=$(du -sb "$scratch/dataset/shards" | cut -f 1)
    shards=$(find "$scratch/dataset/shards" -name 'waveform-*' | wc -l)
    index=$(cat "$scratch"/dataset/{dataset.json,tracks.csv,rejected.csv} | wc -c)
    rebuild=$(best "$bin/preprocess" "${arguments[@]}")
    grouped=$(best split grouped)
    stratified=$(best split stratified)
    open=$(best "$bin/examples/open_dataset" "$scratch/dataset")
    begin=$(now)
    "$bin/preprocess" verify "$scratch/dataset" --jobs "$jobs" --quiet > /dev/null
    verify=$(seconds_since "$begin")
    awk -v count="$count" -v kept="$kept" -v dropped="$dropped" -v seconds="$seconds" -v peak="$peak" -v size="$size" \
        -v rest="$shards,$index,$grouped,$stratified,$open,$rebuild" -v verify="$verify" 'BEGIN {
            printf "%d,%d,%d,%.2f,%.2f,%.1f,%.0f,%s,%.2f,%.0f\n", count, kept, dropped, seconds, count / seconds,
                peak / 1024, size, rest, verify, size / 1e6 / verify }' | tee -a "$raw"
    rm -rf "$scratch/corpus" "$scratch/dataset"
done

{
    echo "command   scripts/bench/scale.sh, $jobs jobs${shape:+, shape of ${shape##*/}}"
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2> /dev/null | head -n 1)
    echo "machine   $(uname -sm), $(nproc) cores, $model"
    echo
    awk -F , 'NR == 1 {
        printf "%7s %7s %8s %9s %9s %9s %7s %9s %12s %9s %9s %12s\n", "tracks", "kept", "build s", "tracks/s",
            "peak MiB", "size GB", "shards", "grouped s", "stratified s", "open s", "verify s", "verify MB/s"; next }
        { printf "%7d %7d %8.1f %9.1f %9.0f %9.2f %7d %9.3f %12.3f %9.3f %9.2f %12d\n", $1, $2, $4, $5, $6, $7 / 1e9,
            $8, $10, $11, $12, $14, $15 }' "$raw"
} | tee "$out/summary.txt"
