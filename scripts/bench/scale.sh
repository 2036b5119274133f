#!/usr/bin/env bash
# Does cost grow with the number of tracks and no faster? Builds, splits, opens and verifies collections of 100, 1,000
# and 8,000 tracks, made of the clips of a small one by hard links under new ids:
#
#   scripts/bench/scale.sh CORPUS [--out DIR] [--bin DIR] [--counts N,..] [--jobs N] [--repeats N]
#                          [--shape audio_info.csv]
#
# CORPUS has audio/ and metadata/tracks.csv in FMA's shape; its clips that a build keeps are taken in turn. With
# --shape, a table `track_id,sampling_rate,duration` of a real set's decodable tracks, collections have the first N of
# that set's tracks: each a clip of its rate, or the nearest rate, and of the nearest duration; tracks that are too
# short get a file that is dropped as too short, and those that are known not to decode (fma_small.toml) one that is
# dropped as damaged. DIR (default: target/bench/scale) gets raw.csv and summary.txt and holds one data set at a time,
# of 3 MB for each clip of 30 seconds: 24 GB for 8,000. It has to be on CORPUS's file system. Programs are taken from
# --bin (target/release), which `cargo build --release -p preprocess` and `cargo build --release -p shared --example
# open_dataset` fill.
#
# Seconds are wall clock with the program's start: one build, and the best of the repeats (default 5) of `split`
# (grouped by artist, and stratified), of opening, as every training does it, and of listing the tracks, which a
# finished build called again does. Memory is a build's peak. `verify` reads every byte once, out of the page cache
# where it fits.
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
[[ -d $corpus/audio && -f $corpus/metadata/tracks.csv ]] || fail "$corpus has no audio/ or no metadata/tracks.csv"
[[ -z $shape || -f $shape ]] || fail "$shape is no file; --shape names a table of track_id,sampling_rate,duration"
[[ -x $bin/preprocess ]] || fail "$bin has no preprocess; compile it with cargo build --release, or name another --bin"
[[ -x $bin/examples/open_dataset ]] ||
    fail "$bin has no examples/open_dataset; compile it with cargo build --release -p shared --example open_dataset"
corpus=$(cd "$corpus" && pwd)
bin=$(cd "$bin" && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
scratch=$out/scratch
raw=$out/raw.csv
[[ ! -e $scratch ]] || fail "$scratch is there already; another run uses it, or delete it"
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

# best COMMAND...: the shortest of the repeats, in seconds.
best() {
    local begin
    for ((repeat = 1; repeat <= repeats; repeat++)); do
        begin=$(now)
        "$@" > /dev/null 2>> "$scratch/stderr"
        seconds_since "$begin"
        echo
    done | sort -g | head -n 1
}

# build_arguments COLLECTION DATASET: sets `arguments`, those of preprocess.
build_arguments() {
    arguments=(build --source fma --audio "$1/audio" --metadata "$1/metadata/tracks.csv" --out "$2"
        --jobs "$jobs" --quiet)
}

# measured_build: sets `seconds`, and `peak`, the kibibytes that the process has had at most.
measured_build() {
    local begin pid mark
    begin=$(now)
    "$bin/preprocess" "${arguments[@]}" > /dev/null &
    pid=$!
    peak=0
    # The mark only rises; what the last hundredths of a second add is not seen.
    while mark=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status" 2> /dev/null) && [[ -n $mark ]]; do
        peak=$mark
        sleep 0.02
    done
    wait "$pid"
    seconds=$(seconds_since "$begin")
}

# columns NAME,NAME CSV: of all rows, with tabs between.
columns() {
    awk -F , -v names="$1" '
        NR == 1 { wanted = split(names, name, ","); for (at = 1; at <= NF; at++) column[$at] = at; next }
        { for (at = 1; at <= wanted; at++) printf "%s%s", $column[name[at]], at < wanted ? "\t" : "\n" }' "$2"
}

# Clips that stand for tracks: path, rate and seconds of each that is kept; a short one and one that does not decode.
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
    fail "$largest tracks take $needed MiB, and $out has $free MiB free; name another --out, or fewer with --counts"

# A line for each track, as link_corpus.sh reads them: N of them with clips in turn.
in_turn() {
    awk -F '\t' -v count="$1" -v audio="$corpus/audio/" '{ path[NR] = $1 }
        END { for (at = 0; at < count; at++) printf "%d\t%s%s\n", at + 1, audio, path[at % NR + 1] }' "$scratch/kept"
}

# The whole real set: its table's tracks, and those that are not in the table since they do not decode.
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
            # The rate counts first; of clips that are as near, not always the same one.
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
            if (others) print others " tracks are of a rate that no clip has, and get the nearest" > "/dev/stderr"
        }
    ' "$scratch/kept" "$scratch/dropped" "$root/data-manifests/fma_small.toml" "$shape" | sort -n
}

if [[ -n $shape ]]; then
    for reason in 'too_short\|low_decoded_share' 'no_frames\|not_audio\|empty_file'; do
        grep -q "	\($reason\)\$" "$scratch/dropped" ||
            fail "no file of $corpus is dropped as ${reason//\\|/ or }; --shape needs one to stand for such tracks"
    done
    shaped > "$scratch/shaped"
fi

split() {
    "$bin/preprocess" split "$scratch/dataset" --strategy "$1" --name "$1-$RANDOM$RANDOM" --quiet
}

header=tracks,kept,dropped,build_seconds,tracks_per_s,peak_mib,bytes,shards,index_bytes
header+=,split_grouped_s,split_stratified_s,open_s,rebuild_s,verify_s,verify_mb_per_s
echo "$header" > "$raw"
# Every clip into the page cache, for all collections alike.
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
