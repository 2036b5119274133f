#!/usr/bin/env bash
# Paper 3: genre classification on GTZAN with a fully convolutional and a convolutional recurrent network, trained from
# scratch and by transfer learning.
#
#   scripts/papers/gtzan.sh [--audio DIR] [--out DIR] [--models LIST] [--epochs N] [--device D] [--seed N] [--tiny]
#                           [--pretrained-from RUN|FILE] [--clip-seconds S] [--skip-seconds S]
#
# --audio DIR contains the genres (blues/blues.00000.wav). Without it the script makes a small corpus of synthetic
# music; with --tiny it has short clips and takes minutes on a CPU. LIST is a comma-separated list of
#   choi-fcn, choi-crnn  trained from scratch, one clip per song
#   dong                 Dong 2018: segments of 3 seconds at 22,050 Hz, on a split of 50:20:30 as in that work; a song's
#                        probabilities are the mean over its segments
#   multiframe           choi-crnn on clips of --clip-seconds (default: 5), without --skip-seconds (default: 2.5)
#                        at either end of a song; evaluated per excerpt and, by the mean over excerpts, per song
#   transfer             choi-crnn pretrained on tags: k-nearest neighbours and a linear SVM on its embeddings;
#                        fine-tuning with two frozen convolutions and a tenth of the learning rate for the rest
# --pretrained-from has the weights for `transfer`: a run of choi-crnn on MagnaTagATune, built with --preset
# magnatagatune and the mel settings of GTZAN: --sample-rate 12000 --clip-samples 349696 --n-fft 512 --hop-length 256
# --f-max 6000 --min-seconds 28. Without it, `transfer` is skipped if --audio is given; otherwise the script first
# trains a tagger on synthetic music. Writes OUT/table.md; the default of --out is target/papers/gtzan, with -synthetic
# or -tiny appended for synthetic music.
#
# GTZAN does not name artists, so the same artist can be in several sets and scores are too optimistic. The excerpt
# length is our choice, not the paper's.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

FEATURES=(--sample-rate 12000 --n-fft 512 --hop-length 256 --n-mels 96 --f-max 6000)

paper=gtzan layout=gtzan preset=gtzan
models=choi-fcn,choi-crnn,multiframe,transfer,dong
extra_options=(pretrained_from clip_seconds skip_seconds)
pretrained_from='' clip_seconds='' skip_seconds=''
parse_arguments "$@"
pretrained_from=$(absolute "$pretrained_from")
clip=(--clip-samples 349696 --min-seconds 28)
if [[ $tiny == yes ]]; then
    clip=(--clip-samples 49152 --min-seconds 4.1)
    clip_seconds=${clip_seconds:-1.6} skip_seconds=${skip_seconds:-0.2}
fi
compile
build_dataset 12 4.6 "${clip[@]}"
split_dataset dataset stratified 80,10,10

# Adds the metrics per song, and per excerpt if songs have several.
rows() {
    row "$1" top1=metrics.top1 macro_f1=metrics.macro_f1 excerpt_top1=metrics.per_clip.top1 \
        excerpt_macro_f1=metrics.per_clip.macro_f1 -- "$1.json"
    training_cost "$1" "$1"
}

for model in choi-fcn choi-crnn; do
    if wanted "$model"; then
        fit_and_eval "$model" dataset "$model"
        rows "$model"
    fi
done

if wanted multiframe; then
    eval_clips=all fit_and_eval choi-crnn-multiframe dataset choi-crnn --clip-seconds "${clip_seconds:-5}" \
        --skip-seconds "${skip_seconds:-2.5}"
    rows choi-crnn-multiframe
fi

if wanted transfer && [[ -z $pretrained_from && -z $audio ]]; then
    make_corpus tagged-corpus magnatagatune "$([[ $tiny == yes ]] && echo 12 || echo 30)" \
        "$([[ $tiny == yes ]] && echo 4.6 || echo 31)"
    build_corpus tagged tagged-corpus magnatagatune --preset magnatagatune "${FEATURES[@]}" "${clip[@]}"
    split_dataset tagged stratified 80,10,10
    fit pretrained tagged choi-crnn
    pretrained_from=$out/runs/pretrained
fi
if wanted transfer && [[ -z $pretrained_from ]]; then
    step "Skipping transfer"
    echo "it needs --pretrained-from, the weights of a choi-crnn trained on tags"
elif wanted transfer; then
    classify pretrained "$pretrained_from" dataset choi-crnn
    for classifier in knn svm; do
        row "pretrained+$classifier" "top1=classifiers.$classifier.tracks.top1" \
            "macro_f1=classifiers.$classifier.tracks.macro_f1" -- pretrained.json
    done
    fit_and_eval choi-crnn-transfer dataset choi-crnn --init-from "$pretrained_from" --loaded-lr 0.0001 \
        --freeze '^encoder\.(input_norm|blocks\.[01])\.'
    rows choi-crnn-transfer
fi

if wanted dong; then
    build_again dong --preset gtzan --features dong
    split_dataset dong stratified 50,20,30
    eval_clips=all fit_and_eval dong dong dong
    rows dong
fi

make_table "Genre classification on GTZAN" top1="top-1 (songs)" macro_f1="macro F1 (songs)" \
    excerpt_top1="top-1 (excerpts)" excerpt_macro_f1="macro F1 (excerpts)"
