#!/usr/bin/env bash
# Downloads, checks and unpacks FMA small (7.2 GiB of clips, 342 MiB of metadata): scripts/fetch_fma.sh [DIR]
#
# If interrupted, run it again: it continues downloads and skips finished steps. Needs curl or wget; sha1sum, shasum or
# openssl; and unzip, bsdtar or python3. Set FMA_URL to use a mirror.
set -euo pipefail
# shellcheck source=scripts/download.sh
. "$(dirname "${BASH_SOURCE[0]}")/download.sh"

URL=${FMA_URL:-https://os.unil.cloud.switch.ch/fma}

if [[ $# -gt 1 || ${1:-} == -* ]]; then
    echo "usage: ${0##*/} [DIR]    (default: data)" >&2
    exit 2
fi
dir=${1:-data}
mkdir -p "$dir"

unpack() {
    if have unzip; then
        unzip -q "$1" -d "$2"
    elif have bsdtar; then
        bsdtar -x -f "$1" -C "$2"
    elif have python3; then
        python3 -m zipfile -e "$1" "$2"
    else
        fail "none of unzip, bsdtar and python3 is installed; install one"
    fi
}

# fetch NAME BYTES SHA1: downloads NAME.zip and unpacks it to $dir/NAME.
fetch() {
    local name=$1 bytes=$2 sha1=$3
    local folder=$dir/$name archive=$dir/$name.zip unpacking=$dir/.$name.unpacking
    if [[ -d $folder ]]; then
        echo "$folder exists already"
        return
    fi
    echo "$name.zip has $bytes bytes"
    download "$URL/$name.zip" "$archive" 1 "$sha1" || exit 1
    echo "unpacking $name.zip"
    rm -rf "$unpacking"
    mkdir "$unpacking"
    unpack "$archive" "$unpacking" || fail "could not unpack $archive; check the free disk space"
    [[ -d $unpacking/$name ]] || fail "$archive does not contain the directory $name"
    mv "$unpacking/$name" "$folder"
    rmdir "$unpacking" 2> /dev/null || rm -rf "$unpacking"
}

# Sizes and checksums from data-manifests/fma_small.toml.
fetch fma_metadata 358412441 f0df49ffe5f2a6008d7dc83c6915b31835dfe733
fetch fma_small 7679594875 ade154f733639d52e35e32f5593efe5be76c6d70

cat << END

FMA small is in $dir. The archives $dir/*.zip can be deleted. Next steps:

  cargo build --release
  target/release/preprocess build --source fma --preset fma_small \\
      --audio $dir/fma_small --metadata $dir/fma_metadata/tracks.csv --out $dir/dataset
  target/release/preprocess split $dir/dataset --strategy grouped
  target/release/train fit --data $dir/dataset --model crnn --run runs/crnn
  target/release/train eval --run runs/crnn
END
