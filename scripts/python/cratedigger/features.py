"""The feature settings of a data set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import damaged


@dataclass(frozen=True)
class Features:
    """How mel spectrograms were computed, and the length of a clip. docs/reference/data-set.md explains each field."""

    sample_rate: int
    """Of the stored waveforms, in Hz."""
    clip_samples: int
    """Length of a model's input."""
    n_fft: int
    hop_length: int
    """Samples between frames."""
    n_mels: int
    f_min: float
    """Lower edge of the first band, in Hz."""
    f_max: float
    """Upper edge of the last band, in Hz."""
    mel_scale: str
    mel_norm: str
    pad_mode: str
    db_reference: str
    db_multiplier: float
    """Decibels per factor of 10 in power, 10 or 20."""
    top_db: float | None
    """Range of a model's input below a clip's maximum, in dB; None: all of it."""
    final_frame: bool

    @classmethod
    def from_json(cls, path: Path, value: object, advice: str) -> Features:
        """`features` of a file that was read from `path`."""
        if not isinstance(value, Mapping):
            raise damaged(path, "it has no `features`", advice)
        known: dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in value:
                raise damaged(path, f"its `features` have no `{field.name}`", advice)
            known[field.name] = value[field.name]
            if not _is_valid(str(field.type), known[field.name]):
                raise damaged(path, f"`{field.name}` of its `features` is {known[field.name]!r}", advice)
        return cls(**known)

    @property
    def clip_frames(self) -> int:
        """Frames of a clip's spectrogram."""
        return self.clip_samples // self.hop_length + int(self.final_frame)

    @property
    def clip_hops(self) -> int:
        """Hops that one clip covers, the last one maybe in part."""
        return -(-self.clip_samples // self.hop_length)

    def track_frames(self, samples: int) -> int:
        """Frames of the stored spectrogram of a track with `samples` samples."""
        return 1 + samples // self.hop_length

    def frame_times(self, frames: int) -> NDArray[np.float64]:
        """The time of the middle of each of `frames` frames, in seconds, `[frames]`."""
        return np.arange(frames, dtype=np.float64) * (self.hop_length / self.sample_rate)

    def band_hz(self) -> NDArray[np.float64]:
        """The centre of each mel band, in Hz, `[n_mels]`, as `librosa.mel_frequencies` without the two edges."""
        lowest, highest = (_to_mel(hz, self.mel_scale) for hz in (self.f_min, self.f_max))
        mels = np.linspace(lowest, highest, self.n_mels + 2, dtype=np.float64)
        return _to_hz(mels, self.mel_scale)[1:-1]


def _is_valid(kind: str, found: object) -> bool:
    """Whether a JSON value has the type of a field."""
    if kind == "int":
        return type(found) is int and found > 0
    if kind in ("str", "bool"):
        return type(found).__name__ == kind
    return type(found) in (int, float) or (kind == "float | None" and found is None)


# Slaney's scale: 200/3 Hz per mel up to 1000 Hz, then a factor of 6.4 in 27 mel.
_LINEAR_HZ, _BREAK_HZ, _BREAK_MEL, _LOG_STEP = 200.0 / 3, 1000.0, 15.0, math.log(6.4) / 27


def _to_mel(hz: float, scale: str) -> float:
    if scale == "htk":
        return 2595 * math.log10(1 + hz / 700)
    return hz / _LINEAR_HZ if hz < _BREAK_HZ else _BREAK_MEL + math.log(hz / _BREAK_HZ) / _LOG_STEP


def _to_hz(mel: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return np.asarray(700 * (10 ** (mel / 2595) - 1), dtype=np.float64)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)
