#!/usr/bin/env python3
"""Do the PyTorch twins give the logits that this project's models give?

    torch_check.py FILE... [--device cpu] [--tolerance 1e-3]

Each FILE is a directory that `train export` wrote, whose weights.safetensors is a state dict and is loaded as one; or is
written by `train bench --outputs FILE`: a safetensors file with a model's weights under this project's own names, check.waveform [batch, 1, samples] and check.spectrogram [batch, 1, n_mels, frames] (those of the two that the model
takes, as it takes them), check.logits [batch, classes] (dropout off, batch norm on its running statistics), and the
metadata "model" and "classes".
For each file the largest absolute difference of logits is printed, and the largest of the logits. The difference may be
as large as --tolerance, or as --tolerance times the largest logit where that is above one. Exit code 1: some file
is beyond that or cannot be read.
"""
from __future__ import annotations

import argparse
import os
import sys

import torch

import torch_models

CHECK = "check."
# The names that inputs have in files, where they are others than the twins' arguments.
INPUTS = {"mel": "spectrogram"}


def check(path: str, device: str, tolerance: float) -> tuple[str, bool]:
    """A row of the table, and whether the file passes."""
    exported = os.path.isdir(path)
    tensors, metadata = torch_models.read_safetensors(os.path.join(path, "check.safetensors") if exported else path)
    model = metadata.get("model", "")
    if model not in torch_models.MODELS:
        raise ValueError(f"its metadata names no model that is known here, but {model!r}")
    if exported:
        weights = torch_models.read_safetensors(os.path.join(path, "weights.safetensors"))[0]
    else:
        weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(CHECK)}
    names = [CHECK + INPUTS.get(name, name) for name in torch_models.input_names(model)]
    absent = [name for name in (*names, CHECK + "logits") if name not in tensors]
    if absent:
        raise ValueError(f"it has no {', no '.join(absent)}")
    if exported:
        module = torch_models.create(model, tensors[CHECK + "logits"].shape[1])
        module.load_state_dict(weights)
    else:
        module = torch_models.load_ours(model, weights)
    module = module.to(device).eval()
    inputs = [tensors[name].float().to(device) for name in names]
    expected = tensors[CHECK + "logits"].float()
    if str(expected.shape[1]) != metadata.get("classes", str(expected.shape[1])):
        raise ValueError(f"its metadata says {metadata['classes']} classes, its logits have {expected.shape[1]}")
    with torch.inference_mode():
        logits = module(*inputs).cpu()
    if logits.shape != expected.shape:
        raise ValueError(f"its logits are {list(expected.shape)}, the twin's {list(logits.shape)}")
    error = (logits - expected).abs().max().item()
    scale = expected.abs().max().item()
    # Not "error > limit": a NaN must not pass.
    passed = error <= tolerance * max(1.0, scale)
    parameters = torch_models.trainable_parameters(module)
    row = f"{model:<8} {parameters:>10} {expected.shape[0]:>6} {error:>14.3e} {scale:>14.3e}  "
    return row + ("agrees" if passed else "DIFFERS") + f"  {path}", passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    args = parser.parse_args()
    # The twins are the reference: full precision, whatever the files were made with.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    print(f"{'model':<8} {'parameters':>10} {'clips':>6} {'largest error':>14} {'largest logit':>14}")
    failed = False
    for path in args.files:
        try:
            row, passed = check(path, args.device, args.tolerance)
        except Exception as error:  # a damaged file is a finding, and the other files are still to be checked
            row, passed = f"error: {path} cannot be checked: {error}", False
        print(row, flush=True)
        failed |= not passed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
