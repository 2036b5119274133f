#!/usr/bin/env python3
"""Reads a data set from `preprocess build` with only safetensors and numpy.

    read_data_set.py DATASET [--split NAME] [--track ID]

Prints a summary of the data set, checks the shape of every track in its shards against tracks.csv, and prints the
loudness and the shape and range of the mel spectrogram of one track (default: the first). Needs a split; make one with
`preprocess split DATASET`. `DataSet` below is small enough to copy into your own program.
"""

import argparse
import csv
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

FORMAT_VERSION = 1
SETS = ("train", "val", "test")


class DataSet:
    """The tables of a data set, and its shards. A track is read from disk only when requested."""

    def __init__(self, root):
        self.root = Path(root)
        self.index = json.loads((self.root / "dataset.json").read_text(encoding="utf-8"))
        if self.index["format_version"] != FORMAT_VERSION:
            version = self.index["format_version"]
            raise ValueError(f"{root} has format version {version}; this script reads version {FORMAT_VERSION}")
        self.features = self.index["features"]
        self.classes = self.index["classes"]
        self.tracks = {}
        for row in self._table("tracks.csv"):
            row["labels"] = row["labels"].split("|") if row["labels"] else []
            row["samples"], row["shard"] = int(row["samples"]), int(row["shard"])
            self.tracks[int(row["track_id"])] = row
        self._shards = {}

    def _table(self, name):
        with open(self.root / name, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _tensor(self, kind, track_id):
        """A slice of one tensor. Reads only the header of the shard, once."""
        path = self.root / "shards" / f"{kind}-{self.tracks[track_id]['shard']:05}.safetensors"
        if path not in self._shards:
            self._shards[path] = safe_open(path, framework="np")
        return self._shards[path].get_slice(str(track_id))

    def waveform(self, track_id, begin=0, end=None):
        """int16 [samples], mono; divide by 32768 for values in [-1, 1)."""
        return self._tensor("waveform", track_id)[begin:end]

    def mel(self, track_id):
        """float16 [n_mels, frames], in dB, reference 1.0."""
        return self._tensor("mel", track_id)[:]

    def shapes(self, track_id):
        """Shapes of waveform and mel spectrogram in the shard headers."""
        return tuple(tuple(self._tensor(kind, track_id).get_shape()) for kind in ("waveform", "mel"))

    def expected_shapes(self, track_id):
        """Shapes according to tracks.csv and the settings in dataset.json."""
        samples = self.tracks[track_id]["samples"]
        return (samples,), (self.features["n_mels"], 1 + samples // self.features["hop_length"])

    def split(self, name=None):
        """Track ids per set, and normalization.json, of the named or the current split."""
        name = name or (self.root / "splits" / "current").read_text(encoding="utf-8").strip()
        folder = Path("splits") / name
        ids = {set_: [int(row["track_id"]) for row in self._table(folder / f"{set_}.csv")] for set_ in SETS}
        return ids, json.loads((self.root / folder / "normalization.json").read_text(encoding="utf-8"))

    def summary(self):
        """summary.safetensors: sums and MFCC and chroma statistics of each track, in the order of `track_id`."""
        return load_file(self.root / "shards" / "summary.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--split", metavar="NAME", help="default: the current split")
    parser.add_argument("--track", metavar="ID", type=int, help="default: the first track")
    arguments = parser.parse_args()

    data = DataSet(arguments.dataset)
    rate = data.features["sample_rate"]
    hours = sum(row["samples"] for row in data.tracks.values()) / rate / 3600
    print(f"tracks    {len(data.tracks)}, {hours:.2f} hours at {rate} Hz")
    counts = Counter(label for row in data.tracks.values() for label in row["labels"])
    print("classes   " + ", ".join(f"{name} {counts[name]}" for name in data.classes))

    wrong = [id_ for id_ in data.tracks if data.shapes(id_) != data.expected_shapes(id_)]
    if wrong:
        sys.exit(f"error: the shapes of these tracks in the shards differ from tracks.csv: {wrong}")
    print(f"shapes    all {len(data.tracks)} tracks match tracks.csv")

    ids, normalization = data.split(arguments.split)
    print("split     " + ", ".join(f"{set_} {len(ids[set_])}" for set_ in SETS))
    print(f"waveform  mean {normalization['waveform_mean']:.6f}, std {normalization['waveform_std']:.6f}")

    track = arguments.track if arguments.track is not None else next(iter(data.tracks))
    if track not in data.tracks:
        sys.exit(f"error: {arguments.dataset} has no track {track}")
    waveform, mel = data.waveform(track).astype(np.float64) / 32768, data.mel(track).astype(np.float32)
    rms = 10 * np.log10(np.mean(waveform**2))
    summary = data.summary()
    row = int(np.flatnonzero(summary["track_id"] == track)[0])
    summed = 10 * np.log10(summary["waveform.sum_squares"][row] / summary["waveform.samples"][row])
    if abs(rms - summed) > 1e-6:
        sys.exit(f"error: track {track} has {rms} dBFS in its shard, but {summed} dBFS in summary.safetensors")
    print(f"track     {track}: {'|'.join(data.tracks[track]['labels'])}, {len(waveform) / rate:.1f} s, {rms:.1f} dBFS")
    print(f"mel       {mel.shape[0]} bands, {mel.shape[1]} frames, {mel.min():.1f} to {mel.max():.1f} dB")


if __name__ == "__main__":
    main()
