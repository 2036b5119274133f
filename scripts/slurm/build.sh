#!/usr/bin/env bash
# Builds a data set on a Slurm cluster: each task of a job array builds one part, and another job merges the parts.
#
#   scripts/slurm/build.sh --source SOURCE --audio DIR [--metadata TABLE] --out DATASET --tasks N [--cpus N] [--bin DIR]
#                          [--parts DIR] [--logs DIR] [--remove-parts] [--sbatch OPTION]... [-- ARGUMENTS]
#
# The result has the same bytes as `preprocess build` on one machine. --source, --audio, --metadata and --out are those
# of `preprocess build`, and ARGUMENTS are passed to it unchanged, such as --preset fma_small. --tasks is the number of
# parts. Each task uses --cpus threads (default: 4). --bin is the directory of the programs (default: target/release).
# --parts is the directory of the parts (default: DATASET.parts); --remove-parts deletes them after the merge. --logs is
# the directory of the job logs (default: DATASET.logs). All nodes must see all of these under the same paths. Each
# --sbatch OPTION is passed to sbatch for all jobs, such as --sbatch --time=4:00:00 --sbatch --account=music.
#
# Prints `parts ID` and `merge ID`, the ids of the two jobs. A requeued task continues where it stopped. If a task
# fails, the merge is cancelled; run the same command again to continue.

# shellcheck source=scripts/slurm/submit.sh
. "$(dirname "${BASH_SOURCE[0]}")/submit.sh"

# Before the user's options, which may override them.
sbatch_options+=(--requeue --open-mode=append)

source='' audio='' metadata='' out='' tasks='' cpus=4 parts='' logs='' remove_parts=no
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

require preprocess
[[ -d $audio ]] || fail "$audio is not a directory; set --audio to the directory of the audio files"
[[ -z $metadata || -f $metadata ]] || fail "$metadata is not a file; set --metadata to the table of the source"
[[ ! -e $out/dataset.json ]] || fail "$out contains a data set already; delete it, or choose another --out"

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

array=$(submit --job-name=parts --array="1-$tasks" --cpus-per-task="$cpus" --output="$logs/part-%a.log" \
    "$here/part.sh" "$bin" "$parts" "$tasks" "${build[@]}" "$@")
if ! merge=$(submit --job-name=merge --dependency="afterok:$array" --kill-on-invalid-dep=yes \
    --output="$logs/merge.log" "$here/merge.sh" "$bin" "$parts" "$tasks" "$out" "$remove_parts"); then
    scancel "$array"
    fail "sbatch refused the merge job, so the job array was cancelled"
fi
echo "parts $array"
echo "merge $merge"
