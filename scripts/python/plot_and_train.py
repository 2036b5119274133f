#!/usr/bin/env python3
"""Plots a mel spectrogram and trains a small CNN for two epochs: plot_and_train.py DATASET [PNG]

Needs torch, matplotlib and a single-label data set with a split. Each `# %%` begins a cell, which VS Code, Spyder and
Jupytext run one by one.
"""

# %% Open the data set and its current split.
import sys

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from cratedigger import Dataset, FrontEnd

data = Dataset(sys.argv[1])
split = data.split()
front_end = FrontEnd.from_split(data, split)
print(f"{len(split.train)} tracks to train, {len(split.val)} to validate, {len(data.classes)} classes")

# %% Plot the stored spectrogram of a track: decibels over seconds and Hz.
track_id = split.train[0]
decibels = data.mel(track_id).astype(np.float32)
seconds, hz = data.features.frame_times(decibels.shape[1]), data.features.band_hz()
_, axes = plt.subplots(figsize=(9, 4), layout="constrained")
image = axes.pcolormesh(seconds, hz, decibels, vmin=decibels.max() - 80)
# Like the mel scale, linear up to 1 kHz and logarithmic above.
axes.set_yscale("symlog", linthresh=1000)
axes.set_yticks(ticks := [0, 500, 1000, 2000, 4000, 8000, 16000], ticks)
axes.set(xlabel="Time (s)", ylabel="Frequency (Hz)", title=f"Track {track_id}: {data.labels(track_id)[0]}")
plt.colorbar(image, label="Power (dB)")
picture = sys.argv[2] if len(sys.argv) > 2 else "mel.png"
plt.savefig(picture, dpi=120)
print(f"plotted track {track_id} to {picture}")


# %% Batches of clips: [batch, 1, n_mels, clip_frames], normalized as `train` does it.
def batch(places: list[tuple[int, int]]) -> torch.Tensor:
    return torch.from_numpy(np.stack([front_end.mel_clip(data, *place) for place in places])).unsqueeze(1)


# %% A small CNN.
torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(4)),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveMaxPool2d(1)),
    *(nn.Flatten(), nn.Linear(32, len(data.classes))),
)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
rng = np.random.default_rng(0)

# %% Train on a random clip per track and epoch. Validate on the mean probabilities of all clips of a track.
for epoch in (1, 2):
    model.train()
    for ids in np.array_split(rng.permutation(split.train), -(-len(split.train) // 16)):
        last = [front_end.last_clip(data.tracks[id_].samples) for id_ in ids]
        logits = model(batch([(id_, int(rng.integers(at + 1))) for id_, at in zip(ids.tolist(), last)]))
        loss = nn.functional.cross_entropy(logits, torch.from_numpy(data.class_indices(ids)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    guesses = []
    for id_ in split.val:
        with torch.inference_mode():
            logits = model(batch([(id_, hop) for hop in front_end.clips(data.tracks[id_].samples)]))
        guesses.append(int(logits.softmax(1).mean(0).argmax()))
    accuracy = np.mean(np.array(guesses) == data.class_indices(split.val))
    print(f"epoch {epoch}: loss of the last batch {loss.item():.3f}, validation accuracy {accuracy:.3f}")
