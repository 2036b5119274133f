#!/usr/bin/env python3
"""Prints a summary of a data set from `preprocess build`. Needs numpy and safetensors.

    read_data_set.py DATASET [--split NAME] [--track ID]

Also checks the shape of every track in its shards against tracks.csv, and prints the loudness and the shape and range
of the mel spectrogram of one track (default: the first). Needs a split; make one with `preprocess split DATASET`.
"""

import argparse
import sys
from collections import Counter

import numpy as np

from cratedigger import SETS, CratediggerError, Dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--split", metavar="NAME", help="default: the current split")
    parser.add_argument("--track", metavar="ID", type=int, help="default: the first track")
    arguments = parser.parse_args()

    data = Dataset(arguments.dataset)
    rate = data.features.sample_rate
    hours = sum(track.samples for track in data.tracks.values()) / rate / 3600
    print(f"tracks    {len(data.tracks)}, {hours:.2f} hours at {rate} Hz")
    counts = Counter(label for track in data.tracks.values() for label in track.labels)
    print("classes   " + ", ".join(f"{name} {counts[name]}" for name in data.classes))
    data.check()
    print(f"shapes    all {len(data.tracks)} tracks match tracks.csv")

    split = data.split(arguments.split)
    print("split     " + ", ".join(f"{set_name} {len(split[set_name])}" for set_name in SETS))
    print(f"waveform  mean {split.normalization.waveform_mean:.6f}, std {split.normalization.waveform_std:.6f}")

    track_id = arguments.track if arguments.track is not None else next(iter(data.tracks))
    track = data.track(track_id)
    waveform, mel = data.waveform(track_id).astype(np.float64) / 32768, data.mel(track_id)
    rms = 10 * np.log10(np.mean(waveform**2))
    summary = data.summary()
    row = int(np.flatnonzero(summary["track_id"] == track_id)[0])
    summed = 10 * np.log10(summary["waveform.sum_squares"][row] / summary["waveform.samples"][row])
    if abs(rms - summed) > 1e-6:
        raise CratediggerError(
            f"track {track_id} has {rms} dBFS in its shard, but {summed} dBFS in summary.safetensors; "
            "run `preprocess verify` to list all problems"
        )
    print(f"track     {track_id}: {'|'.join(track.labels)}, {len(waveform) / rate:.1f} s, {rms:.1f} dBFS")
    print(f"mel       {mel.shape[0]} bands, {mel.shape[1]} frames, {mel.min():.1f} to {mel.max():.1f} dB")


if __name__ == "__main__":
    try:
        main()
    except CratediggerError as error:
        sys.exit(f"error: {error}")
