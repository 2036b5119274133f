"""The error of this package."""

from __future__ import annotations

from pathlib import Path


class CratediggerError(Exception):
    """Something cannot be read. The message has the problem, the file and what to do next."""


# What to do about a damaged file.
VERIFY = "run `preprocess verify` to list all problems"
SPLIT_AGAIN = "make the split again under another name with `preprocess split`"
EVALUATE_AGAIN = "run `train eval` again"
EMBED_AGAIN = "run `train embed` again"
EXPORT_AGAIN = "run `train export` again"


def damaged(path: Path, detail: object, advice: str) -> CratediggerError:
    """A file that exists, but is not valid."""
    return CratediggerError(f"{path} is damaged: {detail}; {advice}")
