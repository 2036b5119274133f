#!/usr/bin/env bash
# Tests the scripts in this directory on a one-node Slurm cluster that it starts on this machine:
#
#   scripts/slurm/test.sh [--bin DIR] [--keep]
#
# DIR contains the programs (default: target/release). Music is synthetic. A build is run without interruption, one is
# requeued halfway, and one is killed and submitted again. One training run gets signals, one reaches its time limit,
# and one is cancelled and submitted again. Two tasks share a sweep; one is requeued and one loses its program. Each must
# give the same bytes as an uninterrupted one without Slurm. Prints a table, and exits with status 1 if a result differs.
# Takes about six minutes and 2 GB in $TMPDIR (default: /tmp).
#
# Needs Debian's slurm-wlm and munge; runs as root or any other user. The cluster uses its own directory and listens
# only on 127.0.0.1. It is stopped at the end, and the directory is deleted without --keep. An existing cluster is not
# touched.
set -euo pipefail

TRACKS_PER_GENRE=16
# Copies of each file in the collection, so parts have more than one shard of 512 tracks.
COPIES=24
TASKS=3
# Seconds of training without interruption. Slurm checks time limits every 30 seconds and sends its warning up to a
# minute early.
TRAINING_SECONDS=50
BUILD_SETTINGS=(--sample-rate 22050 --clip-samples 24576)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$here/../../target/release keep=no
while [[ $# -gt 0 ]]; do
    case $1 in
        --bin)
            [[ $# -ge 2 ]] || { echo "error: --bin needs a directory" >&2; exit 2; }
            bin=$2
            shift 2
            ;;
        --keep)
            keep=yes
            shift
            ;;
        *)
            awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}" >&2
            exit 2
            ;;
    esac
done

fail() {
    echo "error: $1" >&2
    exit 1
}

PATH=$PATH:/usr/local/sbin:/usr/sbin
for program in munged slurmctld slurmd sbatch squeue scontrol scancel sinfo; do
    command -v "$program" > /dev/null || fail "$program is missing; on Debian: apt-get install -y slurm-wlm munge"
done
for program in make-corpus preprocess train; do
    [[ -x $bin/$program ]] ||
        fail "$bin does not contain $program; run cargo build --release --workspace --bins, or set --bin"
done
bin=$(cd "$bin" && pwd)
host=$(hostname -s)

# munged refuses a directory that others can write to and a socket that others cannot reach.
umask 022
scratch=$(mktemp -d)
chmod 711 "$scratch"
daemons=()
results=()
export SLURM_CONF=$scratch/slurm.conf
export CRATEDIGGER_BIN=$bin

tear_down() {
    trap '' INT TERM
    if [[ ${#daemons[@]} -eq 3 ]]; then
        scancel --user "$(id -un)" 2> /dev/null || true
        for ((tries = 0; tries < 100; tries++)); do
            [[ -n $(squeue --noheader 2> /dev/null) ]] || break
            sleep 0.2
        done
    fi
    for ((at = ${#daemons[@]} - 1; at >= 0; at--)); do
        kill "${daemons[at]}" 2> /dev/null || true
        wait "${daemons[at]}" 2> /dev/null || true
    done
    if [[ $keep == yes ]]; then
        echo "the files are in $scratch"
    else
        rm -rf "$scratch"
    fi
}
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
    printf '== %s (after %d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60))
}

# wait_for SECONDS WHAT COMMAND...: waits until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if ((SECONDS > end)); then
            echo "timeout while waiting for $what" >&2
            return 1
        fi
        sleep 0.02
    done
}

# result WHAT SEEN COMMAND...: adds a row to the table; its verdict is `ok` if the command succeeds.
result() {
    local what=$1 seen=$2 verdict=ok
    shift 2
    "$@" > "$scratch/difference" 2>&1 || verdict=DIFFERS
    if [[ $verdict == DIFFERS ]]; then
        head -n 5 "$scratch/difference" >&2
    fi
    results+=("$verdict|$what|$seen")
    printf '%-8s %s: %s\n' "$verdict" "$what" "$seen"
}

# Prints a free port of 127.0.0.1.
free_port() {
    local port
    for ((tries = 0; tries < 100; tries++)); do
        port=$((20000 + RANDOM % 10000))
        if ! (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
            echo "$port"
            return
        fi
    done
    fail "found no free port on 127.0.0.1"
}

# start NAME COMMAND...: starts a daemon.
start() {
    local name=$1
    shift
    # In its own session, so Ctrl-C ends only this script, which then stops the daemon.
    setsid "$@" > "$scratch/log/$name.out" 2>&1 &
    daemons+=($!)
}

is_idle() {
    [[ $(timeout 5 sinfo --noheader --format %T 2> /dev/null) == idle ]]
}

start_cluster() {
    mkdir -p "$scratch"/{munge,state,spool,log}
    head -c 1024 /dev/urandom > "$scratch/munge/key"
    chmod 600 "$scratch/munge/key"
    # Always four CPUs, so all tasks of an array run at once. A requeued job starts again when its credential expires;
    # five seconds instead of two minutes.
    cat > "$SLURM_CONF" << CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$scratch/munge/socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/log/slurmctld.log
SlurmdLogFile=$scratch/log/slurmd.log
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
KillWait=10
MinJobAge=3600
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    start munged munged --foreground --key-file="$scratch/munge/key" --socket="$scratch/munge/socket" \
        --pid-file="$scratch/munge/pid" --log-file="$scratch/munge/log" --seed-file="$scratch/munge/seed"
    wait_for 20 "munged" test -S "$scratch/munge/socket" || fail "munged did not start: $(tail -n 3 "$scratch/log/munged.out")"
    start slurmctld slurmctld -D
    start slurmd slurmd -D
    wait_for 60 "the node" is_idle ||
        fail "the cluster did not start: $(grep -h error "$scratch"/log/slurm*.out | tail -n 3)"
}

# state JOB: prints the Slurm state of a job, such as COMPLETED. JOB of a task is ARRAY_TASK.
state() {
    scontrol --oneliner show job "$1" 2> /dev/null | sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p' | head -n 1
}

is_gone() {
    [[ -z $(squeue --noheader --jobs "$1" 2> /dev/null) ]]
}

# build NAME OPTIONS...: submits the build and sets `array` and `merge`.
build() {
    local name=$1 answer
    shift
    answer=$("$here/build.sh" --source fma --audio "$scratch/corpus/audio" \
        --metadata "$scratch/corpus/metadata/tracks.csv" --out "$scratch/$name" --tasks "$TASKS" --cpus 1 --bin "$bin" "$@" -- "${BUILD_SETTINGS[@]}")
    array=$(sed -n 's/^parts //p' <<< "$answer")
    merge=$(sed -n 's/^merge //p' <<< "$answer")
}

# kill_program NAME JOB: kills the program with SIGKILL, as the kernel does when memory runs out.
kill_program() {
    local number pid
    number=$(squeue --noheader --jobs "$2" --format %A)
    # A parent before its children.
    for pid in $(scontrol listpids "$number" | awk '$1 ~ /^[0-9]+$/ { print $1 }' | sort -n); do
        if [[ $(cat "/proc/$pid/comm" 2> /dev/null) == "$1" ]]; then
            kill -KILL "$pid"
        fi
    done
}

# is_half_built PART: some of its shards are finished, but not all.
is_half_built() {
    [[ -e $1/.build/shard-00000.json && ! -e $1/dataset.json ]]
}

# Maximum number of tasks that ran at the same time, from the times in their logs.
max_concurrent() {
    awk '$2 == "part" && $6 == "begins" { print $1, 1 } $2 == "part" && $6 == "ends" { print $1, -1 }' "$1"/part-*.log |
        sort | awk '{ now += $2; if (now > max) max = now } END { print max + 0 }'
}

# count PATTERN FILE: prints the number of matching lines.
count() {
    grep -c -- "$1" "$2" || true
}

# The log line of a task about tracks that an earlier, interrupted attempt had finished.
earlier_work() {
    sed -n 's/.*; \(.* earlier run\)$/\1/p' "$1" | tail -n 1
}

# finish_build NAME: waits for the merge and prints the logs if it failed.
finish_build() {
    wait_for 300 "job $merge" is_gone "$merge" || true
    [[ $(state "$merge") == COMPLETED ]] || tail -n 5 "$scratch/$1.logs"/*.log >&2
}

# fit_arguments RUN
fit_arguments() {
    printf '%s\n' --run "$1" --data "$scratch/single" --split test --model cnn1d --device cpu --epochs "$epochs" \
        --batch-size 16 --augment none --patience 0
}

# train_job RUN OPTIONS OF sbatch...: submits a training job and prints its id.
train_job() {
    local run=$1 arguments
    shift
    mapfile -t arguments < <(fit_arguments "$run")
    sbatch --parsable --cpus-per-task=1 --output="$run.log" "$@" "$here/train.sh" "${arguments[@]}"
}

# sweep_arguments: those of the sweep, except its directory.
sweep_arguments() {
    printf '%s\n' --data "$scratch/single" --split test --model cnn1d --device cpu --batch-size 16 --augment none \
        --patience 0 --monitor loss --epochs "$((4 * (epochs / 8 + 1)))" --halving 2 --grid lr=0.01,0.003,0.001,0.0001
}

# sweep_job: submits the sweep with two tasks and prints its id.
sweep_job() {
    local arguments
    mapfile -t arguments < <(sweep_arguments)
    "$here/sweep.sh" --sweep "$scratch/shared" --tasks 2 --cpus 1 --bin "$bin" -- "${arguments[@]}" | sed -n 's/^sweep //p'
}

# same_sweep: compares its table, except the times, and the weights of all trials, with the sweep of one process.
same_sweep() {
    diff <(without_seconds "$scratch/alone") <(without_seconds "$scratch/shared") || return 1
    for trial in 0000 0001 0002 0003; do
        cmp "$scratch/alone/trials/$trial/best.safetensors" "$scratch/shared/trials/$trial/best.safetensors" || return 1
    done
}

without_seconds() {
    awk -F , 'NR == 1 { for (at = 1; at <= NF; at++) if ($at == "seconds") column = at } { $column = ""; print }' "$1/sweep.csv"
}

# has_epochs RUN N: at least N epochs are finished.
has_epochs() {
    [[ -e $1/history.csv && $(wc -l < "$1/history.csv") -gt $2 ]]
}

# same_training RUN: compares its weights, and losses and metrics of every epoch, with the uninterrupted run.
same_training() {
    cmp "$scratch/uninterrupted/best.safetensors" "$1/best.safetensors" &&
        diff <(losses "$scratch/uninterrupted") <(losses "$1")
}

losses() {
    awk -F , 'NR == 1 { for (at = 1; at <= NF; at++) if ($at ~ /loss|f1|top1/) keep[at] }
        { line = ""; for (at = 1; at <= NF; at++) if (at in keep) line = line "," $at; print line }' "$1/history.csv"
}

step "Making music"
"$bin/make-corpus" --out "$scratch/music" --tracks-per-genre "$TRACKS_PER_GENRE" --seconds 1.5
find "$scratch/music/audio" -name '*.mp3' | sort | awk -v copies="$COPIES" '{ file[NR] = $0 }
    END { for (copy = 0; copy < copies; copy++) for (at = 1; at <= NR; at++) printf "%d\t%s\n", 3 * ++id, file[at] }' |
    "$here/../bench/link_corpus.sh" "$scratch/corpus"

step "Building and training without Slurm"
"$bin/preprocess" build --source fma --audio "$scratch/corpus/audio" --metadata "$scratch/corpus/metadata/tracks.csv" \
    --out "$scratch/single" --quiet "${BUILD_SETTINGS[@]}" > /dev/null
cp -r "$scratch/single" "$scratch/without_split"
"$bin/preprocess" split "$scratch/single" --name test --strategy random --quiet > /dev/null
epochs=1
mapfile -t arguments < <(fit_arguments "$scratch/trial")
"$bin/train" fit --quiet "${arguments[@]}" > /dev/null
epochs=$(awk -F , -v wanted="$TRAINING_SECONDS" '
    NR == 1 { for (at = 1; at <= NF; at++) if ($at == "seconds") column = at }
    NR == 2 { print int(wanted / $column) + 3 }' "$scratch/trial/history.csv")
mapfile -t arguments < <(fit_arguments "$scratch/uninterrupted")
"$bin/train" fit --quiet "${arguments[@]}" > /dev/null

mapfile -t arguments < <(sweep_arguments)
"$bin/train" sweep --quiet --sweep "$scratch/alone" "${arguments[@]}" > /dev/null

step "Starting a cluster"
start_cluster

step "Building with an array of $TASKS tasks and a merge"
build plain
finish_build plain
concurrent=$(max_concurrent "$scratch/plain.logs")
result "tasks run at once" "up to $concurrent of $TASKS" test "$concurrent" -ge 2
result "array and merge" "merge $(state "$merge")" diff -r "$scratch/without_split" "$scratch/plain"

step "Requeueing a half-built part"
build requeued --remove-parts
wait_for 120 "half of part 2" is_half_built "$scratch/requeued.parts/part-2"
scontrol requeue "${array}_2"
finish_build requeued
log=$scratch/requeued.logs/part-2.log
result "requeued task" "started $(count ' begins on ' "$log") times, merge $(state "$merge")" \
    diff -r "$scratch/without_split" "$scratch/requeued"
result "requeued task continues" "$(earlier_work "$log")" grep "earlier run" "$log"
result "--remove-parts" "parts are deleted" test ! -e "$scratch/requeued.parts"

step "Killing a task and running the same command again"
build killed
wait_for 120 "half of part 1" is_half_built "$scratch/killed.parts/part-1"
kill_program preprocess "${array}_1"
wait_for 120 "job $merge" is_gone "$merge" || true
result "a failed task cancels the merge" "part $(state "${array}_1"), merge $(state "$merge")" \
    test "$(state "$merge")" = CANCELLED -a ! -e "$scratch/killed/dataset.json"
wait_for 120 "job $array" is_gone "$array" || true
build killed
finish_build killed
log=$scratch/killed.logs/part-1.log
result "same command after a killed task" "$(earlier_work "$log"), merge $(state "$merge")" \
    diff -r "$scratch/without_split" "$scratch/killed"

step "Training for $epochs epochs: with signals, a time limit and a cancellation"
signalled=$(train_job "$scratch/signalled")
limited=$(train_job "$scratch/limited" --time=1)
cancelled=$(train_job "$scratch/cancelled")
wait_for 300 "an epoch" has_epochs "$scratch/cancelled" 1
scancel "$cancelled"
wait_for 60 "job $cancelled" is_gone "$cancelled" || true
result "a cancelled training saves a checkpoint" "$(state "$cancelled")" \
    grep -q "exit status 75" "$scratch/cancelled.log"
cancelled=$(train_job "$scratch/cancelled")
# With a limit of one minute Slurm warns at every check, so training hardly progresses. One restart is enough.
if wait_for 150 "the time limit" grep -q "restart 1\$" "$scratch/limited.log"; then
    scontrol update "JobId=$limited" TimeLimit=60
fi
for epoch in 1 2; do
    wait_for 300 "an epoch" has_epochs "$scratch/signalled" "$epoch"
    # Wait until the next epoch has started, but not ended.
    sleep 0.7
    scancel --signal=USR1 --batch "$signalled"
    wait_for 60 "the restart" grep -q "restart $epoch\$" "$scratch/signalled.log"
done
for job in "$signalled" "$limited" "$cancelled"; do
    wait_for 900 "job $job" is_gone "$job" || true
done
for run in signalled limited cancelled; do
    log=$scratch/$run.log
    [[ $(state "${!run}") == COMPLETED ]] || tail -n 5 "$log" >&2
    result "$run training" \
        "stopped with 75 $(count 'exit status 75' "$log") times, then $(state "${!run}")" same_training "$scratch/$run"
done
result "the time limit stopped a training" "restarted $(count 'restart [1-9]' "$scratch/limited.log") times" \
    grep -q "restart 1" "$scratch/limited.log"

step "Trying settings with two tasks, of which one is requeued and one loses its program"
shared=$(sweep_job)
wait_for 120 "both tasks" has_epochs "$scratch/shared/trials/0001" 0
scancel --signal=USR1 --batch "${shared}_1"
wait_for 60 "the restart" grep -q "restart 1\$" "$scratch/shared.logs/sweep-1.log"
kill_program train "${shared}_2"
wait_for 600 "job $shared" is_gone "$shared" || true
result "a task that lost its program fails" "$(state "${shared}_2")" test "$(state "${shared}_2")" = FAILED
again=$(sweep_job)
wait_for 600 "job $again" is_gone "$again" || true
result "shared sweep" "tasks $(state "${shared}_1"), and again $(state "${again}_1") and $(state "${again}_2")" same_sweep
# Four trials, then the best two, then the best one.
results_1=$(count '^trial .*: validation' "$scratch/shared.logs/sweep-1.log")
results_2=$(count '^trial .*: validation' "$scratch/shared.logs/sweep-2.log")
result "each trial was trained once" "$results_1 and $results_2 results" test "$((results_1 + results_2))" -eq 7

printf '\n%-8s %-48s %s\n' "" "test" "observed"
differing=0
for line in "${results[@]}"; do
    IFS='|' read -r verdict what seen <<< "$line"
    printf '%-8s %-48s %s\n' "$verdict" "$what" "$seen"
    [[ $verdict == ok ]] || differing=$((differing + 1))
done
if [[ $differing -gt 0 ]]; then
    fail "$differing of ${#results[@]} results differ"
fi
echo "all ${#results[@]} results are correct, after $((SECONDS / 60)):$(printf %02d $((SECONDS % 60)))"
