"""Predictions of a run and embeddings of its tracks."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EMBED_AGAIN, EVALUATE_AGAIN, CratediggerError, damaged
from .files import indices, integer, names, parse_csv, read_bytes, read_tensors
from .split import SETS, check_set


@dataclass(frozen=True)
class Predictions:
    """Predictions for the n tracks of a set."""

    classes: list[str]
    """In the order of the columns of `probabilities`."""
    track_ids: NDArray[np.int64]
    """`[n]`."""
    labels: list[tuple[str, ...]]
    """The true class, or the true tags, of each track."""
    predicted: list[tuple[str, ...]]
    """The class of the highest probability, or the tags at or above their threshold."""
    probabilities: NDArray[np.float32]
    """`[n, classes]`, the mean over each track's clips."""

    @property
    def targets(self) -> NDArray[np.bool_]:
        """Whether a track has a label, `[n, classes]`: `y_true` of scikit-learn's multi-label metrics."""
        rows = [[name in labels for name in self.classes] for labels in self.labels]
        return np.array(rows, dtype=np.bool_).reshape(self.probabilities.shape)


def predictions(run: str | PathLike[str], set_name: str = "test") -> Predictions:
    """The predictions of a run, or of a set of runs, for the set `train`, `val` or `test`."""
    check_set(set_name)
    path = Path(run) / ("predictions.csv" if set_name == "test" else f"predictions-{set_name}.csv")
    set_flag = "" if set_name == "test" else f" --set {set_name}"
    missing = f"{path} does not exist; make it with `train eval --run {run}{set_flag}`"
    fixed = ["track_id", "labels", "predicted"]
    header, rows = parse_csv(path, read_bytes(path, missing), fixed, EVALUATE_AGAIN)
    if header[:3] != fixed:
        raise damaged(path, f"its first columns are not {', '.join(fixed)}", EVALUATE_AGAIN)
    try:
        probabilities = np.array([row[3:] for row in rows], dtype=np.float32)
    except ValueError as error:
        raise damaged(path, f"a probability is not a number ({error})", EVALUATE_AGAIN) from error
    return Predictions(
        classes=header[3:],
        track_ids=np.array([integer(path, row[0], "track_id", EVALUATE_AGAIN) for row in rows], dtype=np.int64),
        labels=[names(row[1]) for row in rows],
        predicted=[names(row[2]) for row in rows],
        probabilities=probabilities.reshape(len(rows), len(header) - 3),
    )


@dataclass(frozen=True)
class Embeddings:
    """The output of `train embed`: a row per clip, or per track if it has several networks."""

    values: NDArray[np.float32]
    """`[n, dimension]`: activations before the last layer."""
    track_ids: NDArray[np.int64]
    """`[n]`. Clips of a track are in consecutive rows."""
    clips: NDArray[np.int64]
    """`[n]`: number of the clip within its track."""
    sets: NDArray[np.uint8]
    """`[n]`: position in `SETS`, 0 train, 1 val, 2 test."""
    classes: NDArray[np.int64] | None
    """`[n]`: class index, -1 if the track has no class. None if multi-label."""
    tags: NDArray[np.bool_] | None
    """`[n, tags]`. None if single-label."""

    def rows(self, set_name: str) -> NDArray[np.bool_]:
        """A mask of the rows of the set `train`, `val` or `test`, `[n]`."""
        check_set(set_name)
        return np.asarray(self.sets == SETS.index(set_name))


def embeddings(file: str | PathLike[str]) -> Embeddings:
    """Reads a file that `train embed --out FILE` wrote."""
    path = Path(file)
    missing = f"{path} does not exist; make it with `train embed --run RUN --out {path}`"
    tensors: dict[str, NDArray[Any]] = read_tensors(path, missing, EMBED_AGAIN)
    for name in ("embeddings", "track_id", "clip", "set"):
        if name not in tensors:
            raise CratediggerError(
                f"{path} has no tensor `{name}`; give a file that `train embed` made of a data set"
            )
    lengths = {len(tensor) for tensor in tensors.values()}
    if len(lengths) != 1:
        raise damaged(path, f"its tensors have different numbers of rows ({sorted(lengths)})", EMBED_AGAIN)
    return Embeddings(
        values=tensors["embeddings"],
        track_ids=indices(tensors["track_id"]),
        clips=indices(tensors["clip"]),
        sets=tensors["set"],
        classes=tensors.get("class"),
        tags=tensors["tags"].astype(np.bool_) if "tags" in tensors else None,
    )
