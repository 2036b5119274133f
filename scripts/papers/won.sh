#!/usr/bin/env bash
# Won et al. 2020, "Evaluation of CNN-based Automatic Music Tagging Models": nine networks on MagnaTagATune with its
# fifty most frequent tags.
#
#   scripts/papers/won.sh [--audio DIR --metadata FILE] [--out DIR] [--models LIST] [--epochs N] [--device D] [--seed N]
#                         [--tiny]
#
# --audio DIR contains the clips (0/..., f/...) and --metadata FILE is annotations_final.csv. Without them the script
# makes a small corpus of synthetic music, which has fewer tags; with --tiny it has fewer tracks. LIST is a
# comma-separated list of won-fcn, musicnn, sample-level, sample-level-se, won-crnn, self-attention, harmonic-cnn,
# short-chunk and short-chunk-res. Writes OUT/table.md; the default of --out is target/papers/won, with -synthetic or
# -tiny appended for synthetic music.
#
# The published metrics are of the authors' own cleaned split, and ours of the split by directory (0 to b for training,
# c for validation, d to f for testing). They cannot be compared: between other splits of this collection the AUC-PR of
# one network differs by 0.1. The authors average sixteen chunks of a track that are evenly spaced. Here the chunks are
# adjacent and cover the whole track.

# shellcheck source=scripts/papers/steps.sh
. "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

TAGS='guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano,ambient,beat,violin,vocal,synth,female'
TAGS+=',indian,opera,male,singing,vocals,no vocals,harpsichord,loud,quiet,flute,woman,male vocal,no vocal,pop,soft,sitar'
TAGS+=',solo,man,classic,choir,voice,new age,dance,male voice,female vocal,beats,harp,cello,no voice,weird,country,metal'
TAGS+=',female voice,choral'

paper=won layout=magnatagatune preset='' features=won
models=won-fcn,musicnn,sample-level,sample-level-se,won-crnn,self-attention,harmonic-cnn,short-chunk,short-chunk-res
parse_arguments "$@"
compile
if [[ -n $audio ]]; then
    selection=(--tags "$TAGS")
fi
build_dataset 4 31
split_dataset dataset official

# with_features NAME FEATURES [OPTIONS...]: makes $out/dataset/features/NAME, which shares the waveforms, and sets `data`.
with_features() {
    step "Features of $1"
    "$bin/preprocess" extend "$out/dataset" --feature mel --name "$1" --features "${@:2}"
    data=dataset/features/$1
}

for model in ${models//,/ }; do
    # Samples of a clip as in the paper, and 96 or 128 bands.
    case $model in
        won-fcn | won-crnn) data=dataset ;;
        musicnn) with_features won-48000 won --clip-samples 48000 ;;
        self-attention) with_features won-128-240000 won-128 --clip-samples 240000 ;;
        harmonic-cnn) with_features won-128-80000 won-128 --clip-samples 80000 ;;
        *) with_features won-128 won-128 ;;
    esac
    eval_clips=all fit_and_eval "$model" "$data" "$model"
    row "$model" auc_roc=metrics.auc_roc auc_pr=metrics.auc_pr -- "$model.json"
    training_cost "$model" "$model"
done

make_table "The fifty most frequent tags of MagnaTagATune, mean over tags" auc_roc=AUC-ROC auc_pr=AUC-PR
