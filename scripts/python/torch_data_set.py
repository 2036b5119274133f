#!/usr/bin/env python3
"""One epoch of random clips with PyTorch: torch_data_set.py DATASET. Needs a single-label data set with a split."""

import csv
import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from torch.utils.data import DataLoader, Dataset


class Clips(Dataset):
    """A random clip of the waveform of each track in a set, and the index of its class."""

    def __init__(self, root, set_name="train", split=None):
        self.root = Path(root)
        index = json.loads((self.root / "dataset.json").read_text(encoding="utf-8"))
        self.clip_samples, self.classes = index["features"]["clip_samples"], index["classes"]
        folder = self.root / "splits" / (split or (self.root / "splits" / "current").read_text().strip())
        normalization = json.loads((folder / "normalization.json").read_text(encoding="utf-8"))
        self.mean, self.std = normalization["waveform_mean"], normalization["waveform_std"]
        with open(folder / f"{set_name}.csv", newline="", encoding="utf-8") as file:
            wanted = {row["track_id"] for row in csv.DictReader(file)}
        with open(self.root / "tracks.csv", newline="", encoding="utf-8") as file:
            self.rows = [row for row in csv.DictReader(file) if row["track_id"] in wanted]
        self.shards = {}  # Each worker process opens its own.

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        row = self.rows[at]
        path = self.root / "shards" / f"waveform-{int(row['shard']):05}.safetensors"
        if path not in self.shards:
            self.shards[path] = safe_open(path, framework="pt")
        waveform = self.shards[path].get_slice(row["track_id"])  # Not read yet.
        last = max(int(row["samples"]) - self.clip_samples, 0)
        begin = int(torch.randint(last + 1, ()))
        clip = waveform[begin : begin + self.clip_samples].float() / 32768
        clip = torch.nn.functional.pad(clip, (0, self.clip_samples - len(clip)))
        return (clip - self.mean) / self.std, self.classes.index(row["labels"])


if __name__ == "__main__":
    loader = DataLoader(Clips(sys.argv[1]), batch_size=4, shuffle=True, num_workers=2)
    for clips, classes in loader:
        print(f"clips {tuple(clips.shape)} {clips.dtype}, mean {clips.mean():+.3f}, classes {classes.tolist()}")
    print(f"epoch of {len(loader.dataset)} tracks in {len(loader)} batches")
