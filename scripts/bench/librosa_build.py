#!/usr/bin/env python3
"""The librosa counterpart of `preprocess build`: decodes the same files to mel spectrograms in parallel processes.

    librosa_build.py AUDIO_DIR OUT_DIR [--jobs 2]

Decodes each MP3 file below AUDIO_DIR, downmixes and resamples it to 44,100 Hz mono and computes a mel spectrogram in
dB (128 bands, n_fft 4096, hop_length 1024). Writes both to OUT_DIR as 16-bit integers and half floats, like
`preprocess build`. Files that do not decode are skipped. Prints one line of JSON. The clock starts once librosa has
been imported and called in every process, so imports and just-in-time compilation are not measured.
"""
import argparse
import json
import os
import pathlib
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

# One thread per process; set before numpy is imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"

import librosa
import numpy as np

SAMPLE_RATE = 44_100
WARM_UP_SECONDS = 1.0


def mel_db(samples):
    power = librosa.feature.melspectrogram(y=samples, sr=SAMPLE_RATE, n_fft=4096, hop_length=1024, n_mels=128)
    return librosa.power_to_db(power, ref=1.0, top_db=None)


def warm_up(_):
    mel_db(np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32))
    # Long enough that every process gets a call.
    time.sleep(WARM_UP_SECONDS)


def build(job):
    path, out = job
    warnings.simplefilter("ignore")
    try:
        samples, _ = librosa.load(path, sr=SAMPLE_RATE, mono=True)
        mel = mel_db(samples)
    except Exception:  # audioread and soundfile raise many types for damaged files
        return 0
    pcm = np.clip(np.round(samples * 32768.0), -32768, 32767).astype(np.int16)
    np.save(out / f"{path.stem}-waveform.npy", pcm)
    np.save(out / f"{path.stem}-mel.npy", mel.astype(np.float16))
    return len(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    files = sorted(args.audio.rglob("*.mp3"))
    with ProcessPoolExecutor(args.jobs) as pool:
        list(pool.map(warm_up, range(args.jobs)))
        begin = time.perf_counter()
        samples = list(pool.map(build, [(path, args.out) for path in files]))
        seconds = time.perf_counter() - begin
    print(json.dumps({
        "files": len(files),
        "kept": sum(count > 0 for count in samples),
        "samples": sum(samples),
        "seconds": seconds,
        "librosa": librosa.__version__,
    }))


if __name__ == "__main__":
    main()
