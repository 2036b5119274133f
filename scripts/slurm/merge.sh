#!/usr/bin/env bash
# The job that build.sh submits behind its array:
#
#   merge.sh BIN PARTS N OUT REMOVE
#
# makes the data set OUT of PARTS/part-1 to part-N, which are removed if REMOVE is `yes` and the merge has succeeded.
set -euo pipefail

bin=$1 parts=$2 tasks=$3 out=$4 remove=$5
paths=()
for ((number = 1; number <= tasks; number++)); do
    paths+=("$parts/part-$number")
done

"$bin/preprocess" merge "$out" "${paths[@]}"
if [[ $remove == yes ]]; then
    rm -rf "${paths[@]}"
    # Others' files stay, and the directory with them.
    rmdir "$parts" 2> /dev/null || echo "$parts holds something else and stays"
fi
