#!/usr/bin/env bash
# Paper 4: genre classification on FMA small with MFCC statistics, a small CNN, and VGG16 pretrained on ImageNet, on the
# official split, as the authors' notebooks run them: mel spectrograms of the first 400 frames at 22,050 Hz.
#
#   scripts/papers/fma_baselines.sh [--audio DIR --metadata FILE] [--vgg16-weights FILE] [--out DIR] [--models LIST]
#                                   [--epochs N] [--device D] [--seed N] [--tiny]
#
# --audio DIR contains the tracks (000/000002.mp3) and --metadata FILE is tracks.csv; scripts/fetch_fma.sh downloads
# both. Without them the script makes a small corpus of synthetic music; with --tiny it has short clips and takes
# minutes on a CPU. LIST is a comma-separated list of models: mfcc+rbf-svm (an SVM on the 140 MFCC statistics), mfcc-dense
# (with MFCC, and with MFCC and chroma), small-cnn, vgg16 and vgg16-progressive (42x100 images, then 84x100 images
# starting from the weights of the first). The last two models need --vgg16-weights,
# torchvision's vgg16(weights="IMAGENET1K_V1").state_dict() in a .pt or .safetensors file. Without it they are skipped,
# except that --tiny trains vgg16-progressive from newly initialised weights. Writes OUT/table.md; the default of --out
# is target/papers/fma_baselines, with -synthetic or -tiny appended for synthetic music.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

paper=fma_baselines layout=fma preset=fma_small features=kwon
models=mfcc+rbf-svm,mfcc-dense,small-cnn,vgg16,vgg16-progressive
extra_options=(vgg16_weights)
vgg16_weights=''
parse_arguments "$@"
vgg16_weights=$(absolute "$vgg16_weights")
compile
build_dataset 12 5 --sample-rate 22050 --n-fft 1024 --hop-length 256 --clip-samples 102400
split_dataset dataset official

# fit_row NAME MODEL [ARGUMENTS OF train fit...]: trains and evaluates a model and adds its row to the table.
fit_row() {
    local name=$1 model=$2
    shift 2
    fit_and_eval "$name" dataset "$model" "$@"
    row "$name" top1=metrics.top1 macro_f1=metrics.macro_f1 precision=metrics.paper.precision \
        recall=metrics.paper.recall -- "$name.json"
    training_cost "$name" "$name"
}

if wanted mfcc+rbf-svm; then
    classify_statistics mfcc+rbf-svm.json rbf-svm dataset
    row mfcc+rbf-svm top1=classifiers.rbf-svm.tracks.top1 macro_f1=classifiers.rbf-svm.tracks.macro_f1 \
        -- mfcc+rbf-svm.json
fi
if wanted mfcc-dense; then
    fit_row mfcc-dense mfcc-dense
    fit_row mfcc-dense+chroma mfcc-dense --statistics mfcc,chroma
fi
if wanted small-cnn; then
    fit_row small-cnn small-cnn
fi
init=()
if [[ -n $vgg16_weights ]]; then
    init=(--init-from "$vgg16_weights")
fi
if wanted vgg16; then
    if [[ -n $vgg16_weights ]]; then
        fit_row vgg16 vgg16 "${init[@]}"
    else
        step "Skipping vgg16"
        echo "it needs --vgg16-weights"
    fi
fi
if wanted vgg16-progressive; then
    if [[ -z $vgg16_weights && $tiny == yes ]]; then
        init=(--freeze none)
    fi
    if [[ ${#init[@]} -gt 0 ]]; then
        fit_row vgg16-progressive-42x100 vgg16-progressive-42x100 "${init[@]}"
        fit_row vgg16-progressive-84x100 vgg16-progressive-84x100 \
            --init-from "$out/runs/vgg16-progressive-42x100"
    else
        step "Skipping vgg16-progressive"
        echo "it needs --vgg16-weights"
    fi
fi

make_table "MFCC, a small CNN and VGG16 on FMA small" top1="accuracy (top-1)" macro_f1="macro F1" \
    precision="macro precision" recall="macro recall"
