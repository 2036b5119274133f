#!/usr/bin/env bash
# Paper 4: genres of FMA small from moments of MFCC, by a small CNN, and by VGG16 that was trained on photographs.
#
#   scripts/papers/fma_baselines.sh [--audio DIR --metadata FILE] [--vgg16-weights FILE] [--out DIR] [--models LIST]
#                                   [--epochs N] [--device D] [--seed N] [--tiny]
#
# DIR has the tracks (000/000002.mp3), FILE is tracks.csv; scripts/fetch_fma.sh downloads both. Without them a small corpus
# of synthetic music is made, and with --tiny of short clips, which takes minutes on a CPU. LIST is some of mfcc-dense (with
# MFCC alone, and with chroma), small-cnn, vgg16 and vgg16-progressive (images of 42x100, and 84x100 from the weights of
# the first), with commas between. The last two need torchvision's weights, vgg16(weights="IMAGENET1K_V1").state_dict() in
# a .pt or .safetensors file, and are left out where none is named; with --tiny vgg16-progressive is trained from fresh
# weights. Ends with OUT/table.md (default: target/papers/fma_baselines...).

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

paper=fma_baselines layout=fma preset=fma_small
models=mfcc-dense,small-cnn,vgg16,vgg16-progressive
own_options=(vgg16_weights)
vgg16_weights=''
parse_arguments "$@"
vgg16_weights=$(absolute "$vgg16_weights")
compile
build_dataset 12 5 --sample-rate 22050 --n-fft 1024 --hop-length 256 --clip-samples 102400
split_dataset dataset 80,10,10

# fit_row NAME MODEL [ARGUMENTS OF train fit...]: a row of the table.
fit_row() {
    local name=$1 model=$2
    shift 2
    fit_and_eval "$name" dataset "$model" "$@"
    row "$name" top1=metrics.top1 macro_f1=metrics.macro_f1 precision=metrics.paper.precision \
        recall=metrics.paper.recall -- "$name.json"
    effort "$name" "$name"
}

if wanted mfcc-dense; then
    fit_row mfcc-dense mfcc-dense
    fit_row mfcc-dense+chroma mfcc-dense --statistics mfcc,chroma
fi
if wanted small-cnn; then
    fit_row small-cnn small-cnn
fi
begin=()
if [[ -n $vgg16_weights ]]; then
    begin=(--init-from "$vgg16_weights")
fi
if wanted vgg16; then
    if [[ -n $vgg16_weights ]]; then
        fit_row vgg16 vgg16 "${begin[@]}"
    else
        step "vgg16 is left out"
        echo "it needs --vgg16-weights"
    fi
fi
if wanted vgg16-progressive; then
    if [[ -z $vgg16_weights && $tiny == yes ]]; then
        begin=(--freeze none)
    fi
    if [[ ${#begin[@]} -gt 0 ]]; then
        fit_row vgg16-progressive-42x100 vgg16-progressive-42x100 "${begin[@]}"
        fit_row vgg16-progressive-84x100 vgg16-progressive-84x100 \
            --init-from "$out/runs/vgg16-progressive-42x100"
    else
        step "vgg16-progressive is left out"
        echo "it needs --vgg16-weights"
    fi
fi

make_table "MFCC, a small CNN and VGG16 on FMA small" top1="accuracy (top-1)" macro_f1="macro F1" \
    precision="macro precision" recall="macro recall"
