#!/usr/bin/env python3
"""Checks that the PyTorch twins give the same logits as the models of this project.

    torch_check.py FILE... [--device cpu] [--tolerance 1e-3]

Each FILE is a directory from `train export`, whose weights.safetensors is loaded as a state dict, or a safetensors file
from `train bench --outputs FILE`. The latter contains the weights under this project's names, the inputs of the model,
check.waveform [batch, 1, samples] and check.spectrogram [batch, 1, n_mels, frames], and check.logits [batch, classes],
computed without dropout and with the running statistics of batch norm. Its metadata has "model" and "classes".

Prints the largest absolute difference of the logits, and the largest absolute logit. The difference may be at most
--tolerance, or --tolerance times the largest logit if that is above one. Exits with status 1 if a file exceeds that or
cannot be read.
"""
from __future__ import annotations

import argparse
import os
import sys

import torch

import torch_models

CHECK = "check."
# Names of inputs in files that differ from the argument names of the twins.
INPUTS = {"mel": "spectrogram"}


def check(path: str, device: str, tolerance: float) -> tuple[str, bool]:
    """A row of the table, and whether the file passes."""
    exported = os.path.isdir(path)
    tensors, metadata = torch_models.read_safetensors(os.path.join(path, "check.safetensors") if exported else path)
    model = metadata.get("model", "")
    if model not in torch_models.MODELS:
        raise ValueError(f"unknown model {model!r} in its metadata")
    if exported:
        weights = torch_models.read_safetensors(os.path.join(path, "weights.safetensors"))[0]
    else:
        weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(CHECK)}
    names = [CHECK + INPUTS.get(name, name) for name in torch_models.input_names(model)]
    missing = [name for name in (*names, CHECK + "logits") if name not in tensors]
    if missing:
        raise ValueError(f"missing tensors: {', '.join(missing)}")
    if exported:
        module = torch_models.create(model, tensors[CHECK + "logits"].shape[1])
        module.load_state_dict(weights)
    else:
        module = torch_models.load_ours(model, weights)
    module = module.to(device).eval()
    inputs = [tensors[name].float().to(device) for name in names]
    expected = tensors[CHECK + "logits"].float()
    if str(expected.shape[1]) != metadata.get("classes", str(expected.shape[1])):
        raise ValueError(f"its metadata has {metadata['classes']} classes, but its logits have {expected.shape[1]}")
    with torch.inference_mode():
        logits = module(*inputs).cpu()
    if logits.shape != expected.shape:
        raise ValueError(f"its logits have shape {list(expected.shape)}, but those of the twin {list(logits.shape)}")
    error = (logits - expected).abs().max().item()
    scale = expected.abs().max().item()
    # `<=` and not `not >`, because NaN must not pass.
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
    # The twins are the reference, so they run in full precision.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    print(f"{'model':<8} {'parameters':>10} {'clips':>6} {'largest error':>14} {'largest logit':>14}")
    failed = False
    for path in args.files:
        try:
            row, passed = check(path, args.device, args.tolerance)
        except Exception as error:  # report it and check the other files
            row, passed = f"error: {path} cannot be checked: {error}", False
        print(row, flush=True)
        failed |= not passed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
