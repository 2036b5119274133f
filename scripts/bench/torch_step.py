#!/usr/bin/env python3
"""How fast is PyTorch's training step of the four models?

    torch_step.py --model M[,M...] --batch-size N[,N...] --device cpu|cuda --csv FILE
                  [--precision f32[,tf32,bf16]] [--channels-last] [--compile] [--graphs] [--autotune]
                  [--engines eager,compile] [--threads N] [--keep-memory] [--steps K] [--warmup W] [--classes C]
                  [--budget-s S]

A step is forward, cross entropy, backward and Adam (lr 1e-3, weight decay 1e-5, fused), on one batch of random numbers
that lies in the device's memory: data costs nothing. f32 is full precision, tf32 lets matrix products and convolutions
round to TF32 (CUDA only), bf16 is autocast over f32 weights, with TF32 for the rest.

Each model is measured eagerly in PyTorch's default layout, and with the switches in these variants also:
  --channels-last  channels_last memory, for models that have 2-D convolutions
  --compile        torch.compile, its default mode
  --graphs         CUDA only: whole step captured in one CUDA graph, of each of the above; and torch.compile with
                   mode="reduce-overhead"
  --autotune       torch.compile with mode="max-autotune"
--engines compile leaves the eager ones out. --keep-memory, on a CPU with glibc, keeps freed memory for the next step:
without it a step spends much of its time in page faults, for PyTorch takes every activation from the kernel anew and
gives it back; "-kept" in a variant's name says so. A variant that fails is reported on standard error, and the others
go on. All models go through one variant before the next begins, the quick ones first. After S seconds none is begun.

FILE gets a row per variant, written as it is measured; rows are added to those already there. Milliseconds are
medians over K steps after W for warming up: CUDA events, or the clock on a CPU. A CUDA graph has no phases.
Exit code 1: nothing could be measured.
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
    mode: Optional[str] = None  # torch.compile's, or "graph": the whole step in one CUDA graph

    def name(self) -> str:
        return "-".join(part for part in (self.engine, self.mode, self.layout) if part)


class Times(NamedTuple):
    step: float
    forward: Optional[float] = None
    backward: Optional[float] = None
    optimizer: Optional[float] = None


def variants_of(args: argparse.Namespace) -> list[Variant]:
    layouts = ["nchw", "channels_last"] if args.channels_last else ["nchw"]
    # channels_last first: the faster one on GPUs, should time run out.
    layouts.reverse()
    graphs = args.graphs and args.device.startswith("cuda")
    found = []
    if "eager" in args.engines:
        found += [Variant("eager", layout) for layout in layouts]
        # Last: a capture that fails can leave the device in a state in which nothing works any more.
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
            # An LSTM is left to cuDNN or oneDNN: torch.compile goes around it, and compiles what lies before and after.
            self.loss = torch.compile(self.compute_loss, mode=variant.mode, dynamic=False)

    def on_cuda(self) -> bool:
        return self.device.type == "cuda"

    def compute_loss(self) -> torch.Tensor:
        return functional.cross_entropy(self.module(*self.inputs), self.labels)

    def forward(self) -> torch.Tensor:
        # Each weight is cast once a step, so a cache of casts gains nothing, and it would outlive a captured graph.
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
        """The whole step in one CUDA graph, as a step that marks its beginning and its end."""
        # What capturing may not do (plans, workspaces, lazily made state) has to have happened on another stream.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self.step()
        # An empty graph would be very fast.
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
    """Medians over `steps` steps, in milliseconds. On CUDA nothing waits for the device until all are under way."""
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
    """What jemalloc and tcmalloc do by themselves. Raises where the C library is not glibc."""
    libc = ctypes.CDLL("libc.so.6")
    if not (libc.mallopt(M_MMAP_MAX, 0) and libc.mallopt(M_TRIM_THRESHOLD, -1)):
        raise OSError("glibc's mallopt refused")


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
            parser.error(f"{unknown[0]!r} is no {what}; these are: {', '.join(known)}")
    if min(*args.batch_size, args.steps, args.warmup, 1) < 1:
        parser.error("--batch-size, --steps and --warmup are 1 or more")
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("this PyTorch sees no CUDA device")
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
    # A model without 2-D convolutions has one layout; what would be measured twice falls away as a key.
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
            print(f"out of time: {len(jobs) - at} variants not measured, the first of them {what}", file=sys.stderr)
            break

        def record(variant: Variant, times: Times) -> None:
            name = variant.name() + suffix
            ms = ["" if value is None else f"{value:.4f}" for value in times]
            rate = batch / times.step * 1e3
            row = (f"torch-{torch.__version__}", model, batch, args.device, precision, name, f"{rate:.3f}", *ms)
            append(args.csv, dict(zip(COLUMNS, row)))
            print(f"{model:<8} {batch:>4} {precision:<4} {name:<36} {rate:>10.1f} samples/s "
                  f"{times.step:>10.2f} ms a step", flush=True)

        trainer = None
        try:
            set_precision(precision)
            trainer = Trainer(model, batch, precision, variant, args)
            if variant.mode != "graph":
                record(variant, measure(trainer.step, on_cuda, args.warmup, args.steps))
                measured += 1
            # What is compiled already need not be compiled again for its graph. The other modes make their own graphs.
            if variant.mode == "graph" or (args.graphs and on_cuda and variant == ("compile", variant.layout, None)):
                what = f"{model}, batch {batch}, {precision}, {variant._replace(mode='graph').name()}"
                replay = trainer.captured()
                record(variant._replace(mode="graph"), measure(replay, on_cuda, args.warmup, args.steps))
                measured += 1
        except Exception as error:  # torch.compile alone raises a dozen kinds, none of which is to stop the others
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            print(f"failed: {what}: {reason}", file=sys.stderr)
        # A captured graph holds its memory for as long as anything holds the trainer.
        trainer = replay = None
        torch.compiler.reset()
        gc.collect()
        if on_cuda:
            torch.cuda.empty_cache()
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
