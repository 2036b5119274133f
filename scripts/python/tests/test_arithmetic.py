"""Decibels, clips and mel bands, compared with values of `train` and librosa. Needs no data."""

from __future__ import annotations

import json
import unittest
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cratedigger import CratediggerError, Features, FrontEnd, Normalization

FEATURES = Features(
    sample_rate=44100,
    clip_samples=524288,
    n_fft=4096,
    hop_length=1024,
    n_mels=128,
    f_min=0.0,
    f_max=22050.0,
    mel_scale="slaney",
    mel_norm="slaney",
    pad_mode="constant",
    db_reference="max",
    db_multiplier=10,
    top_db=80.0,
    final_frame=False,
)
NORMALIZATION = Normalization(0.0, 0.1, np.full(128, -30.0), np.full(128, 20.0))


def front_end(normalize: str = "z-score", **features: Any) -> FrontEnd:
    return FrontEnd(replace(FEATURES, **features), NORMALIZATION, normalize)


class ArithmeticTests(unittest.TestCase):
    def test_decibels_are_those_of_librosa(self) -> None:
        # power_to_db and amplitude_to_db of the powers 0, 1e-7, 1e-3 and 4, with ref and top_db.
        stored = np.array([[-100.0, -70.0, -30.0, 6.0206]], dtype=np.float32)
        for reference, multiplier, top_db, expected in (
            ("max", 10, 80.0, [-80.0, -76.0206, -36.0206, 0.0]),
            ("max", 10, None, [-106.0206, -76.0206, -36.0206, 0.0]),
            ("one", 10, None, [-100.0, -70.0, -30.0, 6.0206]),
            ("one", 10, 80.0, [-73.9794, -70.0, -30.0, 6.0206]),
            ("one", 20, None, [-100.0, -100.0, -60.0, 12.0412]),
            ("one", 20, 80.0, [-67.9588, -67.9588, -60.0, 12.0412]),
            ("max", 20, 80.0, [-80.0, -80.0, -72.0412, 0.0]),
        ):
            end = front_end(db_reference=reference, db_multiplier=multiplier, top_db=top_db)
            found = end.decibels(stored)
            self.assertEqual(found.dtype, np.float32)
            np.testing.assert_allclose(found, [expected], atol=1e-4)

    def test_clips_are_adjacent_and_the_last_one_ends_with_the_track(self) -> None:
        self.assertEqual(front_end().clips(30 * 44100), [0, 512, 1291 - 512])
        short = front_end(clip_samples=10 * 1024)
        self.assertEqual(short.clips(20 * 1024), [0, 10])
        self.assertEqual(short.clips(20 * 1024 - 1), [0, 9])
        self.assertEqual(short.clips(100), [0])
        self.assertEqual(short.last_clip(20 * 1024 - 1), 9)
        self.assertEqual(short.last_clip(100), 0)

    def test_clips_with_a_final_frame(self) -> None:
        # Clips of 29 seconds, as of Won et al.
        features = replace(FEATURES, sample_rate=16000, hop_length=256, clip_samples=464000, final_frame=True)
        self.assertEqual((features.clip_frames, features.clip_hops), (1813, 1813))

    def test_bands_are_those_of_librosa(self) -> None:
        # librosa.mel_frequencies(130, fmin=0, fmax=22050, htk=...)[1:-1]
        for scale, expected in (
            ("slaney", [31.003862861740245, 651.0811200965452, 2849.104545584209, 21356.13477974333]),
            ("htk", [19.147650738681833, 533.7256302370427, 3344.824972023513, 21444.270350660852]),
        ):
            hz = replace(FEATURES, mel_scale=scale).band_hz()
            self.assertEqual(hz.shape, (128,))
            np.testing.assert_allclose(hz[[0, 20, 64, 127]], expected, rtol=1e-9)

    def test_times_of_frames(self) -> None:
        np.testing.assert_allclose(FEATURES.frame_times(3), [0, 1024 / 44100, 2048 / 44100])

    def test_unknown_normalization_is_refused(self) -> None:
        with self.assertRaisesRegex(CratediggerError, "unknown normalization `l2`; choose from z-score, mean"):
            front_end("l2")


class ExportTests(unittest.TestCase):
    """`FrontEnd.from_export` on other files than `train export` writes."""

    def read(self, **changes: object) -> FrontEnd:
        normalization = {"waveform_mean": 0, "waveform_std": 1, "mel_mean": [0] * 128, "mel_std": [1] * 128}
        config = {
            "model": "crnn",
            "input": {"spectrogram": [1, 128, 512]},
            "features": FEATURES.__dict__,
            "normalize": "mean",
            "normalization": normalization,
            "pcm8": False,
            **changes,
        }
        with TemporaryDirectory() as directory:
            (Path(directory) / "config.json").write_text(json.dumps(config))
            return FrontEnd.from_export(directory)

    def test_features_and_normalization_are_read(self) -> None:
        end = self.read()
        self.assertEqual((end.features, end.normalize), (FEATURES, "mean"))

    def test_other_inputs_are_refused(self) -> None:
        for change in (
            {"pcm8": True},
            {"input": {"statistics": [140]}},
            {"input": {"spectrogram": [1, 129, 512]}},
            {"input": {"waveform": [1, 1000]}},
        ):
            with self.assertRaisesRegex(CratediggerError, "config.json is of the model crnn, .*; use `train predict`"):
                self.read(**change)

    def test_damaged_settings_are_reported(self) -> None:
        for change, detail in (
            ({"input": None}, "it has no `input`"),
            ({"features": None}, "it has no `features`"),
            ({"features": {**FEATURES.__dict__, "hop_length": 0}}, "`hop_length` of its `features` is 0"),
            ({"features": {**FEATURES.__dict__, "n_mels": "128"}}, "`n_mels` of its `features` is '128'"),
            ({"features": {"n_fft": 4096}}, "its `features` have no `sample_rate`"),
            ({"normalization": {}}, "its normalization is not valid"),
            ({"features": {**FEATURES.__dict__, "n_mels": 64}, "input": {}}, "the mean and std of 64 bands"),
        ):
            with self.assertRaisesRegex(CratediggerError, f"config.json is damaged: .*{detail}.*; run `train export`"):
                self.read(**change)


if __name__ == "__main__":
    unittest.main()
