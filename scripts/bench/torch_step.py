#!/usr/bin/env python3
"""Measures the training step of the four models in PyTorch.

    torch_step.py --model M[,M...] --batch-size N[,N...] --device cpu|cuda --csv FILE
                  [--precision f32[,tf32,bf16]] [--channels-last] [--compile] [--graphs] [--autotune]
                  [--engines eager,compile] [--threads N] [--keep-memory] [--steps K] [--warmup W] [--classes C]
                  [--budget-s S]

A step is forward, cross entropy, backward and Adam (lr 1e-3, weight decay 1e-5, fused) on one random batch in device
memory, so data loading costs nothing. f32 is full precision, tf32 uses TF32 for matrix products and convolutions
(CUDA only), bf16 is autocast with f32 weights and TF32 for other operations.

Each model is measured eagerly in PyTorch's default memory format. Options add variants:
  --channels-last  channels_last memory format, for models with 2-D convolutions
  --compile        torch.compile in its default mode
  --graphs         CUDA only: each of the above as one CUDA graph of the whole step, and torch.compile with
                   mode="reduce-overhead"
  --autotune       torch.compile with mode="max-autotune"
--engines compile leaves out the eager variants. --keep-memory (CPU with glibc) makes the allocator keep freed memory
for the next step and adds "-kept" to the names of variants. Without it a step spends much of its time in page faults,
because every activation is allocated from the kernel and returned to it. A failing variant is reported on stderr and
the others are still measured. All models are measured with one variant before the next, the fast variants first. No
variant starts after --budget-s seconds.

Appends one row per variant to the CSV file as soon as it is measured. Milliseconds are medians over --steps steps
after --warmup steps, measured with CUDA events, or the clock on a CPU. A CUDA graph has no separate phases. Exits with
status 1 if nothing could be measured.
"""
from __future__ import annotations

import argparse
import csv
import ctypes
import gc
import os
import statistics
import sys
import time
from typing import Callable, NamedTuple, Optional

import torch
from torch.nn import functional

import torch_models

COLUMNS = (
    "peer", "model", "batch_size", "device", "precision", "variant",
    "samples_per_s", "ms_step", "ms_forward", "ms_backward", "ms_optimizer",
)


# malloc.h of glibc.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


class Variant(NamedTuple):
    engine: str  # "eager" or "compile"
    layout: str  # "nchw" or "channels_last"
    mode: Optional[str] = None  # mode of torch.compile, or "graph": the whole step in one CUDA graph

    def name(self) -> str:
        return "-".join(part for part in (self.engine, self.mode, self.layout) if part)


class Times(NamedTuple):
    step: float
    forward: Optional[float] = None
    backward: Optional[float] = None
    optimizer: Optional[float] = None


def variants_of(args: argparse.Namespace) -> list[Variant]:
    layouts = ["nchw", "channels_last"] if args.channels_last else ["nchw"]
    # channels_last first: it is faster on GPUs, and the time may run out.
    layouts.reverse()
    graphs = args.graphs and args.device.startswith("cuda")
    found = []
    if "eager" in args.engines:
        found += [Variant("eager", layout) for layout in layouts]
        # Last, because a failed capture can make the device unusable.
        found += [Variant("eager", layout, "graph") for layout in layouts] if graphs else []
    if "compile" in args.engines:
        found += [Variant("compile", layout) for layout in layouts] if args.compile else []
        if graphs:
            found.append(Variant("compile", layouts[0], "reduce-overhead"))
        if args.autotune:
            found.append(Variant("compile", layouts[0], "max-autotune"))
    return found


class Trainer:
    """One model, its optimizer and one batch, ready to step."""

    def __init__(self, model: str, batch: int, precision: str, variant: Variant, args: argparse.Namespace):
        torch.manual_seed(0)
        self.device = torch.device(args.device)
        self.precision = precision
        self.mode = variant.mode
        layout = torch.channels_last if variant.layout == "channels_last" else torch.contiguous_format
        module = torch_models.create(model, args.classes).to(self.device)
        self.module = module.to(memory_format=layout) if variant.layout == "channels_last" else module
        self.module.train()
        shapes = {
            "waveform": (batch, 1, torch_models.CLIP_SAMPLES),
            "mel": (batch, 1, torch_models.N_MELS, torch_models.FRAMES),
        }
        self.inputs = []
        for name in torch_models.input_names(model):
            x = torch.randn(shapes[name], device=self.device)
            self.inputs.append(x.contiguous(memory_format=layout) if name == "mel" else x)
        self.labels = torch.randint(args.classes, (batch,), device=self.device)
        self.optimizer = torch.optim.Adam(
            self.module.parameters(), lr=1e-3, weight_decay=1e-5, fused=True, capturable=self.on_cuda()
        )
        self.loss = self.compute_loss
        if variant.engine == "compile":
            # torch.compile skips LSTMs, which run in cuDNN or oneDNN, and compiles the layers before and after.
            self.loss = torch.compile(self.compute_loss, mode=variant.mode, dynamic=False)

    def on_cuda(self) -> bool:
        return self.device.type == "cuda"

    def compute_loss(self) -> torch.Tensor:
        return functional.cross_entropy(self.module(*self.inputs), self.labels)

    def forward(self) -> torch.Tensor:
        # Each weight is cast once per step, so a cache of casts is useless. It would also outlive a captured graph.
        with torch.autocast(self.device.type, torch.bfloat16, self.precision == "bf16", cache_enabled=False):
            return self.loss()

    def step(self, mark: Callable[[], None] = lambda: None) -> torch.Tensor:
        """`mark` is called before, between and after the phases."""
        if self.mode == "reduce-overhead" or (self.mode == "max-autotune" and self.on_cuda()):
            torch.compiler.cudagraph_mark_step_begin()
        mark()
        loss = self.forward()
        mark()
        loss.backward()
        mark()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        mark()
        return loss.detach()

    def captured(self) -> Callable[[Callable[[], None]], torch.Tensor]:
        """Captures the step in one CUDA graph. Returns a function like `step` that calls `mark` only at both ends."""
        # Run once on another stream first: plans, workspaces and lazy state must not be created during the capture.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self.step()
        # An empty graph would be very fast, so check that it trains.
        weight = next(self.module.parameters())
        before = weight.detach().clone()
        graph.replay()
        torch.cuda.synchronize()
        if torch.equal(before, weight):
            raise RuntimeError("the captured step does not change the weights")

        def replay(mark: Callable[[], None] = lambda: None) -> torch.Tensor:
            mark()
            graph.replay()
            mark()
            return loss

        return replay


def measure(step: Callable[..., torch.Tensor], on_cuda: bool, warmup: int, steps: int) -> Times:
    """Medians over `steps` steps, in milliseconds. On CUDA all steps are queued before waiting for the device."""
    for _ in range(warmup):
        loss = step()
    if on_cuda:
        torch.cuda.synchronize()
    rows: list[list] = []

    def mark() -> None:
        if on_cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            rows[-1].append(event)
        else:
            rows[-1].append(time.perf_counter())

    for _ in range(steps):
        rows.append([])
        loss = step(mark)
    if on_cuda:
        torch.cuda.synchronize()
    if not torch.isfinite(loss).item():
        raise ArithmeticError(f"the loss is {loss.item()} after {warmup + steps} steps")

    def median_ms(begin: int, end: int) -> float:
        if on_cuda:
            return statistics.median(row[begin].elapsed_time(row[end]) for row in rows)
        return statistics.median(1e3 * (row[end] - row[begin]) for row in rows)

    if len(rows[0]) == 2:
        return Times(median_ms(0, 1))
    return Times(median_ms(0, 3), median_ms(0, 1), median_ms(1, 2), median_ms(2, 3))


def keep_memory() -> None:
    """Makes malloc keep freed memory, as jemalloc and tcmalloc do. Raises if the C library is not glibc."""
    libc = ctypes.CDLL("libc.so.6")
    if not (libc.mallopt(M_MMAP_MAX, 0) and libc.mallopt(M_TRIM_THRESHOLD, -1)):
        raise OSError("mallopt of glibc failed")


def set_precision(precision: str) -> None:
    tf32 = precision != "f32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def append(path: str, row: dict) -> None:
    new = not os.path.exists(path) or os.path.getsize(path) == 0
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def has_2d(model: str) -> bool:
    return "mel" in torch_models.input_names(model)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--model", type=names, required=True)
    parser.add_argument("--batch-size", type=lambda text: [int(part) for part in text.split(",")], required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", type=names, default=["f32"])
    parser.add_argument("--engines", type=names, default=["eager", "compile"])
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--graphs", action="store_true")
    parser.add_argument("--autotune", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--keep-memory", action="store_true")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--classes", type=int, default=8)
    parser.add_argument("--budget-s", type=float, default=float("inf"))
    parser.add_argument("--csv", required=True)
    args = parser.parse_args()
    for given, known, what in (
        (args.model, torch_models.MODELS, "model"),
        (args.precision, ("f32", "tf32", "bf16"), "precision"),
        (args.engines, ("eager", "compile"), "engine"),
    ):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"unknown {what} {unknown[0]!r}; choose from {', '.join(known)}")
    if min(*args.batch_size, args.steps, args.warmup, 1) < 1:
        parser.error("--batch-size, --steps and --warmup must be at least 1")
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("PyTorch finds no CUDA device; use --device cpu")
    return args


def main() -> int:
    begin = time.perf_counter()
    args = parse()
    on_cuda = args.device.startswith("cuda")
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True
    if args.keep_memory:
        keep_memory()
    suffix = "-kept" if args.keep_memory else ""
    measured = 0
    # Models without 2-D convolutions have one layout; using dict keys removes duplicates.
    jobs = list(dict.fromkeys(
        (variant if has_2d(model) else variant._replace(layout="nchw"), model, batch, precision)
        for variant in variants_of(args)
        for batch in args.batch_size
        for precision in args.precision
        for model in args.model
        if on_cuda or precision != "tf32"
    ))
    for at, (variant, model, batch, precision) in enumerate(jobs):
        what = f"{model}, batch {batch}, {precision}, {variant.name()}"
        if time.perf_counter() - begin > args.budget_s:
            print(f"out of time: {len(jobs) - at} variants not measured, starting with {what}", file=sys.stderr)
            break

        def record(variant: Variant, times: Times) -> None:
            name = variant.name() + suffix
            ms = ["" if value is None else f"{value:.4f}" for value in times]
            rate = batch / times.step * 1e3
            row = (f"torch-{torch.__version__}", model, batch, args.device, precision, name, f"{rate:.3f}", *ms)
            append(args.csv, dict(zip(COLUMNS, row)))
            print(f"{model:<8} {batch:>4} {precision:<4} {name:<36} {rate:>10.1f} samples/s "
                  f"{times.step:>10.2f} ms per step", flush=True)

        trainer = None
        try:
            set_precision(precision)
            trainer = Trainer(model, batch, precision, variant, args)
            if variant.mode != "graph":
                record(variant, measure(trainer.step, on_cuda, args.warmup, args.steps))
                measured += 1
            # Reuses the compiled model for its graph. The other modes make their own graphs.
            if variant.mode == "graph" or (args.graphs and on_cuda and variant == ("compile", variant.layout, None)):
                what = f"{model}, batch {batch}, {precision}, {variant._replace(mode='graph').name()}"
                replay = trainer.captured()
                record(variant._replace(mode="graph"), measure(replay, on_cuda, args.warmup, args.steps))
                measured += 1
        except Exception as error:  # torch.compile raises many types; measure the other variants
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            print(f"failed: {what}: {reason}", file=sys.stderr)
        # Free the memory of a captured graph, which the trainer keeps alive.
        trainer = replay = None
        torch.compiler.reset()
        gc.collect()
        if on_cuda:
            torch.cuda.empty_cache()
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
