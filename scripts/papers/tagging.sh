#!/usr/bin/env bash
# Paper 2: tagging MagnaTagATune with its ten most frequent tags, with CNNs and CRNNs on 8-bit waveforms and on power
# spectral densities.
#
#   scripts/papers/tagging.sh [--audio DIR --metadata FILE] [--out DIR] [--models LIST] [--epochs N] [--device D]
#                             [--seed N] [--tiny]
#
# --audio DIR contains the clips (0/..., f/...) and --metadata FILE is annotations_final.csv. Without them the script
# makes a small corpus of synthetic music; with --tiny it has short clips and takes minutes on a CPU. LIST is a
# comma-separated list of sample-cnn, crnn1d-rnn, crnn1d-lstm, crnn1d-gru, chunk-cnn, crnn2d-rnn, crnn2d-lstm and
# crnn2d-gru. Writes OUT/table.md and OUT/labels.svg, which shows how often tags occur together; the default of --out is
# target/papers/tagging, with -synthetic or -tiny appended for synthetic music.
#
# The paper splits the clips 90:10. Here they are split 85:5:10, because the best epoch and the threshold of each tag
# are selected on a validation set.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

paper=tagging layout=magnatagatune preset=magnatagatune
models=sample-cnn,crnn1d-rnn,crnn1d-lstm,crnn1d-gru,chunk-cnn,crnn2d-rnn,crnn2d-lstm,crnn2d-gru
parse_arguments "$@"
compile
build_dataset 12 2.8 --clip-samples 39936 --min-seconds 2.5

step "Counting tags"
"$bin/preprocess" inspect "$out/dataset" --labels --svg "$out/labels.svg"
split_dataset dataset stratified 85,5,10

for model in ${models//,/ }; do
    fit_and_eval "$model" dataset "$model"
    evaluate "$model" "$model-tuned.json" --tune-thresholds
    row "$model" auc_roc=metrics.auc_roc auc_pr=metrics.auc_pr accuracy=metrics.accuracy precision=metrics.precision \
        recall=metrics.recall f1=metrics.macro_f1 -- "$model.json"
    row "$model" tuned_f1=metrics.macro_f1 -- "$model-tuned.json"
    training_cost "$model" "$model"
done

make_table "The ten most frequent tags of MagnaTagATune, mean over tags" auc_roc=AUC-ROC auc_pr=AUC-PR \
    accuracy=accuracy precision=precision recall=recall f1="F1 (threshold 0.5)" tuned_f1="F1 (thresholds tuned)"
