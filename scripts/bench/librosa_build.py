#!/usr/bin/env python3
"""The peer of `preprocess build`: librosa's decode and mel spectrogram of the same files, in parallel processes.

    librosa_build.py AUDIO_DIR OUT_DIR [--jobs 2]

For each MP3 file below AUDIO_DIR: decode, downmix and resample to 44,100 Hz mono, a mel spectrogram in dB (128 bands,
n_fft 4096, hop_length 1024), and both written to OUT_DIR as 16-bit integers and half floats, as `preprocess build` does.
Files that do not decode are passed over. Prints one line of JSON. Its clock starts when librosa is imported and has
been called once in every process, so neither imports nor just-in-time compilation count.
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
    # Long enough for every process to get its share of calls.
    time.sleep(WARM_UP_SECONDS)


def build(job):
    path, out = job
    warnings.simplefilter("ignore")
    try:
        samples, _ = librosa.load(path, sr=SAMPLE_RATE, mono=True)
        mel = mel_db(samples)
    except Exception:  # whatever audioread and soundfile raise for a damaged file
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
