"""A data set: its tables in memory, and its waveforms and mel spectrograms on request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from .errors import VERIFY, CratediggerError, damaged
from .features import Features
from .files import integer, names, parse_csv, read_bytes, read_json, read_tensors
from .split import Split, read_split

FORMAT_VERSION = 1
_COLUMNS = ("track_id", "labels", "artist", "album", "official_split", "path", "samples", "flags", "recording", "shard")


@dataclass(frozen=True)
class Track:
    """A row of `tracks.csv`."""

    id: int
    labels: tuple[str, ...]
    """One class, or any number of tags."""
    artist: str
    """The source's number or name; empty if unknown. Also of `album`."""
    album: str
    official_split: str
    """`train`, `val` or `test` in the source's own split, or empty."""
    path: str
    """The audio file, relative to the audio directory."""
    samples: int
    """Length of the stored waveform."""
    flags: tuple[str, ...]
    recording: int
    """Lowest id of the tracks of the same recording."""
    shard: int


class Dataset:
    """A data set made by `preprocess build`, or one of its feature sets.

    Tracks are read from disk only when requested. An object can be copied to other processes, such as the workers of a
    PyTorch `DataLoader`; each opens the shards itself.
    """

    root: Path
    features: Features
    classes: list[str]
    """In the order of a model's outputs."""
    multi_label: bool
    """Whether a track can have any number of labels."""
    tracks: dict[int, Track]
    """By id, ascending."""

    def __init__(self, root: str | PathLike[str]) -> None:
        self.root = Path(root)
        path = self.root / "dataset.json"
        missing = (
            f"{self.root} is not a data set: it has no dataset.json; make it with `preprocess build`, "
            "or run the interrupted build again to finish it"
        )
        index = read_json(path, missing, VERIFY)
        version = index.get("format_version")
        if version != FORMAT_VERSION:
            raise CratediggerError(
                f"{path} has format version {version} and this package reads version {FORMAT_VERSION}; "
                "use the package that came with the program that made it"
            )
        self.features = Features.from_json(path, index.get("features"), VERIFY)
        self.multi_label = index.get("task") == "multi-label"
        try:
            self.classes = [str(name) for name in index["classes"]]
            self._checksums = frozenset([index["checksum"], *index.get("earlier", [])])
            size = int(index["files"]["tracks.csv"]["bytes"])
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"`classes`, `checksum` or `files` is not valid ({error})", VERIFY) from error
        self._class_index = {name: at for at, name in enumerate(self.classes)}
        self.tracks = {track.id: track for track in self._read_tracks(size)}
        self._shards: dict[Path, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shards": {}}

    def _read_tracks(self, size: int) -> Iterable[Track]:
        path = self.root / "tracks.csv"
        content = read_bytes(path, f"{path} does not exist; {VERIFY}")
        if len(content) != size:
            raise damaged(path, f"it has {len(content)} bytes instead of {size}", VERIFY)
        header, rows = parse_csv(path, content, _COLUMNS, VERIFY)
        for row in rows:
            cells = dict(zip(header, row))
            track_id, samples, recording, shard = (
                integer(path, cells[column], column, VERIFY) for column in ("track_id", "samples", "recording", "shard")
            )
            labels = names(cells["labels"])
            unknown = next((label for label in labels if label not in self._class_index), None)
            if unknown is not None:
                detail = f"track {track_id} has the label `{unknown}`, which dataset.json does not list"
                raise damaged(path, detail, VERIFY)
            yield Track(
                id=track_id,
                labels=labels,
                artist=cells["artist"],
                album=cells["album"],
                official_split=cells["official_split"],
                path=cells["path"],
                samples=samples,
                flags=names(cells["flags"]),
                recording=recording,
                shard=shard,
            )

    def track(self, track_id: int) -> Track:
        """A row of `tracks.csv`."""
        try:
            return self.tracks[track_id]
        except KeyError:
            raise CratediggerError(f"{self.root} has no track {track_id}; `tracks` lists the ids") from None

    def labels(self, track_id: int) -> tuple[str, ...]:
        """A track's class, or its tags."""
        return self.track(track_id).labels

    def class_indices(self, track_ids: Iterable[int]) -> NDArray[np.int64]:
        """The positions of the tracks' classes in `classes`, `[n]`. For single-label data sets."""
        found = []
        for track_id in track_ids:
            labels = self.labels(track_id)
            if len(labels) != 1:
                raise CratediggerError(
                    f"track {track_id} of {self.root} has {len(labels)} labels instead of one; use `tags`"
                )
            found.append(self._class_index[labels[0]])
        return np.array(found, dtype=np.int64)

    def tags(self, track_ids: Iterable[int]) -> NDArray[np.float32]:
        """1 for each label that a track has, otherwise 0, `[n, classes]`."""
        rows = list(track_ids)
        found = np.zeros((len(rows), len(self.classes)), dtype=np.float32)
        for row, track_id in enumerate(rows):
            found[row, [self._class_index[label] for label in self.labels(track_id)]] = 1
        return found

    def waveform(self, track_id: int, begin: int = 0, end: int | None = None) -> NDArray[np.int16]:
        """Mono samples from `begin` to `end`, `[samples]`. Divide by 32768 for values in [-1, 1).

        Reads only these samples. The result is shorter if the track is.
        """
        length = self.track(track_id).samples
        values: NDArray[np.int16] = self._tensor("waveform", track_id)[_range(begin, end, length)]
        return values

    def mel(self, track_id: int, begin: int = 0, end: int | None = None) -> NDArray[np.float16]:
        """Frames `begin` to `end` of the power mel spectrogram in dB, `[n_mels, frames]`, reference 1.0, low bands
        first. Reads only these frames. The result is shorter if the track is.
        """
        length = self.features.track_frames(self.track(track_id).samples)
        values: NDArray[np.float16] = self._tensor("mel", track_id)[:, _range(begin, end, length)]
        return values

    def check(self) -> None:
        """Compares the shape of every track in the shards with `tracks.csv`. Reads no samples. Reading a track checks
        its shape, too.
        """
        for track_id in self.tracks:
            for kind in ("waveform", "mel"):
                self._tensor(kind, track_id)

    def split(self, name: str | None = None) -> Split:
        """The named split, or the current one."""
        return read_split(self.root, name, self._checksums, self.tracks.keys(), self.features.n_mels)

    def summary(self) -> dict[str, NDArray[Any]]:
        """`summary.safetensors`: sums, and MFCC and chroma statistics, a row per track in the order of `track_id`."""
        path = self.root / "shards" / "summary.safetensors"
        return read_tensors(path, f"{path} does not exist; {VERIFY}", VERIFY)

    def _tensor(self, kind: str, track_id: int) -> Any:
        """A tensor of a shard whose values are not read yet. The header of a shard is read once."""
        track = self.track(track_id)
        path = self.root / "shards" / f"{kind}-{track.shard:05}.safetensors"
        expected = [track.samples]
        if kind == "mel":
            expected = [self.features.n_mels, self.features.track_frames(track.samples)]
        try:
            if path not in self._shards:
                self._shards[path] = safe_open(path, framework="np")
            tensor = self._shards[path].get_slice(str(track_id))
        except FileNotFoundError:
            raise CratediggerError(f"{path} does not exist; {VERIFY}") from None
        except (SafetensorError, OSError) as error:
            raise damaged(path, error, VERIFY) from error
        if (shape := list(tensor.get_shape())) != expected:
            detail = f"track {track_id} has the shape {shape} instead of {expected} as in tracks.csv"
            raise damaged(path, detail, VERIFY)
        return tensor


def _range(begin: int, end: int | None, length: int) -> slice:
    """A range within a tensor."""
    end = length if end is None else min(end, length)
    if begin < 0 or end < 0:
        raise CratediggerError(f"the range {begin} to {end} begins before the track; use numbers from 0")
    # safetensors refuses a range that begins at the end.
    return slice(begin, end) if begin < end else slice(0, 0)
