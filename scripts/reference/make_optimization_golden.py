#!/usr/bin/env python3
"""What PyTorch's optimizers, learning rate schedulers and gradient clipping do, for `train/src/step/golden_tests.rs`.

Run with torch:  make_optimization_golden.py [tests/golden/optimization.safetensors]

Optimizers train two parameters, `weight` [3, 4] and `bias` [4], with given gradients for 50 steps. Both sides start from
the stored `weight` and `bias`. The gradients of step t are `gradients/weight` [50, 3, 4] and `gradients/bias` [50, 4].

Stored of each optimizer NAME, with weight decay 0.01: `NAME/lr` [1], `NAME/weight` [50, 3, 4] and `NAME/bias` [50, 4], the
parameters after each step. Of clip_grad_norm_: `clip/largest` [2], and `clip/weight` [2, 3, 4] and `clip/bias` [2, 4], the
gradients of step 0 clipped to each norm. The second norm is larger than that of the gradient.

Schedules have 5 epochs of 10 steps. Stored: 50 factors of the learning rate of each. `cosine_warmup` and `linear_warmup`
rise for one epoch and a half. `plateau/losses` [20] are validation losses, and `plateau/factors` [20] the factor after each.
"""
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

STEPS, WARMUP, DECAY = 50, 15, 0.01

path = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/optimization.safetensors"
rng = np.random.default_rng(17)
shapes = {"weight": (3, 4), "bias": (4,)}
tensors = {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}
for name, shape in shapes.items():
    # Of very different sizes, so each epsilon matters.
    size = 10.0 ** rng.uniform(-7, 1, (STEPS, *shape))
    tensors[f"gradients/{name}"] = (rng.normal(0.3, 1, (STEPS, *shape)) * size).astype(np.float32)

optimizers = {
    "adam": (0.01, lambda p, lr: torch.optim.Adam(p, lr=lr, weight_decay=DECAY)),
    "adamw": (0.01, lambda p, lr: torch.optim.AdamW(p, lr=lr, weight_decay=DECAY)),
    "sgd": (0.01, lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True, weight_decay=DECAY)),
    "rmsprop": (0.01, lambda p, lr: torch.optim.RMSprop(p, lr=lr, weight_decay=DECAY)),
    "adadelta": (1.0, lambda p, lr: torch.optim.Adadelta(p, lr=lr, weight_decay=DECAY)),
}
for kind, (lr, make) in optimizers.items():
    parameters = {name: torch.nn.Parameter(torch.from_numpy(tensors[name].copy())) for name in shapes}
    optimizer = make(list(parameters.values()), lr)
    after = {name: [] for name in shapes}
    for step in range(STEPS):
        for name, parameter in parameters.items():
            parameter.grad = torch.from_numpy(tensors[f"gradients/{name}"][step].copy())
        optimizer.step()
        for name, parameter in parameters.items():
            after[name].append(parameter.detach().numpy().copy())
    tensors[f"{kind}/lr"] = np.array([lr], np.float32)
    for name in shapes:
        tensors[f"{kind}/{name}"] = np.stack(after[name])

norms = [0.5, 1e4]
tensors["clip/largest"] = np.array(norms, np.float32)
for name in shapes:
    tensors[f"clip/{name}"] = []
for largest in norms:
    parameters = {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}
    for name, parameter in parameters.items():
        parameter.grad = torch.from_numpy(tensors[f"gradients/{name}"][0].copy())
    torch.nn.utils.clip_grad_norm_(parameters.values(), largest)
    for name, parameter in parameters.items():
        tensors[f"clip/{name}"].append(parameter.grad.numpy().copy())
for name in shapes:
    tensors[f"clip/{name}"] = np.stack(tensors[f"clip/{name}"])


def factors(make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates, np.float32)


def after_warmup(make):
    def build(optimizer):
        warmup = LambdaLR(optimizer, lambda step: (step + 1) / WARMUP)
        return SequentialLR(optimizer, [warmup, make(optimizer, STEPS - WARMUP)], [WARMUP])

    return build


def cosine(optimizer, steps):
    return CosineAnnealingLR(optimizer, T_max=steps)


def linear(optimizer, steps):
    return LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps)


tensors["schedule/cosine"] = factors(lambda optimizer: cosine(optimizer, STEPS))
tensors["schedule/linear"] = factors(lambda optimizer: linear(optimizer, STEPS))
tensors["schedule/cosine_warmup"] = factors(after_warmup(cosine))
tensors["schedule/linear_warmup"] = factors(after_warmup(linear))
tensors["schedule/constant_warmup"] = factors(
    lambda optimizer: LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / WARMUP))
)
tensors["schedule/one_cycle"] = factors(
    lambda optimizer: OneCycleLR(optimizer, max_lr=1.0, total_steps=STEPS, cycle_momentum=False)
)
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0)
losses = np.round(2 / np.arange(1, 21) ** 0.3 + rng.normal(0, 0.15, 20), 3)
losses[8:] = np.maximum(losses[8:], losses[:8].min())
rates = []
for loss in losses:
    scheduler.step(loss)
    rates.append(optimizer.param_groups[0]["lr"])
tensors["plateau/losses"] = losses.astype(np.float32)
tensors["plateau/factors"] = np.array(rates, np.float32)

save_file(tensors, path)
print(f"wrote {len(tensors)} tensors to {path}; plateau ends with {rates[-1]}")
