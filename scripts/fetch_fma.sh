#!/usr/bin/env bash
# Downloads, checks and unpacks FMA small (7.2 GiB of clips, 342 MiB of metadata): scripts/fetch_fma.sh [DIR]
#
# If interrupted, run it again: it continues downloads and skips finished steps. Needs curl or wget; sha1sum, shasum or
# openssl; and unzip, bsdtar or python3. Set FMA_URL to use a mirror.
set -euo pipefail

URL=${FMA_URL:-https://os.unil.cloud.switch.ch/fma}

if [[ $# -gt 1 || ${1:-} == -* ]]; then
    echo "usage: ${0##*/} [DIR]    (default: data)" >&2
    exit 2
fi
dir=${1:-data}
mkdir -p "$dir"

fail() {
    echo "error: $1" >&2
    exit 1
}

have() {
    command -v "$1" > /dev/null
}

size_of() {
    wc -c < "$1" | tr -d ' '
}

sha1_of() {
    if have sha1sum; then
        sha1sum "$1" | cut -d ' ' -f 1
    elif have shasum; then
        shasum -a 1 "$1" | cut -d ' ' -f 1
    elif have openssl; then
        openssl dgst -sha1 -r "$1" | cut -d ' ' -f 1
    else
        fail "none of sha1sum, shasum and openssl is installed; install one"
    fi
}

# download URL FILE: continues a partial download.
download() {
    if have curl; then
        curl --fail --location --retry 5 --continue-at - --output "$2" "$1"
    elif have wget; then
        wget --tries 5 --continue --output-document "$2" "$1"
    else
        fail "neither curl nor wget is installed; install one"
    fi
}

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
    local folder=$dir/$name archive=$dir/$name.zip
    local part=$archive.part unpacking=$dir/.$name.unpacking
    if [[ -d $folder ]]; then
        echo "$folder exists already"
        return
    fi
    if [[ ! -e $archive ]]; then
        if [[ ! -e $part || $(size_of "$part") -lt $bytes ]]; then
            echo "downloading $URL/$name.zip, $bytes bytes"
            download "$URL/$name.zip" "$part" ||
                fail "the download of $name.zip stopped; run this script again to continue, or delete $part to start again"
        fi
        echo "checking $name.zip"
        local found
        found=$(sha1_of "$part")
        if [[ $found != "$sha1" ]]; then
            rm "$part"
            fail "$name.zip had the SHA-1 checksum $found instead of $sha1 and was deleted; run this script again"
        fi
        mv "$part" "$archive"
    fi
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
