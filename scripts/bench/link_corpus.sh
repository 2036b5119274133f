#!/usr/bin/env bash
# Makes a collection in FMA's shape of audio files that are there, as many as wanted, without copying any:
#
#   scripts/bench/link_corpus.sh OUT < LIST
#
# Each line of LIST is a track's id, a tab, and an MP3 file; a file may stand there under any number of ids. OUT gets
# audio/NNN/NNNNNN.mp3, hard links, so it has to be on the file system of the files, and metadata/tracks.csv: eight
# genres of as many tracks each, an artist of ten tracks, and FMA's 80:10:10 split.
set -euo pipefail

if [[ $# -ne 1 || $1 == -* ]]; then
    echo "usage: ${0##*/} OUT < LIST" >&2
    exit 2
fi
out=$1
if [[ -e $out ]]; then
    echo "error: $out is there already; delete it, or name another directory" >&2
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
        # Neighbours are of eight genres, and eighty of them are ten tracks of eight artists.
        block=$((tracks / 80))
        artist=$((block * 8 + tracks % 8))
        echo "$id,$artist,Artist $artist,${splits[artist / 8 % 10]},small,${genres[tracks % 8]},Track $id"
        tracks=$((tracks + 1))
    done
} > "$out/metadata/tracks.csv"
if [[ $tracks -eq 0 ]]; then
    echo "error: there is no track on standard input; each line is an id, a tab and a file" >&2
    exit 1
fi
