#!/usr/bin/env bash
# Makes a collection of any size in the layout of FMA from existing audio files, without copying them:
#
#   scripts/bench/link_corpus.sh OUT < LIST
#
# Each line of LIST is a track id, a tab, and the path of an MP3 file, which may have any number of ids. Writes hard
# links OUT/audio/NNN/NNNNNN.mp3, so OUT must be on the file system of the files, and OUT/metadata/tracks.csv with eight
# balanced genres, ten tracks per artist and FMA's 80:10:10 split.
set -euo pipefail

if [[ $# -ne 1 || $1 == -* ]]; then
    echo "usage: ${0##*/} OUT < LIST" >&2
    exit 2
fi
out=$1
if [[ -e $out ]]; then
    echo "error: $out exists already; delete it, or choose another directory" >&2
    exit 1
fi
mkdir -p "$out/audio" "$out/metadata"

# link ID FILE
link() {
    local name target
    printf -v name '%06d' "$1"
    target=$out/audio/${name:0:3}
    [[ -d $target ]] || mkdir "$target"
    ln -L "$2" "$target/$name.mp3"
}

genres=(Electronic Experimental Folk Hip-Hop Instrumental International Pop Rock)
splits=(training training training training validation training training training training test)
tracks=0
{
    echo ",artist,artist,set,set,track,track"
    echo ",id,name,split,subset,genre_top,title"
    echo "track_id,,,,,,"
    while IFS=$'\t' read -r id file; do
        link "$id" "$file"
        # Genres rotate from track to track. Each block of 80 tracks has eight artists with ten tracks each.
        block=$((tracks / 80))
        artist=$((block * 8 + tracks % 8))
        echo "$id,$artist,Artist $artist,${splits[artist / 8 % 10]},small,${genres[tracks % 8]},Track $id"
        tracks=$((tracks + 1))
    done
} > "$out/metadata/tracks.csv"
if [[ $tracks -eq 0 ]]; then
    echo "error: no tracks on standard input; each line must be an id, a tab and a file" >&2
    exit 1
fi
