#!/usr/bin/env python3
"""Writes features and logits of torchvision's VGG16 for a small image, for the test of `train/src/models/vgg16.rs`.

Run with torch and torchvision:  make_vgg16_golden.py [tests/golden/vgg16.safetensors]

15 million weights are too many to store, so both sides compute them: `hashed(seed, shape)` is a 32-bit integer hash of
the index of each value, scaled to [-1, 1). The seed of a tensor is its number in the order of `state_dict`. The dense
layers after the convolutions are Linear(1536, 16), ReLU, Linear(16, 8). Weights are `hashed` times He's bound,
sqrt(6 / fan_in); biases are 0.1 times `hashed`. The image is 0.5 + 0.5 * hashed.
The network divides each of its frames as paper 4 does.

The file contains `features`, [2, 512, 1, 3], and `logits`, [2, 8], computed in float64.
"""
import math
import sys

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file

IMAGE_SEED = 1000
CLIPS, HEIGHT, WIDTH = 2, 42, 100


def hashed(seed, shape):
    """Uniform in [-1, 1); depends only on the seed and the index of each value."""
    x = np.arange(math.prod(shape), dtype=np.uint32)
    x ^= np.uint32(seed * 0x9E3779B9 % 2**32)
    # The finalizer of MurmurHash3.
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    # 24 bits are exact in float32.
    values = (x >> np.uint32(8)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return torch.from_numpy(values.reshape(shape))


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/vgg16.safetensors"
    features = torchvision.models.vgg16(weights=None).features
    dense = torch.nn.Sequential(torch.nn.Linear(512 * 3, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8))
    parameters = [*features.parameters(), *dense.parameters()]
    with torch.no_grad():
        for number, parameter in enumerate(parameters):
            values = hashed(number, parameter.shape)
            if parameter.dim() > 1:
                scale = np.float32(math.sqrt(6 / parameter[0].numel()))
            else:
                scale = np.float32(0.1)
            parameter.copy_(values * scale)
        features, dense = features.double().eval(), dense.double().eval()
        image = 0.5 + 0.5 * hashed(IMAGE_SEED, (CLIPS, 1, HEIGHT, WIDTH)).double()
        # As paper 4: from [0, 1] to [-1, 0], each column by its largest absolute value, three times the same plane.
        decibels = image - 1
        plane = decibels / decibels.abs().amax(dim=2, keepdim=True)
        found = features(plane.repeat(1, 3, 1, 1))
        logits = dense(found.flatten(1))
    print("torch", torch.__version__, "torchvision", torchvision.__version__)
    print("features", tuple(found.shape), "rms", found.square().mean().sqrt().item(), "logits", logits.tolist())
    save_file({"features": found.float().numpy(), "logits": logits.float().numpy()}, out)


if __name__ == "__main__":
    main()
