# Submits jobs. Source this file at the top of a script that is called on a login node:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/submit.sh"
#
# shellcheck shell=bash
set -euo pipefail

# The directory of the scripts, and the default directory of the programs.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$here/../../target/release

# Prints the comment at the top of the script and exits with status 2.
usage() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" >&2
    exit 2
}

fail() {
    echo "error: $1" >&2
    exit 1
}

# require PROGRAM: fails unless jobs can be submitted and $bin contains the program.
require() {
    command -v sbatch > /dev/null || fail "sbatch is not installed here; run this script on a login node"
    [[ -x $bin/$1 ]] || fail "$bin does not contain $1; run cargo build --release, or set --bin"
}

# absolute PATH: prints the absolute path. Jobs may start in another directory.
absolute() {
    local parent
    parent=$(cd "$(dirname "$1")" && pwd)
    echo "${parent%/}/$(basename "$1")"
}

# submit OPTIONS... SCRIPT ARGUMENTS...: submits a job with the array sbatch_options and prints its id.
sbatch_options=()
submit() {
    local answer
    answer=$(sbatch --parsable "${sbatch_options[@]}" "$@")
    # sbatch may print `ID;CLUSTER`.
    echo "${answer%%;*}"
}
