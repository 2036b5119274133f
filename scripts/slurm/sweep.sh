#!/usr/bin/env bash
# Tries settings on a Slurm cluster: the tasks of a job array share the trials of one sweep.
#
#   scripts/slurm/sweep.sh --sweep SWEEP --tasks N [--cpus N] [--bin DIR] [--logs DIR] [--sbatch OPTION]...
#                          -- OPTIONS OF train sweep
#
# The result is that of `train sweep --sweep SWEEP` with the same options on one machine. --tasks is the number of
# trials that are trained at the same time, if all tasks run. Each task has --cpus processors (default: 4). --bin is the
# directory of the programs (default: target/release). --logs is the directory of the job logs (default: SWEEP.logs).
# All nodes must see all of these under the same paths, on a file system on which `flock` works between nodes. Each
# --sbatch OPTION is passed to sbatch, such as --sbatch --gres=gpu:1 --sbatch --time=4:00:00.
#
# Prints `sweep ID`, the id of the job. Each task is a job of train.sh: it saves and requeues itself shortly before its
# time limit. A task ends when no trial is left for it. Run the same command again to continue after a failure.

# shellcheck source=scripts/slurm/submit.sh
. "$(dirname "${BASH_SOURCE[0]}")/submit.sh"

sweep='' tasks='' cpus=4 logs=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --sweep | --tasks | --cpus | --bin | --logs)
            [[ $# -ge 2 ]] || usage
            declare "${1#--}=$2"
            shift 2
            ;;
        --sbatch)
            [[ $# -ge 2 ]] || usage
            sbatch_options+=("$2")
            shift 2
            ;;
        --)
            shift
            break
            ;;
        *) usage ;;
    esac
done
[[ -n $sweep && $tasks =~ ^[1-9][0-9]*$ && $cpus =~ ^[1-9][0-9]*$ ]] || usage

require train

mkdir -p "$(dirname "$sweep")"
sweep=$(absolute "$sweep")
logs=${logs:-$sweep.logs}
mkdir -p "$logs"
CRATEDIGGER_BIN=$(cd "$bin" && pwd)
export CRATEDIGGER_BIN

id=$(submit --export=ALL --job-name=sweep --array="1-$tasks" --cpus-per-task="$cpus" --output="$logs/sweep-%a.log" \
    "$here/train.sh" --sweep "$sweep" "$@")
echo "sweep $id"
