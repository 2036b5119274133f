#!/usr/bin/env python3
"""Writes mel filter banks and mel spectrograms of torchaudio and librosa, for `shared/tests/feature_presets.rs`.

Run with torch, torchaudio and librosa:  make_features_golden.py [shared/tests/features.safetensors]

Both sides compute the samples: 16-bit noise from a 32-bit integer hash of the index, times a slow decay and an
envelope that is silent in the middle, so quiet frames are tested too. A preset's `power` and `db` are of the whole
signal, as the published code computes them. Of `power` and `db` only every third band is stored, which keeps the file
small. Filter banks are stored as [first bin, weights] per band, zero-padded to the widest band.
"""
import sys

import librosa
import numpy as np
import torch
import torchaudio
from safetensors.numpy import save_file

SAMPLES = 12_000
BANDS = slice(None, None, 3)


def samples():
    """int16, the same as `samples` in the test."""
    x = np.arange(SAMPLES, dtype=np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    noise = (x >> np.uint32(17)).astype(np.int64) - 16384
    at = np.arange(SAMPLES)
    # Halves every 3,000 samples; silence from 5,000 to 7,000.
    loud = noise >> (at // 3000)
    loud[5000:7000] = 0
    return loud.astype(np.int16)


def sparse(dense):
    """[bands, 1 + widest] of a dense bank, [bands, bins]."""
    rows = []
    for band in dense:
        bins = np.flatnonzero(band)
        rows.append((bins[0] if len(bins) else len(band), band[bins]))
    widest = max(len(weights) for _, weights in rows)
    out = np.zeros((len(rows), 1 + widest), np.float32)
    for row, (first, weights) in zip(out, rows):
        row[0] = first
        row[1 : 1 + len(weights)] = weights
    return out


def won(signal, n_mels):
    bank = torchaudio.functional.melscale_fbanks(257, 0.0, 8000.0, n_mels, 16_000, norm=None, mel_scale="htk")
    # As in sota-music-tagging-models: n_fft 512, hop 256, reflect padding, power 2, then 10 log10 without top_db.
    power = torchaudio.transforms.MelSpectrogram(
        sample_rate=16_000, n_fft=512, f_min=0.0, f_max=8000.0, n_mels=n_mels
    )(torch.from_numpy(signal))
    db = torchaudio.transforms.AmplitudeToDB()(power)
    return bank.T.numpy(), power.numpy(), db.numpy()


def with_librosa(signal, rate, n_fft, hop, n_mels, f_max, to_db):
    bank = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels, fmax=f_max)
    power = librosa.feature.melspectrogram(
        y=signal.astype(np.float64), sr=rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels, fmax=f_max, pad_mode="reflect"
    )
    return bank, power, to_db(power)


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else "shared/tests/features.safetensors"
    signal = samples().astype(np.float32) / np.float32(32768)
    presets = {
        "won": won(signal, 96),
        "won-128": won(signal, 128),
        # Choi's code squares the power once more before `logamplitude`, which has top_db 80.
        "choi": with_librosa(signal, 12_000, 512, 256, 96, 6000.0, lambda power: librosa.power_to_db(power**2, top_db=80.0)),
        "dwivedi": with_librosa(
            signal, 22_050, 2048, 1024, 128, None, lambda power: librosa.power_to_db(power, ref=np.max, top_db=80.0)
        ),
        "dong": with_librosa(
            signal, 22_050, 512, 256, 64, 10_000.0, lambda power: librosa.power_to_db(power, top_db=None)
        ),
    }
    tensors = {}
    for name, (bank, power, db) in presets.items():
        tensors[f"{name}/filters"] = sparse(bank)
        tensors[f"{name}/power"] = power[BANDS].astype(np.float32)
        tensors[f"{name}/db"] = db[BANDS].astype(np.float32)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    save_file(tensors, out, {"torchaudio": torchaudio.__version__, "librosa": librosa.__version__})
    for name, tensor in tensors.items():
        print(name, tensor.shape, float(tensor.min()), float(tensor.max()))


if __name__ == "__main__":
    main()
