#!/usr/bin/env bash
# Trains on a Slurm cluster across time limits: shortly before its limit the job saves a checkpoint, requeues itself and
# continues later. The final weights are the same as without interruption.
#
#   sbatch [OPTIONS OF sbatch] scripts/slurm/train.sh --run RUN [OPTIONS OF train fit]
#   sbatch [OPTIONS OF sbatch] scripts/slurm/train.sh --sweep SWEEP [OPTIONS OF train sweep]
#
# for example
#
#   sbatch --gres=gpu:1 --time=4:00:00 --output=crnn-%j.log scripts/slurm/train.sh \
#       --data DATASET --model crnn --run runs/crnn
#
# An existing RUN or SWEEP is continued. Several jobs may work on one SWEEP; sweep.sh submits them as a job array. The
# program is $CRATEDIGGER_BIN/train, or target/release/train in the directory where sbatch was called. The job saves its
# checkpoint 120 seconds before the time limit, so a training step must be shorter; use `sbatch --signal=B:USR1@600` for
# ten minutes. A cancelled job saves a checkpoint too and stays cancelled. The exit status is that of train.
#SBATCH --job-name=train
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

# The exit status of train after a signal, when it has saved a checkpoint.
INTERRUPTED=75

fail() {
    echo "error: $1" >&2
    exit "${2:-1}"
}

run='' sweep='' resume=no
arguments=("$@")
while [[ $# -gt 0 ]]; do
    case $1 in
        --run) run=${2:-} ;;
        --run=*) run=${1#--run=} ;;
        --sweep) sweep=${2:-} ;;
        --sweep=*) sweep=${1#--sweep=} ;;
        --resume) resume=yes ;;
    esac
    shift
done
[[ -n $run || -n $sweep ]] ||
    fail "--run is missing; use sbatch [OPTIONS] ${0##*/} --run RUN [OPTIONS OF train fit], or --sweep SWEEP" 2
train=${CRATEDIGGER_BIN:-${SLURM_SUBMIT_DIR:-.}/target/release}/train
[[ -x $train ]] || fail "$train does not exist or is not executable; set CRATEDIGGER_BIN to the directory that contains train"
if [[ -n $sweep ]]; then
    command=sweep
else
    command=fit
    if [[ $resume == no && -e $run/config.toml ]]; then
        arguments+=(--resume)
    fi
fi
# The id of one task of an array may be that of the whole array.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID:-}}
job=${job:-${SLURM_JOB_ID:-}}

job_state() {
    squeue --noheader --jobs "$job" --format %T
}

log() {
    echo "$(date +%Y-%m-%dT%H:%M:%S.%3N) $*"
}

# Slurm sends USR1 only to this script, but SIGTERM, which ends a job, to all processes of the job. The program accepts
# repeated signals.
received=''
trap 'received=USR1' USR1
trap 'received=TERM' TERM

# A second shell that ignores signals waits for the program, because bash's `wait` may not return the exit status if a
# signal arrives as the program ends. It writes the process id and then the exit status of the program.
log "train $command ${arguments[*]}, restart ${SLURM_RESTART_COUNT:-0}"
exec {output}>&1
exec {messages}< <(
    "$train" "$command" "${arguments[@]}" >&"$output" &
    trap '' USR1 TERM
    echo "$!"
    status=0
    wait "$!" || status=$?
    echo "$status"
)
read -r child <&"$messages"
status=''
while [[ -z $status ]]; do
    # A status above 128 means that a second has passed or a signal has arrived.
    read -r -t 1 status <&"$messages" || [[ $? -gt 128 ]] || fail "the shell that waited for train was killed"
    if [[ -n $received ]]; then
        kill -s "$received" "$child" 2> /dev/null || true
        received=''
    fi
done
log "train ends with exit status $status"

if [[ $status -eq $INTERRUPTED && -n $job ]]; then
    # Slurm ends this script when the job is requeued.
    trap '' USR1 TERM
    case $(job_state) in
        COMPLETING | CANCELLED) echo "job $job was cancelled; submit it again to continue ${sweep:-$run}" ;;
        *)
            scontrol requeue "$job" ||
                fail "could not requeue job $job; submit it again to continue ${sweep:-$run}" "$INTERRUPTED"
            exit 0
            ;;
    esac
fi
exit "$status"
