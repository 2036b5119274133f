#!/usr/bin/env bash
# One task of the array that build.sh submits:
#
#   part.sh BIN PARTS N ARGUMENTS OF preprocess build...
#
# builds PARTS/part-I, where I of N is the task's number. What it says begins and ends with the time, so that the log
# tells which tasks ran at once and how often each was begun.
set -euo pipefail

bin=$1 parts=$2 tasks=$3
shift 3
number=$SLURM_ARRAY_TASK_ID

# say WORDS...
say() {
    echo "$(date +%Y-%m-%dT%H:%M:%S.%3N) part $number of $tasks $*"
}

say "begins on $(hostname), restart ${SLURM_RESTART_COUNT:-0}"
status=0
"$bin/preprocess" build "$@" --out "$parts/part-$number" --part "$number/$tasks" --jobs "$SLURM_CPUS_PER_TASK" ||
    status=$?
say "ends with exit status $status"
exit "$status"
