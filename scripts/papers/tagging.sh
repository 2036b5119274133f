#!/usr/bin/env bash
# Paper 2: the ten most frequent tags of MagnaTagATune by CNN and CRNN on 8-bit waveforms and on power densities.
#
#   scripts/papers/tagging.sh [--audio DIR --metadata FILE] [--out DIR] [--models LIST] [--epochs N] [--device D]
#                             [--seed N] [--tiny]
#
# DIR has the clips (0/..., f/...), FILE is annotations_final.csv. Without them a small corpus of synthetic music is made,
# and with --tiny of short clips, which takes minutes on a CPU. LIST is some of sample-cnn, crnn1d-rnn, crnn1d-lstm,
# crnn1d-gru, chunk-cnn, crnn2d-rnn, crnn2d-lstm and crnn2d-gru, with commas between. Ends with OUT/table.md (default:
# target/papers/tagging...) and OUT/labels.svg, how tags go together.
#
# The paper divides clips 90 to 10. Here 85 to 5 to 10: the best epoch, and each tag's best threshold, are told by clips
# that are neither trained on nor evaluated.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

paper=tagging layout=magnatagatune preset=magnatagatune
models=sample-cnn,crnn1d-rnn,crnn1d-lstm,crnn1d-gru,chunk-cnn,crnn2d-rnn,crnn2d-lstm,crnn2d-gru
parse_arguments "$@"
compile
build_dataset 12 2.8 --clip-samples 39936 --min-seconds 2.5

step "Counting tags"
"$bin/preprocess" inspect "$out/dataset" --labels --svg "$out/labels.svg"
split_dataset dataset 85,5,10

for model in ${models//,/ }; do
    fit_and_eval "$model" dataset "$model"
    evaluate "$model" "$model-tuned.json" --tune-thresholds
    row "$model" auc_roc=metrics.auc_roc auc_pr=metrics.auc_pr accuracy=metrics.accuracy precision=metrics.precision \
        recall=metrics.recall f1=metrics.macro_f1 -- "$model.json"
    row "$model" tuned_f1=metrics.macro_f1 -- "$model-tuned.json"
    effort "$model" "$model"
done

make_table "The ten most frequent tags of MagnaTagATune, means over tags" auc_roc=AUC-ROC auc_pr=AUC-PR \
    accuracy=accuracy precision=precision recall=recall f1="F1 (threshold 0.5)" tuned_f1="F1 (thresholds tuned)"
