#!/usr/bin/env bash
# Paper 1: 1-D and 2-D CNN, CRNN and multi-modal CRNN on FMA small, each with and without noise and time stretching.
#
#   scripts/papers/multimodal.sh [--audio DIR --metadata FILE] [--out DIR] [--models LIST] [--epochs N] [--device D]
#                                [--seed N] [--tiny]
#
# --audio DIR contains the tracks (000/000002.mp3) and --metadata FILE is tracks.csv; scripts/fetch_fma.sh downloads
# both. Without them the script makes a small corpus of synthetic music; with --tiny it has short clips and takes
# minutes on a CPU. LIST is a comma-separated list of cnn1d, cnn2d, crnn and mm-crnn. Writes OUT/table.md; the default
# of --out is target/papers/multimodal, with -synthetic or -tiny appended for synthetic music.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

paper=multimodal layout=fma preset=fma_small
models=cnn1d,cnn2d,crnn,mm-crnn
parse_arguments "$@"
compile
build_dataset 12 3.4 --sample-rate 22050 --clip-samples 65536
split_dataset dataset stratified 80,10,10

for model in ${models//,/ }; do
    for augment in none paper; do
        name=$model
        [[ $augment == none ]] || name=$model+augment
        fit_and_eval "$name" dataset "$model" --augment "$augment"
        row "$name" accuracy=metrics.paper.accuracy precision=metrics.paper.precision recall=metrics.paper.recall \
            f1=metrics.paper.f1 top1=metrics.top1 macro_f1=metrics.macro_f1 -- "$name.json"
        training_cost "$name" "$name"
    done
done

make_table "1-D and 2-D CNN, CRNN and multi-modal CRNN on FMA small" accuracy="accuracy (mean one-vs-rest)" \
    precision=precision recall=recall f1="F1 (of the means)" top1=top-1 macro_f1="macro F1"
