#!/usr/bin/env bash
# Dwivedi's CRNN and parallel CNN-RNN, to which paper 4 compares its networks, on FMA small with the official split.
#
#   scripts/papers/dwivedi.sh [--audio DIR --metadata FILE] [--out DIR] [--models LIST] [--epochs N] [--device D]
#                             [--seed N] [--tiny]
#
# --audio DIR contains the tracks (000/000002.mp3) and --metadata FILE is tracks.csv; scripts/fetch_fma.sh downloads
# both. Without them the script makes a small corpus of synthetic music; with --tiny it has fewer tracks and takes
# minutes on a CPU. LIST is a comma-separated list of dwivedi-crnn and dwivedi-parallel. Writes OUT/table.md; the
# default of --out is target/papers/dwivedi, with -synthetic or -tiny appended for synthetic music.
#
# As in the notebooks, a clip has 640 frames, 29.7 seconds, so a track has one clip. The author trains with 6,394, 800
# and 800 tracks.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

paper=dwivedi layout=fma preset=fma_small features=dwivedi
models=dwivedi-crnn,dwivedi-parallel
parse_arguments "$@"
compile
build_dataset 8 31
split_dataset dataset official

for model in ${models//,/ }; do
    fit_and_eval "$model" dataset "$model"
    row "$model" top1=metrics.top1 macro_f1=metrics.macro_f1 -- "$model.json"
    training_cost "$model" "$model"
done

make_table "Dwivedi's networks on FMA small" top1="accuracy (top-1)" macro_f1="macro F1"
