#!/usr/bin/env bash
# Checks Cratedigger on the real FMA small: builds the data set, compares it with known facts about it, trains the four
# models of paper 1 on the official and on a random split, and compares their metrics with the published ones.
#
#   scripts/acceptance.sh FMA_DIR [--models LIST] [--epochs N] [--device D] [--seed N] [--out DIR]
#
# FMA_DIR contains fma_small/ and fma_metadata/tracks.csv, as scripts/fetch_fma.sh makes it, or audio/ and
# metadata/tracks.csv, as make-corpus makes it. LIST is a comma-separated list of cnn1d, cnn2d, crnn and mm-crnn; the
# default is all four. The default of --out is target/acceptance. Each step is skipped if it is finished, so an
# interrupted script can be run again.
#
# If the variable CRATEDIGGER_REFERENCE names a directory with paper1_normalization.json, the normalization of the random
# split is compared with that of the authors' training set.
#
# Prints and writes OUT/acceptance.md. Exits with status 1 if a check of the data set fails or a metric is below the
# published one, with status 2 if an argument is wrong.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/papers/steps.sh"

MANIFEST=$root/data-manifests/fma_small.toml
RESAMPLES=1000
# Bands and samples of two random training sets differ by less than this.
MAX_MEL_DB=1.0
MAX_STD_SHARE=0.03

[[ $# -ge 1 && $1 != -* ]] || usage
fma=$1
shift
[[ -d $fma ]] || usage_error "$fma is not a directory"
if [[ -d $fma/fma_small ]]; then
    audio=$fma/fma_small metadata=$fma/fma_metadata/tracks.csv
else
    audio=$fma/audio metadata=$fma/metadata/tracks.csv
fi
[[ -d $audio ]] || usage_error "$fma has neither fma_small/ nor audio/; scripts/fetch_fma.sh DIR downloads FMA small"
paper=multimodal layout=fma preset=fma_small
models=cnn1d,cnn2d,crnn,mm-crnn
out=$root/target/acceptance
parse_arguments "$@"
compile

build_dataset 0 0
step "Counting tracks"
keep inspect.json "$out/dataset/dataset.json" "$bin/preprocess" inspect "$out/dataset" --json > /dev/null
keep duplicates.json "$out/dataset/dataset.json" "$bin/preprocess" inspect "$out/dataset" --duplicates --json \
    > /dev/null
for file in inspect duplicates; do
    awk -f scripts/papers/json.awk "$out/metrics/$file.json" > "$out/metrics/$file.tsv"
done

# Lines of the two tables, and the number of lines that fail.
checks=$out/metrics/checks.tsv results=$out/metrics/results.tsv
: > "$checks"
: > "$results"

# fact NAME FILE: prints the value of a path in a JSON file of inspect; 0 if it is missing.
fact() {
    awk -F '\t' -v path="$1" '$1 == path { print $2; found = 1; exit } END { if (!found) print 0 }' "$out/metrics/$2.tsv"
}

# check WHAT EXPECTED FOUND [VERDICT IF IT DIFFERS]
check() {
    local verdict='as expected'
    [[ $2 == "$3" ]] || verdict="differs: ${4:-$3 instead of $2}"
    printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$verdict" >> "$checks"
}

# with_commas N: 7,994
with_commas() {
    sed -e ':again' -e 's/^\([0-9]*[0-9]\)\([0-9]\{3\}\)/\1,\2/' -e 't again' <<< "$1"
}

# The ids under [[bad]] in the manifest.
bad_ids=$(awk -F ' = ' '$1 == "track_id" { print $2 }' "$MANIFEST" | sort -n | paste -sd ' ' -)
expected() {
    awk -F ' = ' -v key="$1" '$1 == key { print $2; exit }' "$MANIFEST"
}

kept=$(fact kept inspect)
check "tracks kept" "$(with_commas "$(expected kept)")" "$(with_commas "$kept")" \
    "$(with_commas "$kept") kept instead of $(with_commas "$(expected kept)")"
rejected=$(cut -d , -f 1 "$out/dataset/rejected.csv" | sed 1d | sort -n | paste -sd ' ' -)
check "tracks dropped" "$bad_ids" "$rejected"
check "tracks with the same samples as another" "$(expected duplicate_pairs)" "$(fact flags.duplicate inspect)"
silent=$(awk -F , '
    NR == 1 { for (at = 1; at <= NF; at++) if ($at == "flags") flags = at; next }
    $flags ~ /near_silent/ { print $1 }' "$out/dataset/tracks.csv" | sort -n | paste -sd , - | sed 's/,/, /g')
check "nearly silent tracks" "$(expected near_silent | tr -d '[]')" "${silent:-none}"
# Of 7,997 files that can be opened, 7,572 have 44,100 Hz. Three of them are too short to be kept.
check "tracks with 44,100 Hz" 7,569 "$(with_commas "$(fact files.rates.44100 inspect)")"
check "tracks with 48,000 Hz" 411 "$(fact files.rates.48000 inspect)"
check "tracks with 22,050 Hz" 14 "$(fact files.rates.22050 inspect)"
groups=$(($(fact tracks duplicates) - $(fact recordings duplicates)))
printf 'tracks that repeat another recording\t\t%s\tnot known\n' "$groups" >> "$checks"

# compare_normalization FILE: compares the random split's normalization with the authors'.
compare_normalization() {
    local ours=$out/dataset/splits/random/normalization.json
    awk -f scripts/papers/json.awk "$1" > "$out/metrics/theirs.tsv"
    awk -f scripts/papers/json.awk "$ours" > "$out/metrics/ours.tsv"
    awk -F '\t' -v max_db="$MAX_MEL_DB" -v max_share="$MAX_STD_SHARE" '
        function size(x) { return x < 0 ? -x : x }
        function line(what, expected, found, agrees) {
            printf "%s\t%s\t%s\t%s\n", what, expected, found, agrees ? "as expected" : "differs: " found
        }
        NR == FNR { theirs[$1] = $2; next }
        { ours[$1] = $2 }
        END {
            for (band = 0; ("mel_mean." band) in theirs; band++) {
                bands += ("mel_mean." band) in ours
                mean = size(ours["mel_mean." band] - theirs["mel_mean." band])
                std = size(ours["mel_std." band] / theirs["mel_std." band] - 1)
                if (mean > worst_mean) worst_mean = mean
                if (std > worst_std) worst_std = std
            }
            if (!band || bands != band) {
                printf "mel bands of the normalization\t%d\t%d\tdiffers: %d instead of %d\n", band, bands, bands, band
                exit
            }
            share = size(ours["waveform_std"] / theirs["waveform_std"] - 1)
            line("standard deviation of the samples, compared with paper 1", "within " 100 * max_share " %", \
                sprintf("%.2f %% away", 100 * share), share <= max_share)
            line("mean of each mel band, compared with paper 1", "within " max_db " dB", \
                sprintf("up to %.2f dB away", worst_mean), worst_mean <= max_db)
            line("standard deviation of each mel band, compared with paper 1", "within " 100 * max_share " %", \
                sprintf("up to %.1f %% away", 100 * worst_std), worst_std <= max_share)
        }' "$out/metrics/theirs.tsv" "$out/metrics/ours.tsv" >> "$checks"
}

split_dataset dataset official '' official
split_dataset dataset random 80,10,10 random
if [[ -n ${CRATEDIGGER_REFERENCE:-} && -f $CRATEDIGGER_REFERENCE/paper1_normalization.json ]]; then
    compare_normalization "$CRATEDIGGER_REFERENCE/paper1_normalization.json"
fi

# verdict SPLIT MODEL: compares the metrics of a run with the published ones, a line per metric.
verdict() {
    local run=$out/runs/$2-$1
    awk -F , -v resamples="$RESAMPLES" -f scripts/papers/intervals.awk "$out/dataset/tracks.csv" "$run/predictions.csv" \
        > "$out/metrics/$2-$1.tsv"
    awk -v model="$2" -v split_name="$1" -v known="$(expected top1)" '
        function compare(metric, text, least, most,    verdict) {
            if (!(metric in value)) return
            verdict = most < low[metric] ? "above" : least > high[metric] ? "below" : "inside the interval"
            printf "%s\t%s\t%s\t%s\t%s\t%s to %s\t%s\n", split_name, model, metric, text, value[metric], low[metric], \
                high[metric], verdict
            compared[metric] = 1
        }
        NR == FNR {
            split($0, cell, "\t")
            value[cell[1]] = sprintf("%.3f", cell[2])
            low[cell[1]] = sprintf("%.3f", cell[3])
            high[cell[1]] = sprintf("%.3f", cell[4])
            next
        }
        /^#/ { next }
        {
            split($0, cell, ",")
            of_paper = cell[1] == "multimodal" && cell[2] == model && cell[5] == "fma_small"
            if (of_paper && cell[6] == split_name && cell[7] == "") {
                # Published values are rounded to two decimals.
                compare(cell[3], cell[4], cell[4] - 0.005, cell[4] + 0.005)
            }
        }
        END {
            gsub(/[][ ]/, "", known)
            if (split_name == "official" && split(known, ends, ",") == 2) {
                compare("top1", ends[1] " to " ends[2] " (models from scratch)", ends[1], ends[2])
            }
            if (!("top1" in compared)) {
                printf "%s\t%s\ttop1\t–\t%s\t%s to %s\tnot published\n", split_name, model, value["top1"], low["top1"], \
                    high["top1"]
            }
        }' "$out/metrics/$2-$1.tsv" scripts/papers/published.csv >> "$results"
}

for split in official random; do
    for model in ${models//,/ }; do
        fit_and_eval "$model-$split" dataset "$model"
        verdict "$split" "$model"
    done
done

step "Done"
{
    printf '# Acceptance on FMA small\n\n| the data set | expected | found | verdict |\n|---|---:|---:|---|\n'
    awk -F '\t' '{ printf "| %s | %s | %s | %s |\n", $1, $2, $3, $4 }' "$checks"
    printf '\n| split | model | metric | published | ours | 95 %% interval | ours is |\n|---|---|---|---:|---:|---:|---|\n'
    awk -F '\t' '{ printf "| %s | %s | %s | %s | %s | %s | %s |\n", $1, $2, $3, $4, $5, $6, $7 }' "$results"
    # shellcheck disable=SC2016
    printf '\n"inside the interval": the published value is in our interval. Intervals are bootstraps over the artists of\n'
    printf 'the test set. The paper does not give one for its own values. Epochs per run: %s.\n' "${epochs:-as in the paper}"
} > "$out/acceptance.md.part"
mv "$out/acceptance.md.part" "$out/acceptance.md"
cat "$out/acceptance.md"
failed=$(cat "$checks" "$results" | awk -F '\t' '$NF ~ /^(differs|below)/' | wc -l)
lines=$(cat "$checks" "$results" | wc -l)
printf '\n%d of %d lines differ or are below. Table: %s\n' "$failed" "$lines" "$out/acceptance.md"
[[ $failed -eq 0 ]]
