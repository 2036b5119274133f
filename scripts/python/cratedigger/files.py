"""Reads JSON, CSV and safetensors files and checks what is in them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from .errors import CratediggerError, damaged


def read_bytes(path: Path, missing: str) -> bytes:
    """The content of a file. `missing` is the sentence for a file that does not exist."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise CratediggerError(missing) from None
    except OSError as error:
        raise CratediggerError(f"could not read {path}: {error.strerror}; check its permissions") from error


def read_json(path: Path, missing: str, advice: str) -> dict[str, Any]:
    """A JSON object. `advice` says what to do if the file is damaged."""
    content = read_bytes(path, missing)
    try:
        value = json.loads(content)
    except ValueError as error:
        raise damaged(path, f"it is not JSON ({error})", advice) from error
    if not isinstance(value, dict):
        raise damaged(path, "it is not a JSON object", advice)
    return value


def parse_csv(path: Path, content: bytes, columns: Sequence[str], advice: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a table. `columns` must be in its header, and all rows must have its length."""
    try:
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
    except (ValueError, csv.Error) as error:
        raise damaged(path, f"it is not a table ({error})", advice) from error
    for column in columns:
        if column not in header:
            raise damaged(path, f"it has no column `{column}`", advice)
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise damaged(path, f"row {number} has {len(row)} cells instead of {len(header)}", advice)
    return header, rows


def read_tensors(path: Path, missing: str, advice: str) -> dict[str, NDArray[Any]]:
    """All tensors of a safetensors file."""
    content = read_bytes(path, missing)
    try:
        return load(content)
    except (SafetensorError, ValueError) as error:
        raise damaged(path, error, advice) from error


def integer(path: Path, cell: str, column: str, advice: str) -> int:
    """A cell with a number of at least 0."""
    if not (cell.isascii() and cell.isdigit()):
        raise damaged(path, f"`{cell}` in column `{column}` is not a number", advice)
    return int(cell)


def names(cell: str) -> tuple[str, ...]:
    """A cell with a list joined by `|`."""
    return tuple(cell.split("|")) if cell else ()


def indices(ids: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers as int64. Files have them as u64, and numpy makes floats of sums of i64 and u64."""
    return ids.astype(np.int64)
