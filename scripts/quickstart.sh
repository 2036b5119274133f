#!/usr/bin/env bash
# Trains and evaluates a genre classifier on synthetic music, on the CPU: scripts/quickstart.sh [DIR]
#
# Makes a corpus of synthetic music, builds a data set, splits it by artist, trains a CRNN and evaluates it. If
# interrupted, run it again: finished steps are skipped. Exits with status 1 if the macro F1 on the test set is not
# above 0.9.
set -euo pipefail

TRACKS_PER_GENRE=30
EPOCHS=8
BATCH_SIZE=8
MIN_F1=0.9

if [[ $# -gt 1 || ${1:-} == -* ]]; then
    echo "usage: ${0##*/} [DIR]    (default: target/quickstart)" >&2
    exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:-$root/target/quickstart}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$root"

step() {
    printf '\n== %s (after %d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60))
}

# Prints `test.macro_f1` of a metrics.json.
test_macro_f1() {
    awk '/^  "test": \{/ { inside = 1 }
         inside && $1 == "\"macro_f1\":" { sub(/,$/, "", $2); print $2; exit }' "$1"
}

step "Compiling"
cargo build --release --workspace --bins
bin=${CARGO_TARGET_DIR:-target}/release
SECONDS=0

step "Making music: 8 genres, $TRACKS_PER_GENRE tracks each, some of them damaged"
if [[ -d $out/corpus ]]; then
    echo "$out/corpus exists already"
else
    "$bin/make-corpus" --out "$out/corpus" --tracks-per-genre "$TRACKS_PER_GENRE"
fi

step "Building the data set"
"$bin/preprocess" build --source fma --audio "$out/corpus/audio" --metadata "$out/corpus/metadata/tracks.csv" \
    --out "$out/dataset"

track=$(sed -n '2s/,.*//p' "$out/dataset/tracks.csv")
"$bin/preprocess" inspect "$out/dataset" --track "$track" --png "$out/track-$track.png"

step "Splitting by artist"
"$bin/preprocess" split "$out/dataset" --name quickstart --strategy grouped --ratios 70,15,15
"$bin/preprocess" inspect "$out/dataset" --html "$out/dataset.html"

step "Training"
if [[ -e $out/run/config.toml ]]; then
    "$bin/train" fit --run "$out/run" --resume --device cpu
else
    "$bin/train" fit --data "$out/dataset" --split quickstart --model crnn --run "$out/run" --device cpu \
        --epochs "$EPOCHS" --batch-size "$BATCH_SIZE" --augment none
fi

step "Evaluating"
"$bin/train" eval --run "$out/run" --set test --device cpu

f1=$(test_macro_f1 "$out/run/metrics.json")
step "Classifying a file"
"$bin/train" predict --run "$out/run" --device cpu \
    "$(printf '%s/corpus/audio/%03d/%06d.mp3' "$out" "$((track / 1000))" "$track")"

step "Done"
echo "report            $out/run/report.html"
echo "data set          $out/dataset.html"
echo "track             $out/track-$track.png"
echo "metrics           $out/run/metrics.json"
if [[ -z $f1 ]]; then
    echo "error: $out/run/metrics.json has no macro F1 of the test set; delete $out/run and run this script again" >&2
    exit 1
fi
if ! awk -v f1="$f1" -v min="$MIN_F1" 'BEGIN { exit !(f1 > min) }'; then
    echo "error: macro F1 on the test set is $f1, but should be above $MIN_F1" >&2
    exit 1
fi
echo "macro F1 on the test set: $f1"
