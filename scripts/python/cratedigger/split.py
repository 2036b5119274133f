"""A split of a data set, and the statistics of its training set."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import SPLIT_AGAIN, CratediggerError, damaged
from .files import integer, parse_csv, read_bytes, read_json

SETS = ("train", "val", "test")


@dataclass(frozen=True)
class Normalization:
    """Statistics of the training set: `normalization.json` of a split."""

    waveform_mean: float
    """Of samples at full scale 1."""
    waveform_std: float
    mel_mean: NDArray[np.float64]
    """`[n_mels]`, in dB as in a clip."""
    mel_std: NDArray[np.float64]
    """`[n_mels]`, in dB."""

    @classmethod
    def from_json(cls, path: Path, value: object, n_mels: int, advice: str) -> Normalization:
        """The object `value` of a file that was read from `path`."""
        if not isinstance(value, Mapping):
            raise damaged(path, "it has no `normalization`", advice)
        try:
            mean, std = float(value["waveform_mean"]), float(value["waveform_std"])
            mel_mean = np.array(value["mel_mean"], dtype=np.float64)
            mel_std = np.array(value["mel_std"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"its normalization is not valid ({error})", advice) from error
        if mel_mean.shape != (n_mels,) or mel_std.shape != (n_mels,):
            raise damaged(path, f"it does not have the mean and std of {n_mels} bands", advice)
        return cls(mean, std, mel_mean, mel_std)


@dataclass(frozen=True)
class Split:
    """A division of a data set's tracks into three sets."""

    name: str
    train: list[int]
    """Track ids, ascending; also of `val` and `test`."""
    val: list[int]
    test: list[int]
    normalization: Normalization

    def __getitem__(self, set_name: str) -> list[int]:
        """The track ids of the set `train`, `val` or `test`."""
        check_set(set_name)
        ids: list[int] = getattr(self, set_name)
        return ids


def check_set(set_name: str) -> None:
    """Refuses the name of a set that does not exist."""
    if set_name not in SETS:
        raise CratediggerError(f"a split has no set `{set_name}`; choose from {', '.join(SETS)}")


def read_split(root: Path, name: str | None, checksums: Collection[str], tracks: Collection[int], n_mels: int) -> Split:
    """Reads the named or the current split of the data set in `root`. `checksums` are those that its splits may have
    been made for, `tracks` its track ids.
    """
    name = _name(root, name)
    folder = root / "splits" / name
    index = read_json(folder / "split.json", f"{root} has no split `{name}`; {_existing(root)}", SPLIT_AGAIN)
    if index.get("dataset") not in checksums:
        raise CratediggerError(f"{folder} was made for another build of this data set; make a new split")
    ids = {set_name: _read_set(folder / f"{set_name}.csv", tracks) for set_name in SETS}
    path = folder / "normalization.json"
    value = read_json(path, f"{path} does not exist; {SPLIT_AGAIN}", SPLIT_AGAIN)
    return Split(name, **ids, normalization=Normalization.from_json(path, value, n_mels, SPLIT_AGAIN))


def _name(root: Path, name: str | None) -> str:
    """The given name, or that of the current split. Names never lead out of the data set."""
    if name is None:
        missing = f"{root} has no split yet; make one with `preprocess split {root}`"
        name = read_bytes(root / "splits" / "current", missing).decode("utf-8", "replace").strip()
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
        rule = "use letters, digits, `-`, `_` and `.`, and do not begin with `.`"
        raise CratediggerError(f"`{name}` is not a valid name of a split; {rule}")
    return name


def _existing(root: Path) -> str:
    found = sorted(path.parent.name for path in root.glob("splits/*/split.json"))
    return f"it has {', '.join(found)}" if found else f"make one with `preprocess split {root}`"


def _read_set(path: Path, tracks: Collection[int]) -> list[int]:
    content = read_bytes(path, f"{path} does not exist; {SPLIT_AGAIN}")
    header, rows = parse_csv(path, content, ["track_id"], SPLIT_AGAIN)
    at = header.index("track_id")
    ids = [integer(path, row[at], "track_id", SPLIT_AGAIN) for row in rows]
    unknown = next((id_ for id_ in ids if id_ not in tracks), None)
    if unknown is not None:
        raise damaged(path, f"the data set has no track {unknown}", SPLIT_AGAIN)
    return ids
