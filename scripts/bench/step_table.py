#!/usr/bin/env python3
"""Prints Markdown tables of training speeds: `train bench` next to PyTorch.

    step_table.py TRAIN_CSV TORCH_CSV [--variants] [--stages]

TRAIN_CSV comes from `train bench --csv` and TORCH_CSV from torch_step.py; either may be missing. Repeated measurements
are shown as their median. "step" is forward, backward and optimizer on a batch that is loaded already, "fit" is all of
training, and "waits" is the fraction of fit spent waiting for data. The PyTorch column is the step of its fastest
variant, without data loading. Ratios are ours over PyTorch's: above 1, ours is faster. --variants adds a table of all
PyTorch variants, --stages one with the milliseconds per batch of each of our stages.
"""
from __future__ import annotations

import argparse
import csv
import os
import statistics
from collections import defaultdict

MISSING = "–"
MODELS = ("cnn1d", "cnn2d", "crnn", "mm-crnn")
PRECISIONS = ("f32", "tf32", "bf16")
STAGES = ("read", "augment", "front_end", "upload", "forward", "backward", "optimizer", "step", "loader", "fit")

# Model, batch size, precision.
Key = tuple[str, int, str]


def read(path: str) -> list[dict[str, str]]:
    if not os.path.exists(path):
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def medians(rows: list[dict[str, str]], within: str, column: str) -> dict[Key, dict[str, float]]:
    """Per model, batch size and precision: the median of `column` for each value of `within`."""
    found: dict[Key, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row[column]:
            key = (row["model"], int(row["batch_size"]), row["precision"])
            found[key][row[within]].append(float(row[column]))
    return {
        key: {name: statistics.median(values) for name, values in by_name.items()} for key, by_name in found.items()
    }


def order(key: Key) -> tuple:
    rank = lambda name, known: known.index(name) if name in known else len(known)  # noqa: E731
    model, batch, precision = key
    return rank(model, MODELS), model, batch, rank(precision, PRECISIONS), precision


def show(value: float | None, form: str = ".1f") -> str:
    return MISSING if value is None else format(value, form)


def ratio(ours: float | None, torch: float | None) -> str:
    return MISSING if ours is None or not torch else f"{ours / torch:.2f}"


def table(header: list[str], rows: list[list[str]], text_columns: set[int]) -> str:
    rules = ["---" if at in text_columns else "---:" for at in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rules, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train_csv")
    parser.add_argument("torch_csv")
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--stages", action="store_true")
    args = parser.parse_args()
    train, torch = read(args.train_csv), read(args.torch_csv)
    rates = medians(train, "stage", "clips_per_s")
    waits = medians(train, "stage", "wait_share")
    peers = medians(torch, "variant", "samples_per_s")
    keys = sorted({*rates, *peers}, key=order)

    rows = []
    for key in keys:
        step, fit = rates.get(key, {}).get("step"), rates.get(key, {}).get("fit")
        wait = waits.get(key, {}).get("fit")
        variants = peers.get(key, {})
        best = max(variants, key=variants.__getitem__, default=MISSING)
        fastest = variants.get(best)
        rows.append([
            key[0], str(key[1]), key[2], show(step), show(fit), show(wait, ".1%"), show(fastest), best,
            ratio(step, fastest), ratio(fit, fastest),
        ])
    header = [
        "model", "batch", "precision", "ours, step", "ours, fit", "fit waits", "PyTorch, step", "its fastest variant",
        "step ratio", "fit ratio",
    ]
    print("Clips per second:\n")
    print(table(header, rows, {0, 2, 7}))

    if args.variants and peers:
        names = sorted({name for variants in peers.values() for name in variants})
        rows = [[key[0], str(key[1]), key[2], *(show(peers[key].get(name)) for name in names)] for key in keys
                if key in peers]
        print("\nSteps of the PyTorch variants, in clips per second:\n")
        print(table(["model", "batch", "precision", *names], rows, {0, 2}))

    stages = medians(train, "stage", "ms_per_batch")
    if args.stages and stages:
        rows = [
            [key[0], str(key[1]), key[2], *(show(stages[key].get(name), ".2f") for name in STAGES)]
            for key in keys if key in stages
        ]
        print("\nOur stages, in milliseconds per batch:\n")
        print(table(["model", "batch", "precision", *STAGES], rows, {0, 2}))


if __name__ == "__main__":
    main()
