#!/usr/bin/env bash
# One task of the job array that build.sh submits:
#
#   part.sh BIN PARTS N ARGUMENTS OF preprocess build...
#
# Task I builds PARTS/part-I of N parts. It logs when it begins and ends, so the log shows which tasks ran at the same
# time and how often each was started.
set -euo pipefail

bin=$1 parts=$2 tasks=$3
shift 3
number=$SLURM_ARRAY_TASK_ID

log() {
    echo "$(date +%Y-%m-%dT%H:%M:%S.%3N) part $number of $tasks $*"
}

log "begins on $(hostname), restart ${SLURM_RESTART_COUNT:-0}"
status=0
"$bin/preprocess" build "$@" --out "$parts/part-$number" --part "$number/$tasks" --jobs "$SLURM_CPUS_PER_TASK" ||
    status=$?
log "ends with exit status $status"
exit "$status"
