#!/usr/bin/env python3
"""One epoch of random clips with PyTorch: torch_data_set.py DATASET. Needs a single-label data set with a split."""

import sys

import torch
from torch.utils.data import DataLoader, Dataset

import cratedigger


class Clips(Dataset[tuple[torch.Tensor, int]]):
    """A random clip of the waveform of each track in a set, and the index of its class."""

    def __init__(self, data: cratedigger.Dataset, set_name: str = "train", split: str | None = None) -> None:
        chosen = data.split(split)
        self.data, self.ids = data, chosen[set_name]
        self.targets = data.class_indices(self.ids)
        self.front_end = cratedigger.FrontEnd.from_split(data, chosen)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, int]:
        track_id = self.ids[at]
        last = self.front_end.last_clip(self.data.track(track_id).samples)
        hop = int(torch.randint(last + 1, ()))  # Of torch, whose seed differs between worker processes.
        return torch.from_numpy(self.front_end.waveform_clip(self.data, track_id, hop)), int(self.targets[at])


if __name__ == "__main__":
    try:
        clips_of_set = Clips(cratedigger.Dataset(sys.argv[1]))
    except cratedigger.CratediggerError as error:
        sys.exit(f"error: {error}")
    loader = DataLoader(clips_of_set, batch_size=4, shuffle=True, num_workers=2)
    for clips, classes in loader:
        print(f"clips {tuple(clips.shape)} {clips.dtype}, mean {clips.mean():+.3f}, classes {classes.tolist()}")
    print(f"epoch of {len(clips_of_set)} tracks in {len(loader)} batches")
