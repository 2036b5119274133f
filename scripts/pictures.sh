#!/usr/bin/env bash
# Makes the pictures of the README and the tutorial from the quickstart's outputs: scripts/pictures.sh [DIR]
#
# Runs the quickstart into DIR first, if it has not run there. Needs Chromium for the picture of the report.
set -euo pipefail

WIDTH=1100
HEIGHT=1240

if [[ $# -gt 1 || ${1:-} == -* ]]; then
    echo "usage: ${0##*/} [DIR]    (default: target/quickstart)" >&2
    exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:-$root/target/quickstart}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [[ -z $browser ]]; then
    echo "error: ${0##*/} needs Chromium for the picture of the report; install it and run this script again" >&2
    exit 1
fi
if [[ ! -e $out/run/report.html ]]; then
    "$root/scripts/quickstart.sh" "$out"
fi
out=$(cd "$out" && pwd)
pictures=$root/docs/pictures

tracks=("$out"/track-*.png)
cp "${tracks[0]}" "$pictures/track.png"
cp "$out/run/confusion.svg" "$pictures/confusion.svg"
if ! messages=$("$browser" --headless --no-sandbox --hide-scrollbars --window-size=$WIDTH,$HEIGHT \
    --screenshot="$pictures/report.png" "file://$out/run/report.html" 2>&1 >/dev/null); then
    echo "$messages" >&2
    echo "error: could not draw report.png" >&2
    exit 1
fi
ls -l "$pictures"
