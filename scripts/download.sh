# Downloads of known content. Source this file, do not run it:
#
#   . "$(dirname "${BASH_SOURCE[0]}")/download.sh"
#
# Needs curl or wget; and sha1sum and sha256sum, shasum or openssl.
# shellcheck shell=bash

fail() {
    echo "error: $1" >&2
    exit 1
}

have() {
    command -v "$1" > /dev/null
}

have curl || have wget || fail "neither curl nor wget is installed; install one"
have sha256sum || have shasum || have openssl || fail "none of sha256sum, shasum and openssl is installed; install one"

# checksum BITS FILE: prints the SHA-1 or SHA-256 checksum, in hexadecimal digits.
checksum() {
    if have "sha$1sum"; then
        "sha$1sum" "$2" | cut -d ' ' -f 1
    elif have shasum; then
        shasum -a "$1" "$2" | cut -d ' ' -f 1
    else
        openssl dgst "-sha$1" -r "$2" | cut -d ' ' -f 1
    fi
}

# continue_download URL FILE: continues a partial download, or starts again if the server cannot continue.
continue_download() {
    if have curl; then
        local options=(--fail --location --retry 5 --output "$2")
        curl "${options[@]}" --continue-at - "$1" && return
        # 33: no byte ranges.
        [[ $? == 33 ]] && rm "$2" && curl "${options[@]}" "$1"
    else
        wget --tries 5 --continue --output-document "$2" "$1"
    fi
}

# download URL FILE BITS CHECKSUM: downloads FILE, if it does not exist, through FILE.part. Fails after an error message.
download() {
    local url=$1 file=$2 bits=$3 expected=$4 part=$2.part found
    if [[ -e $file ]]; then
        found=$(checksum "$bits" "$file")
        if [[ $found == "$expected" ]]; then
            echo "$file exists already"
            return
        fi
        echo "error: $file has the SHA-$bits checksum $found instead of $expected; move it away and run this script again" >&2
        return 1
    fi
    # A complete part has nothing to continue, which servers answer with an error.
    found=''
    [[ ! -e $part ]] || found=$(checksum "$bits" "$part")
    if [[ $found != "$expected" ]]; then
        echo "downloading $url"
        if ! continue_download "$url" "$part"; then
            echo "error: the download of $url stopped; run this script again to continue" >&2
            return 1
        fi
        found=$(checksum "$bits" "$part")
    fi
    if [[ $found != "$expected" ]]; then
        rm "$part"
        echo "error: $url had the SHA-$bits checksum $found instead of $expected and was deleted; run this script again" >&2
        return 1
    fi
    mv "$part" "$file"
}
