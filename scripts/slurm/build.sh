#!/usr/bin/env bash
# Builds a data set on a Slurm cluster: an array of tasks, each of which builds a part, and a job that merges the parts.
#
#   scripts/slurm/build.sh --source SOURCE --audio DIR [--metadata TABLE] --out DATASET --tasks N [--cpus N] [--bin DIR]
#                          [--parts DIR] [--logs DIR] [--remove-parts] [--sbatch OPTION]... [-- ARGUMENTS]
#
# The result is byte for byte that of `preprocess build` on one machine. SOURCE, the audio's DIR, TABLE and DATASET are
# those of `preprocess build`, and ARGUMENTS go to it as they are, such as --preset fma_small. Each task has N threads
# (default: 4); programs lie in --bin (target/release), parts in DATASET.parts, to be removed by --remove-parts once
# they are merged, and what jobs say in DATASET.logs. All of these have to be seen by the nodes under the same names.
# Each OPTION goes to sbatch for all jobs, such as --sbatch --time=4:00:00 --sbatch --account=music.
#
# Prints `parts ID` and `merge ID`, the numbers of the two jobs. A task that Slurm puts back into the queue goes on
# where it was. If one fails, the merge is cancelled: give the same command again, and what is done is not done again.
set -euo pipefail

usage() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}" >&2
    exit 2
}

fail() {
    echo "error: $1" >&2
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source='' audio='' metadata='' out='' tasks='' cpus=4 bin=$here/../../target/release parts='' logs=''
remove_parts=no sbatch_options=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --source | --audio | --metadata | --out | --tasks | --cpus | --bin | --parts | --logs)
            [[ $# -ge 2 ]] || usage
            declare "${1#--}=$2"
            shift 2
            ;;
        --sbatch)
            [[ $# -ge 2 ]] || usage
            sbatch_options+=("$2")
            shift 2
            ;;
        --remove-parts)
            remove_parts=yes
            shift
            ;;
        --)
            shift
            break
            ;;
        *) usage ;;
    esac
done
[[ -n $source && -n $audio && -n $out && $tasks =~ ^[1-9][0-9]*$ && $cpus =~ ^[1-9][0-9]*$ ]] || usage

command -v sbatch > /dev/null || fail "sbatch is not to be found; run this where jobs are submitted, on a login node"
[[ -x $bin/preprocess ]] || fail "$bin has no preprocess; compile it with cargo build --release, or name another --bin"
[[ -d $audio ]] || fail "$audio is no directory; --audio names the one that holds the audio files"
[[ -z $metadata || -f $metadata ]] || fail "$metadata is no file; --metadata names the source's table"
[[ ! -e $out/dataset.json ]] || fail "$out holds a data set already; name another --out, or delete it first"

# Jobs may begin in another directory.
absolute() {
    local parent
    parent=$(cd "$(dirname "$1")" && pwd)
    echo "${parent%/}/$(basename "$1")"
}
mkdir -p "$(dirname "$out")"
out=$(absolute "$out")
parts=${parts:-$out.parts}
logs=${logs:-$out.logs}
mkdir -p "$parts" "$logs"
parts=$(absolute "$parts")
logs=$(absolute "$logs")
bin=$(cd "$bin" && pwd)
build=(--source "$source" --audio "$(absolute "$audio")")
if [[ -n $metadata ]]; then
    build+=(--metadata "$(absolute "$metadata")")
fi

# submit OPTIONS... SCRIPT ARGUMENTS...: prints the job's number, which a cluster's name may follow.
submit() {
    local answer
    answer=$(sbatch --parsable --requeue --open-mode=append "${sbatch_options[@]}" "$@")
    echo "${answer%%;*}"
}

array=$(submit --job-name=parts --array="1-$tasks" --cpus-per-task="$cpus" --output="$logs/part-%a.log" \
    "$here/part.sh" "$bin" "$parts" "$tasks" "${build[@]}" "$@")
if ! merge=$(submit --job-name=merge --dependency="afterok:$array" --kill-on-invalid-dep=yes \
    --output="$logs/merge.log" "$here/merge.sh" "$bin" "$parts" "$tasks" "$out" "$remove_parts"); then
    scancel "$array"
    fail "the merge was not accepted, so the tasks that it would have waited for are cancelled"
fi
echo "parts $array"
echo "merge $merge"
