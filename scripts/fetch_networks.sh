#!/usr/bin/env bash
# Downloads and checks published networks: scripts/fetch_networks.sh [--accept-no-licence] [DIR] (default: networks)
#
# Downloads seven networks of Won et al. 2020 (MIT licence) and one of Choi et al. 2016 (MIT licence). The authors of
# cnn1d's checkpoint state no licence; --accept-no-licence downloads it too. Label files are copied to DIR, and the
# `train import` command of each network is printed.
#
# If interrupted, run it again: it continues downloads and keeps complete files. Needs curl; and sha256sum, shasum or
# openssl. Set NETWORKS_URL to use a mirror with the same paths.
set -euo pipefail

URL=${NETWORKS_URL:-https://raw.githubusercontent.com}
MTAT=minzwon/sota-music-tagging-models/1f4d282693ac19cde4d30b86811fe0ae2452f406/models
MSD_AND_JAMENDO=minzwon/sota-music-tagging-models/ffcd1f90b97a1e923a50c6e5283f147cf9dd7dfd/models
CHOI=keunwoochoi/music-auto_tagging-keras/90b294091adaada477b9003201dd20a9fe15a3c1/data
CNN1D=carlosgorlongaiatto/NNDL_Project/HEAD/source/checkpoints

usage() {
    echo "usage: ${0##*/} [--accept-no-licence] [DIR]    (default: networks)" >&2
    exit 2
}

fail() {
    echo "error: $1" >&2
    exit 1
}

have() {
    command -v "$1" > /dev/null
}

sha256_of() {
    if have sha256sum; then
        sha256sum "$1" | cut -d ' ' -f 1
    elif have shasum; then
        shasum -a 256 "$1" | cut -d ' ' -f 1
    elif have openssl; then
        openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
    else
        fail "none of sha256sum, shasum and openssl is installed; install one"
    fi
}

without_licence=no dir=
for word in "$@"; do
    case $word in
        --accept-no-licence) without_licence=yes ;;
        -*) usage ;;
        *) [[ -z $dir ]] || usage
            dir=$word ;;
    esac
done
dir=${dir:-networks}
labels=$(cd "$(dirname "$0")" && pwd)/labels
have curl || fail "curl is not installed; install it"
mkdir -p "$dir"

# download URL FILE: continues a partial download, or starts again if the server cannot continue.
download() {
    local options=(--fail --location --silent --show-error --retry 3 --output "$2")
    curl "${options[@]}" --continue-at - "$1" && return
    # 33: no byte ranges.
    [[ $? == 33 ]] && rm "$2" && curl "${options[@]}" "$1"
}

# fetch FILE SHA256 PATH: downloads PATH below $URL to $dir/FILE. Other networks are downloaded even if it fails.
failed=0
fetch() {
    local file=$dir/$1 sha256=$2 from=$URL/$3 part=$dir/$1.part found
    if [[ -e $file ]]; then
        found=$(sha256_of "$file")
        if [[ $found == "$sha256" ]]; then
            echo "$file exists already"
        else
            error "$file has the SHA-256 checksum $found instead of $sha256; move it away and run this script again"
        fi
        return
    fi
    # A complete part has nothing to continue, which servers answer with an error.
    if [[ ! -e $part || $(sha256_of "$part") != "$sha256" ]]; then
        echo "downloading $file"
        if ! download "$from" "$part"; then
            error "the download of $from failed; run this script again to continue"
            return
        fi
    fi
    found=$(sha256_of "$part")
    if [[ $found == "$sha256" ]]; then
        mv "$part" "$file"
    else
        rm "$part"
        error "$from had the SHA-256 checksum $found instead of $sha256 and was deleted; run this script again"
    fi
}

error() {
    echo "error: $1" >&2
    failed=$((failed + 1))
}

fetch mtat-fcn.pth 3bfc67e43f3e180194ab5993c947ffbf44b1a23dcdf42c374b1ced9d4d4de72e "$MTAT/mtat/fcn/best_model.pth"
fetch mtat-musicnn.pth 0a7ac8aa3daab3a1c59cae16a771b0bfa4064ac94502ebc990a5c32a2771e189 \
    "$MTAT/mtat/musicnn/best_model.pth"
fetch msd-fcn.pth 6012aa7eecf864a8081faedca56af054521e8dfb9c5c98659a3dd5d3e1e66f21 \
    "$MSD_AND_JAMENDO/msd/fcn/best_model.pth"
fetch msd-crnn.pth ebb99855ed0c83f38845db9cfb383dd6fc70938bc58701dcb66e18af9ee7fbea \
    "$MSD_AND_JAMENDO/msd/crnn/best_model.pth"
fetch jamendo-fcn.pth 7bce08a66dbc70d096b0a330f44b4cacd9aa25519b83489fbb98f2164a194e2b \
    "$MSD_AND_JAMENDO/jamendo/fcn/best_model.pth"
fetch jamendo-crnn.pth 0a558989c0793f488cb677d188464c91f47c007f7c70473230e55537ca598215 \
    "$MSD_AND_JAMENDO/jamendo/crnn/best_model.pth"
fetch jamendo-musicnn.pth 66280f4859376377c47f64313c7ac889a3201fdb06a01bf6e94ac6e619081bb5 \
    "$MSD_AND_JAMENDO/jamendo/musicnn/best_model.pth"
fetch choi-crnn.h5 df63638de9f3113780768181670c554f122fbd1297c63c065836d70a251115a8 \
    "$CHOI/music_tagger_crnn_weights_tensorflow.h5"
if [[ $without_licence == yes ]]; then
    fetch checkpoint_baseline1d.pt 46ae49b027aa3b89759120d14d6b31448c72eb8f0145bc65c280712e80ba68a1 \
        "$CNN1D/checkpoint_baseline1d.pt"
fi
for name in mtat msd jamendo fma_small; do
    [[ -e $dir/$name.txt ]] || cp "$labels/$name.txt" "$dir/$name.txt"
done

echo
echo "The networks and their labels are in $dir. Next steps, for each network that you want:"
echo
import() {
    [[ ! -e $dir/$2 ]] || echo "  train import --model $1 --weights $dir/$2 --labels $dir/$3.txt --run runs/$4"
}
import won-fcn mtat-fcn.pth mtat mtat-fcn
import musicnn mtat-musicnn.pth mtat mtat-musicnn
import won-fcn msd-fcn.pth msd msd-fcn
import won-crnn msd-crnn.pth msd msd-crnn
import won-fcn jamendo-fcn.pth jamendo jamendo-fcn
import won-crnn jamendo-crnn.pth jamendo jamendo-crnn
import musicnn jamendo-musicnn.pth jamendo jamendo-musicnn
if [[ -e $dir/choi-crnn.h5 ]]; then
    echo "  python3 scripts/python/keras_weights.py $dir/choi-crnn.h5 $dir/choi-crnn.safetensors"
    echo "  train import --model music-tagger-crnn --weights $dir/choi-crnn.safetensors --labels $dir/msd.txt \\"
    echo "      --run runs/choi-crnn"
fi
if [[ -e $dir/checkpoint_baseline1d.pt ]]; then
    cat << END

cnn1d needs the normalization of its training set, for example that of a split of your own data set of FMA small:

  train import --model cnn1d --weights $dir/checkpoint_baseline1d.pt --labels $dir/fma_small.txt \\
      --normalization fma/splits/NAME/normalization.json --run runs/paper1
END
else
    cat << END

The authors of cnn1d's checkpoint state no licence. To download it as well: ${0##*/} --accept-no-licence $dir
END
fi
[[ $failed == 0 ]] || exit 1
