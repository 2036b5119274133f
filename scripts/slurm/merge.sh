#!/usr/bin/env bash
# The job that build.sh submits to run after its job array:
#
#   merge.sh BIN PARTS N OUT REMOVE
#
# Merges PARTS/part-1 to PARTS/part-N into the data set OUT, and then deletes the parts if REMOVE is `yes`.
set -euo pipefail

bin=$1 parts=$2 tasks=$3 out=$4 remove=$5
paths=()
for ((number = 1; number <= tasks; number++)); do
    paths+=("$parts/part-$number")
done

"$bin/preprocess" merge "$out" "${paths[@]}"
if [[ $remove == yes ]]; then
    rm -rf "${paths[@]}"
    # Keeps the directory if it contains other files.
    rmdir "$parts" 2> /dev/null || echo "$parts was not deleted: it contains other files"
fi
