#!/usr/bin/env python3
"""Measures the clips per second of the paper's data path in Python.

    librosa_frontend.py --corpus CORPUS [--seconds 30] [--processes 2] [--sample-rate 44100] [--seed 0]

CORPUS contains MP3 files below audio/. Each process picks files at random and prepares one clip of each as the
paper's training does: librosa.load at 44,100 Hz mono, 2^19 samples from a random position, audiomentations'
AddGaussianNoise (0.001 to 0.015) and TimeStretch (0.8 to 1.25, with librosa's phase vocoder, the faster of its two
methods), each in half of the clips, librosa's mel spectrogram (n_fft 4096, hop_length 1024, 128 bands), power_to_db
relative to the maximum of the clip with top_db 80, and a z-score per band. Each process has one thread. A file that
does not decode counts with the time of the attempt and is not tried again.

Prints one line of JSON: clips in the measured time, wall-clock seconds, and clips per second. load_share is the
fraction of the time spent in librosa.load, and clips_per_s_without_load is the speed without it. The measured time
starts once every process has imported and called everything, and ends when each process has finished its current clip
after --seconds.
"""
from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pathlib
import random
import sys
import time
import warnings

# One thread per process; set before numpy is imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"

import audiomentations
import librosa
import numpy as np

CLIP_SAMPLES = 1 << 19
N_MELS = 128
START_SECONDS = 120.0


class FrontEnd:
    """One process's data path."""

    def __init__(self, sample_rate: int, seed: int):
        self.sample_rate = sample_rate
        self.rng = np.random.default_rng(seed)
        self.augment = audiomentations.Compose([
            audiomentations.AddGaussianNoise(min_amplitude=0.001, max_amplitude=0.015, p=0.5),
            audiomentations.TimeStretch(
                min_rate=0.8, max_rate=1.25, leave_length_unchanged=True, method="librosa_phase_vocoder", p=0.5
            ),
        ])
        # In place of training set statistics; their values do not affect the speed.
        self.mel_mean = np.full((N_MELS, 1), -30.0, np.float32)
        self.mel_std = np.full((N_MELS, 1), 15.0, np.float32)

    def load(self, path: pathlib.Path) -> np.ndarray:
        samples, _ = librosa.load(path, sr=self.sample_rate, mono=True)
        return samples

    def clip(self, samples: np.ndarray) -> np.ndarray:
        """[samples] to [n_mels, frames]."""
        begin = int(self.rng.integers(0, max(0, len(samples) - CLIP_SAMPLES) + 1))
        clip = samples[begin:begin + CLIP_SAMPLES]
        clip = np.pad(clip, (0, CLIP_SAMPLES - len(clip)))
        clip = self.augment(samples=clip, sample_rate=self.sample_rate)
        power = librosa.feature.melspectrogram(y=clip, sr=self.sample_rate, n_fft=4096, hop_length=1024, n_mels=N_MELS)
        decibels = librosa.power_to_db(power, ref=np.max, top_db=80.0)
        return (decibels - self.mel_mean) / self.mel_std


def work(at: int, files: list[pathlib.Path], args: argparse.Namespace, ready, results) -> None:
    warnings.simplefilter("ignore")
    rng = np.random.default_rng([args.seed, at])
    # audiomentations draws from both of these.
    np.random.seed(args.seed + at)
    random.seed(args.seed + at)
    front_end = FrontEnd(args.sample_rate, args.seed + at)
    stretch = front_end.augment.transforms[1]
    # The first call plans and compiles, so it must not happen in the measured time.
    stretch.p = 1.0
    front_end.clip(rng.standard_normal(CLIP_SAMPLES).astype(np.float32) * 0.1)
    stretch.p = 0.5
    files = list(files)
    for path in files:
        try:
            front_end.load(path)
            break
        except Exception:  # audioread and soundfile raise many types for damaged files
            continue
    ready.wait(START_SECONDS)
    begin = time.perf_counter()
    clips, refused, load_seconds = 0, 0, 0.0
    while files and time.perf_counter() - begin < args.seconds:
        which = int(rng.integers(len(files)))
        started = time.perf_counter()
        try:
            samples = front_end.load(files[which])
        except Exception:
            files.pop(which)
            refused += 1
            continue
        finally:
            load_seconds += time.perf_counter() - started
        front_end.clip(samples)
        clips += 1
    results.put((clips, refused, load_seconds, time.perf_counter() - begin))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sample-rate", type=int, default=44_100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    files = sorted((args.corpus / "audio").rglob("*.mp3"))
    if not files:
        print(f"error: no MP3 files below {args.corpus / 'audio'}", file=sys.stderr)
        return 1
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(args.processes + 1)
    results = context.Queue()
    processes = [
        context.Process(target=work, args=(at, files, args, ready, results), daemon=True)
        for at in range(args.processes)
    ]
    for process in processes:
        process.start()
    # A timeout, in case a process has died.
    ready.wait(START_SECONDS)
    begin = time.perf_counter()
    parts = [results.get(timeout=args.seconds + START_SECONDS) for _ in processes]
    seconds = time.perf_counter() - begin
    for process in processes:
        process.join()
    clips = sum(part[0] for part in parts)
    if clips == 0:
        print("error: no clip was finished in time; check the files, or increase --seconds", file=sys.stderr)
        return 1
    load_share = sum(part[2] for part in parts) / sum(part[3] for part in parts)
    print(json.dumps({
        "clips_per_s": clips / seconds,
        "clips": clips,
        "seconds": seconds,
        "processes": args.processes,
        "load_share": load_share,
        "clips_per_s_without_load": clips / seconds / (1.0 - load_share),
        "refused": sum(part[1] for part in parts),
        "librosa": librosa.__version__,
        "audiomentations": audiomentations.__version__,
    }))
    return 0


if __name__ == "__main__":
    sys.exit(main())
