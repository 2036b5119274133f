#!/usr/bin/env bash
# Downloads and checks published networks: scripts/fetch_networks.sh [--accept-no-licence] [DIR] (default: networks)
#
# Downloads seven networks of Won et al. 2020 (MIT licence) and one of Choi et al. 2016 (MIT licence). The authors of
# cnn1d's checkpoint state no licence; --accept-no-licence downloads it too. Label files are copied to DIR, and the
# `train import` command of each network is printed.
#
# If interrupted, run it again: it continues downloads and keeps complete files. Needs curl or wget; and sha256sum,
# shasum or openssl. Set NETWORKS_URL to use a mirror with the same paths.
set -euo pipefail
# shellcheck source=scripts/download.sh
. "$(dirname "${BASH_SOURCE[0]}")/download.sh"

URL=${NETWORKS_URL:-https://raw.githubusercontent.com}
MTAT=minzwon/sota-music-tagging-models/1f4d282693ac19cde4d30b86811fe0ae2452f406/models
MSD_AND_JAMENDO=minzwon/sota-music-tagging-models/ffcd1f90b97a1e923a50c6e5283f147cf9dd7dfd/models
CHOI=keunwoochoi/music-auto_tagging-keras/90b294091adaada477b9003201dd20a9fe15a3c1/data
CNN1D=carlosgorlongaiatto/NNDL_Project/HEAD/source/checkpoints

usage() {
    echo "usage: ${0##*/} [--accept-no-licence] [DIR]    (default: networks)" >&2
    exit 2
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
mkdir -p "$dir"

# fetch FILE SHA256 PATH: downloads PATH below $URL to $dir/FILE. Other networks are downloaded even if it fails.
failed=0
fetch() {
    download "$URL/$3" "$dir/$1" 256 "$2" || failed=$((failed + 1))
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
