#!/usr/bin/env python3
"""Checks that ONNX Runtime gives the same scores as the models of this project.

    onnx_check.py DIR... [--tolerance 1e-4]

Each DIR is a directory from `train export --format onnx`. Its check.safetensors has the inputs of the model, such as
check.spectrogram [batch, 1, n_mels, frames], and its outputs, such as check.logits [batch, classes]. The model runs once
with all clips and once with the first one only.

Prints the largest absolute difference of each output, and its largest absolute value. The difference may be at most
--tolerance, or --tolerance times the largest value if that is above one. Exits with status 1 if a file exceeds that or
cannot be read.
"""
from __future__ import annotations

import argparse
import os
import sys

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

CHECK = "check."


def check(directory: str, tolerance: float) -> bool:
    """Prints a row for each output; returns whether all pass."""
    tensors = load_file(os.path.join(directory, "check.safetensors"))
    session = onnxruntime.InferenceSession(
        os.path.join(directory, "model.onnx"), providers=["CPUExecutionProvider"]
    )
    model = session.get_modelmeta().custom_metadata_map["model"]
    inputs = {node.name: tensors[CHECK + node.name] for node in session.get_inputs()}
    names = [node.name for node in session.get_outputs() if CHECK + node.name in tensors]
    if not names:
        raise ValueError(f"check.safetensors has no output such as `{CHECK}logits`")
    first = session.run(names, {name: clips[:1] for name, clips in inputs.items()})
    passed = bool(names)
    for name, found, alone in zip(names, session.run(names, inputs), first):
        expected = tensors[CHECK + name]
        for shape, wanted in ((found.shape, expected.shape), (alone.shape, expected[:1].shape)):
            if shape != wanted:
                raise ValueError(f"its {name} have shape {list(shape)} instead of {list(wanted)}")
        # Not `max` of Python, which can drop NaN.
        error = np.maximum(np.abs(found - expected).max(), np.abs(alone - expected[:1]).max())
        scale = np.abs(expected).max()
        # `<=` and not `not >`, because NaN must not pass.
        agrees = bool(error <= tolerance * max(1.0, scale))
        passed &= agrees
        row = f"{model:<24} {name:<13} {len(expected):>5} {error:>14.3e} {scale:>14.3e}  "
        print(row + ("agrees" if agrees else "DIFFERS") + f"  {directory}", flush=True)
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", metavar="DIR")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    print(f"{'model':<24} {'output':<13} {'clips':>5} {'largest error':>14} {'largest value':>14}")
    failed = False
    for directory in args.directories:
        try:
            failed |= not check(directory, args.tolerance)
        except Exception as error:  # report it and check the other directories
            print(f"error: {directory} cannot be checked: {error}", flush=True)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
