"""Model input, as `train` computes it from stored tracks."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .errors import EXPORT_AGAIN, CratediggerError, damaged
from .features import Features
from .files import read_json
from .split import Normalization, Split

FULL_SCALE = 32768
SILENCE_DB = np.float32(-100)
"""Stored value of silence."""
_NORMALIZE = ("z-score", "mean", "min-max", "none")


@dataclass(frozen=True)
class FrontEnd:
    """Cuts clips out of tracks and normalizes them. For models with the input `waveform` or `mel`: `train models`
    lists the input of each. Equal to the trainer's without augmentation, bit for bit.
    """

    features: Features
    """With the clip length of the model."""
    normalization: Normalization
    normalize: str = "z-score"
    """The setting `--normalize`: `z-score`, `mean`, `min-max` or `none`."""

    def __post_init__(self) -> None:
        if self.normalize not in _NORMALIZE:
            choices = ", ".join(_NORMALIZE)
            raise CratediggerError(f"unknown normalization `{self.normalize}`; choose from {choices}")

    @classmethod
    def from_split(cls, data: Dataset, split: Split, normalize: str = "z-score") -> FrontEnd:
        """With the clip length of the data set and the statistics of the split's training set."""
        return cls(data.features, split.normalization, normalize)

    @classmethod
    def from_export(cls, directory: str | PathLike[str]) -> FrontEnd:
        """The input of a trained model that `train export` wrote to `directory`."""
        path = Path(directory) / "config.json"
        missing = f"{directory} has no config.json; make it with `train export --run RUN --out {directory}`"
        config = read_json(path, missing, EXPORT_AGAIN)
        features = Features.from_json(path, config.get("features"), EXPORT_AGAIN)
        known = {"waveform": [1, features.clip_samples], "spectrogram": [1, features.n_mels, features.clip_frames]}
        inputs = config.get("input")
        if not isinstance(inputs, dict):
            raise damaged(path, "it has no `input`", EXPORT_AGAIN)
        if config.get("pcm8") or any(shape != known.get(name) for name, shape in inputs.items()):
            raise CratediggerError(
                f"{path} is of the model {config.get('model')}, whose input is not a waveform or mel spectrogram of "
                "16-bit samples; use `train predict`, which computes it"
            )
        normalization = Normalization.from_json(path, config.get("normalization"), features.n_mels, EXPORT_AGAIN)
        return cls(features, normalization, str(config.get("normalize")))

    def clips(self, samples: int) -> list[int]:
        """Where the clips begin that `train eval` takes of a track of `samples` samples, in hops: as many as fit, and
        one that ends at the track's end. A track's probabilities are the mean over them.
        """
        hops, available = self.features.clip_hops, samples // self.features.hop_length
        if available < hops:
            return [0]
        return [min(begin, available - hops) for begin in range(0, available, hops)]

    def last_clip(self, samples: int) -> int:
        """Where the last clip of a track of `samples` samples begins, in hops. Training draws from 0 to this number."""
        return max(samples - self.features.clip_samples, 0) // self.features.hop_length

    def waveform_clip(self, data: Dataset, track_id: int, hop: int) -> NDArray[np.float32]:
        """The normalized samples of the clip that begins at hop `hop`, `[clip_samples]`. After the track's end, samples
        are 0 before they are normalized.
        """
        begin = hop * self.features.hop_length
        stored = data.waveform(track_id, begin, begin + self.features.clip_samples)
        samples = np.zeros(self.features.clip_samples, dtype=np.float32)
        samples[: len(stored)] = stored / np.float32(FULL_SCALE)
        mean, std = self.normalization.waveform_mean, self.normalization.waveform_std
        return self._normalized(samples, np.float32(mean), np.float32(1 / std))

    def mel_clip(self, data: Dataset, track_id: int, hop: int) -> NDArray[np.float32]:
        """The normalized spectrogram of the clip that begins at hop `hop`, `[n_mels, clip_frames]`. After the track's
        end, it is silent before it is normalized.
        """
        if self.features.pad_mode != "constant":
            raise CratediggerError(
                f"clips of {data.root} cannot be cut out of its spectrograms, because its pad_mode is "
                f"`{self.features.pad_mode}`; compute them from `waveform`"
            )
        frames = self.features.clip_frames
        stored = data.mel(track_id, hop, hop + frames)
        decibels = np.full((self.features.n_mels, frames), SILENCE_DB)
        decibels[:, : stored.shape[1]] = stored
        mean, std = self.normalization.mel_mean, self.normalization.mel_std
        scale = (1 / std).astype(np.float32)
        return self._normalized(self.decibels(decibels), mean.astype(np.float32)[:, None], scale[:, None])

    def decibels(self, stored: NDArray[np.float32]) -> NDArray[np.float32]:
        """Stored decibels of a clip, with `db_reference`, `db_multiplier` and `top_db` applied. Same shape."""
        features = self.features
        if features.db_multiplier != 10:
            stored = np.maximum(stored * np.float32(features.db_multiplier / 10), SILENCE_DB)
        maximum = stored.max()
        if features.db_reference == "max":
            # Silence is 0 dB, as in librosa.
            stored, maximum = stored - np.maximum(maximum, SILENCE_DB), np.float32(0)
        if features.top_db is not None:
            stored = np.maximum(stored, maximum - np.float32(features.top_db))
        return stored

    def _normalized(
        self,
        values: NDArray[np.float32],
        mean: np.float32 | NDArray[np.float32],
        scale: np.float32 | NDArray[np.float32],
    ) -> NDArray[np.float32]:
        if self.normalize == "z-score":
            return (values - mean) * scale
        if self.normalize == "mean":
            return values - mean
        if self.normalize == "min-max":
            lowest, highest = values.min(), values.max()
            return np.zeros_like(values) if lowest == highest else (values - lowest) / (highest - lowest)
        return values
