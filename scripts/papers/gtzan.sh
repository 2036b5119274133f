#!/usr/bin/env bash
# Paper 3: genres of GTZAN by a fully convolutional network and a convolutional recurrent one, from scratch and by
# transfer.
#
#   scripts/papers/gtzan.sh [--audio DIR] [--out DIR] [--models LIST] [--epochs N] [--device D] [--seed N] [--tiny]
#                           [--pretrained-from RUN|FILE] [--excerpt-seconds S] [--skip-seconds S]
#
# DIR has the genres (blues/blues.00000.wav). Without it a small corpus of synthetic music is made, and with --tiny of
# short clips, which takes minutes on a CPU. LIST is some of
#   choi-fcn, choi-crnn  from scratch, a clip a song
#   multiframe           choi-crnn on excerpts of S seconds (default 5, leaving out 2.5 at either end of a song), evaluated
#                        excerpt by excerpt and song by song: the mean over its excerpts
#   transfer             a choi-crnn that was trained on tags: its features with k nearest neighbours and a linear SVM on top;
#                        and trained on, its lowest two convolutions frozen, the rest with a tenth of the learning rate
# with commas between. RUN or FILE has the weights for `transfer`: a run of choi-crnn on MagnaTagATune, built with --preset
# magnatagatune and GTZAN's features: --sample-rate 12000 --clip-samples 349696 --n-fft 512 --hop-length 256 --f-max 6000
# --min-seconds 28. Where none is named, the small corpus is tagged and trained on first, and with --audio `transfer` is left
# out. Ends with OUT/table.md (default: target/papers/gtzan...).
#
# GTZAN names no artists, so a split cannot keep them apart, and scores are too optimistic. The excerpts' lengths are ours.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

FEATURES=(--sample-rate 12000 --n-fft 512 --hop-length 256 --n-mels 96 --f-max 6000)

paper=gtzan layout=gtzan preset=gtzan
models=choi-fcn,choi-crnn,multiframe,transfer
own_options=(pretrained_from excerpt_seconds skip_seconds)
pretrained_from='' excerpt_seconds='' skip_seconds=''
parse_arguments "$@"
pretrained_from=$(absolute "$pretrained_from")
clip=(--clip-samples 349696 --min-seconds 28)
if [[ $tiny == yes ]]; then
    clip=(--clip-samples 49152 --min-seconds 4.1)
    excerpt_seconds=${excerpt_seconds:-1.6} skip_seconds=${skip_seconds:-0.2}
fi
compile
build_dataset 12 4.6 "${clip[@]}"
split_dataset dataset 80,10,10

# The metrics over songs, and over excerpts where a song has several.
rows() {
    row "$1" song_top1=metrics.top1 song_macro_f1=metrics.macro_f1 excerpt_top1=metrics.per_clip.top1 \
        excerpt_macro_f1=metrics.per_clip.macro_f1 -- "$1.json"
    effort "$1" "$1"
}

for model in choi-fcn choi-crnn; do
    if wanted "$model"; then
        fit_and_eval "$model" dataset "$model"
        rows "$model"
    fi
done

if wanted multiframe; then
    eval_clips=all fit_and_eval choi-crnn-multiframe dataset choi-crnn --excerpt-seconds "${excerpt_seconds:-5}" \
        --skip-seconds "${skip_seconds:-2.5}"
    rows choi-crnn-multiframe
fi

if wanted transfer && [[ -z $pretrained_from && -z $audio ]]; then
    make_corpus tagged-corpus magnatagatune "$([[ $tiny == yes ]] && echo 12 || echo 30)" \
        "$([[ $tiny == yes ]] && echo 4.6 || echo 31)"
    build_corpus tagged tagged-corpus magnatagatune --preset magnatagatune "${FEATURES[@]}" "${clip[@]}"
    split_dataset tagged 80,10,10
    fit pretrained tagged choi-crnn
    pretrained_from=$out/runs/pretrained
fi
if wanted transfer && [[ -z $pretrained_from ]]; then
    step "Transfer is left out"
    echo "it needs --pretrained-from, weights of choi-crnn that were trained on tags"
elif wanted transfer; then
    classify pretrained "$pretrained_from" dataset choi-crnn
    for classifier in knn svm; do
        row "pretrained+$classifier" "song_top1=classifiers.$classifier.tracks.top1" \
            "song_macro_f1=classifiers.$classifier.tracks.macro_f1" -- pretrained.json
    done
    fit_and_eval choi-crnn-transfer dataset choi-crnn --init-from "$pretrained_from" --loaded-lr 0.0001 \
        --freeze '^encoder\.(input_norm|blocks\.[01])\.'
    rows choi-crnn-transfer
fi

make_table "Genres of GTZAN" song_top1="top-1 of songs" song_macro_f1="macro F1 of songs" \
    excerpt_top1="top-1 of excerpts" excerpt_macro_f1="macro F1 of excerpts"
