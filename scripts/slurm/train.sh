#!/usr/bin/env bash
# Trains on a Slurm cluster for as long as it takes: before its time is up, the job saves a checkpoint, goes back into
# the queue, and later on to the weights that it would have had without the interruption.
#
#   sbatch [OPTIONS OF sbatch] scripts/slurm/train.sh --run RUN [OPTIONS OF train fit]
#
# for example
#
#   sbatch --gres=gpu:1 --time=4:00:00 --output=crnn-%j.log scripts/slurm/train.sh \
#       --data DATASET --model crnn --run runs/crnn
#
# Where RUN was begun already, it is gone on with. The program is $CRATEDIGGER_BIN/train, else target/release/train of
# the directory in which sbatch was called. A checkpoint is asked for 120 seconds before the end; a step must not take
# longer (`sbatch --signal=B:USR1@600` for ten minutes). A cancelled job saves a checkpoint too and stays cancelled.
# Exit status: that of train.
#SBATCH --job-name=train
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

# The exit status of a train that was told to stop and has saved all it needs to go on.
INTERRUPTED=75

fail() {
    echo "error: $1" >&2
    exit "${2:-1}"
}

run='' resume=no
arguments=("$@")
while [[ $# -gt 0 ]]; do
    case $1 in
        --run) run=${2:-} ;;
        --run=*) run=${1#--run=} ;;
        --resume) resume=yes ;;
    esac
    shift
done
[[ -n $run ]] || fail "name the run's directory: sbatch [OPTIONS] ${0##*/} --run RUN [OPTIONS OF train fit]" 2
train=${CRATEDIGGER_BIN:-${SLURM_SUBMIT_DIR:-.}/target/release}/train
[[ -x $train ]] || fail "$train is no program; set CRATEDIGGER_BIN to the directory that holds train"
if [[ $resume == no && -e $run/config.toml ]]; then
    arguments+=(--resume)
fi

job_state() {
    squeue --noheader --jobs "$SLURM_JOB_ID" --format %T
}

say() {
    echo "$(date +%Y-%m-%dT%H:%M:%S.%3N) $*"
}

# Slurm's USR1 comes to this script alone; its SIGTERM, by which it ends a job, to all of the job's processes. The program
# notes either, however often it comes.
told=''
trap 'told=USR1' USR1
trap 'told=TERM' TERM

# Another shell waits for the program, one that no signal disturbs: bash's `wait` may answer with something else than
# the exit status when a signal comes as the program ends. It writes the program's number, and in the end its exit
# status.
say "train fit ${arguments[*]}, restart ${SLURM_RESTART_COUNT:-0}"
exec {output}>&1
exec {news}< <(
    "$train" fit "${arguments[@]}" >&"$output" &
    trap '' USR1 TERM
    echo "$!"
    status=0
    wait "$!" || status=$?
    echo "$status"
)
read -r child <&"$news"
status=''
while [[ -z $status ]]; do
    # More than 128: a second has passed, or a signal has come.
    read -r -t 1 status <&"$news" || [[ $? -gt 128 ]] || fail "what waited for train was killed"
    if [[ -n $told ]]; then
        kill -s "$told" "$child" 2> /dev/null || true
        told=''
    fi
done
say "train ends with exit status $status"

if [[ $status -eq $INTERRUPTED && -n ${SLURM_JOB_ID:-} ]]; then
    # Slurm ends this script when the job is requeued.
    trap '' USR1 TERM
    case $(job_state) in
        COMPLETING | CANCELLED) echo "job $SLURM_JOB_ID has been ended; submit it again to go on with $run" ;;
        *)
            scontrol requeue "$SLURM_JOB_ID" ||
                fail "job $SLURM_JOB_ID could not be requeued; submit it again to go on with $run" "$INTERRUPTED"
            exit 0
            ;;
    esac
fi
exit "$status"
