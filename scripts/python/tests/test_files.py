"""Reads files that the programs wrote. CRATEDIGGER_TEST_FILES is a directory with

    data                          a single-label data set with a split and one feature set
    outputs.safetensors           `train bench --data data --model mm-crnn --augment none --outputs outputs.safetensors`
    run, exported                 a run of it that was evaluated and exported
    embeddings.safetensors        of that run
    tags, tags-run                a multi-label data set, and an evaluated run of it
    tags-embeddings.safetensors   of that run

`tests/e2e/documentation/python.rs` makes it. Without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import unittest
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import load_file, save_file

from cratedigger import SETS, CratediggerError, Dataset, Embeddings, FrontEnd, embeddings, predictions

FILES = Path(os.environ.get("CRATEDIGGER_TEST_FILES", ""))


@unittest.skipUnless("CRATEDIGGER_TEST_FILES" in os.environ, "CRATEDIGGER_TEST_FILES is not set")
class FilesTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.data = Dataset(FILES / "data")
        self.first = next(iter(self.data.tracks))


class DatasetTests(FilesTestCase):
    def test_tables_and_tensors_agree(self) -> None:
        self.data.check()
        self.assertFalse(self.data.multi_label)
        self.assertEqual(len(self.data.classes), 8)
        for track_id, track in self.data.tracks.items():
            self.assertEqual(track.id, track_id)
            waveform, mel = self.data.waveform(track_id), self.data.mel(track_id)
            self.assertEqual((waveform.dtype, waveform.shape), (np.int16, (track.samples,)))
            self.assertEqual((mel.dtype, mel.shape), (np.float16, (128, 1 + track.samples // 1024)))

    def test_parts_of_tensors(self) -> None:
        waveform, mel = self.data.waveform(self.first), self.data.mel(self.first)
        np.testing.assert_array_equal(self.data.waveform(self.first, 1000, 3000), waveform[1000:3000])
        np.testing.assert_array_equal(self.data.waveform(self.first, 1000, 10**9), waveform[1000:])
        np.testing.assert_array_equal(self.data.mel(self.first, 5, 9), mel[:, 5:9])
        self.assertEqual(self.data.waveform(self.first, 10**9).shape, (0,))
        self.assertEqual(self.data.mel(self.first, mel.shape[1]).shape, (128, 0))
        with self.assertRaisesRegex(CratediggerError, "begins before the track"):
            self.data.waveform(self.first, -1)

    def test_labels_are_indices_or_tags(self) -> None:
        ids = list(self.data.tracks)
        indices, tags = self.data.class_indices(ids), self.data.tags(ids)
        self.assertEqual([(self.data.classes[at],) for at in indices], [self.data.labels(id_) for id_ in ids])
        np.testing.assert_array_equal(tags.argmax(1), indices)
        np.testing.assert_array_equal(tags.sum(1), 1)
        several = Dataset(FILES / "tags")
        self.assertTrue(several.multi_label)
        rows = several.tags(several.tracks)
        for row, track in zip(rows, several.tracks.values()):
            self.assertEqual({several.classes[at] for at in np.flatnonzero(row)}, set(track.labels))
        self.assertGreater(rows.sum(1).max(), 1)
        with self.assertRaisesRegex(CratediggerError, "labels instead of one; use `tags`"):
            several.class_indices(several.tracks)

    def test_sets_divide_the_tracks(self) -> None:
        split = self.data.split()
        ids = [id_ for set_name in SETS for id_ in split[set_name]]
        self.assertEqual(sorted(ids), list(self.data.tracks))
        self.assertEqual(self.data.split(split.name).test, split.test)
        samples = np.concatenate([self.data.waveform(id_) for id_ in split.train]) / 32768
        self.assertAlmostEqual(samples.mean(), split.normalization.waveform_mean, places=9)
        self.assertAlmostEqual(samples.std(), split.normalization.waveform_std, places=9)
        with self.assertRaisesRegex(CratediggerError, "no set `validation`; choose from train, val, test"):
            split["validation"]

    def test_summary_has_a_row_per_track(self) -> None:
        summary = self.data.summary()
        self.assertEqual(summary["track_id"].tolist(), list(self.data.tracks))
        self.assertEqual(summary["mfcc.statistics"].shape, (len(self.data.tracks), 140))

    def test_copies_for_other_processes_open_the_shards_again(self) -> None:
        self.data.mel(self.first)
        copy: Dataset = pickle.loads(pickle.dumps(self.data))
        np.testing.assert_array_equal(copy.mel(self.first), self.data.mel(self.first))

    def test_feature_sets_are_data_sets(self) -> None:
        other = Dataset(next((FILES / "data" / "features").glob("*/dataset.json")).parent)
        other.check()
        np.testing.assert_array_equal(other.waveform(self.first), self.data.waveform(self.first))
        self.assertEqual(other.split().train, self.data.split().train)
        self.assertNotEqual(other.features.n_mels, 128)


class FrontEndTests(FilesTestCase):
    def test_clips_are_those_of_the_trainer_bit_for_bit(self) -> None:
        outputs = load_file(FILES / "outputs.safetensors")
        split = self.data.split()
        front_end = FrontEnd.from_split(self.data, split)
        places = [(id_, hop) for id_ in split.train for hop in front_end.clips(self.data.tracks[id_].samples)]
        count = len(outputs["check.spectrogram"])
        self.assertGreaterEqual(count, 8)
        for at, (id_, hop) in enumerate(places[:count]):
            spectrogram = front_end.mel_clip(self.data, id_, hop)
            np.testing.assert_array_equal(spectrogram, outputs["check.spectrogram"][at, 0])
            waveform = front_end.waveform_clip(self.data, id_, hop)
            np.testing.assert_array_equal(waveform, outputs["check.waveform"][at, 0])

    def test_export_has_the_input_of_its_run(self) -> None:
        exported = FrontEnd.from_export(FILES / "exported")
        front_end = FrontEnd.from_split(self.data, self.data.split())
        for other in (front_end, exported):
            clip = other.mel_clip(self.data, self.first, 1)
            np.testing.assert_array_equal(clip, front_end.mel_clip(self.data, self.first, 1))

    def test_a_clip_beyond_the_end_is_silent(self) -> None:
        raw = FrontEnd.from_split(self.data, self.data.split(), "none")
        frames = self.data.mel(self.first).shape[1]
        clip = raw.mel_clip(self.data, self.first, frames - 1)
        self.assertTrue((clip[:, 1:] == -80).all() and clip[:, 0].max() == 0)
        np.testing.assert_array_equal(raw.mel_clip(self.data, self.first, 10**6), 0)
        np.testing.assert_array_equal(raw.waveform_clip(self.data, self.first, 10**6), 0)

    def test_every_normalization(self) -> None:
        split = self.data.split()

        def clip(normalize: str) -> np.ndarray:
            return FrontEnd.from_split(self.data, split, normalize).mel_clip(self.data, self.first, 2)

        plain, mean = clip("none"), split.normalization.mel_mean[:, None]
        np.testing.assert_allclose(clip("mean"), plain - mean, atol=1e-4)
        np.testing.assert_allclose(clip("z-score"), (plain - mean) / split.normalization.mel_std[:, None], atol=1e-4)
        self.assertEqual((clip("min-max").min(), clip("min-max").max()), (0, 1))


class ResultsTests(FilesTestCase):
    def test_predictions_have_the_metrics_of_the_run(self) -> None:
        found = predictions(FILES / "run")
        self.assertEqual(found.classes, self.data.classes)
        self.assertEqual(found.track_ids.tolist(), self.data.split().test)
        self.assertEqual(found.labels, [self.data.labels(id_) for id_ in found.track_ids])
        np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)
        right = found.probabilities.argmax(1) == self.data.class_indices(found.track_ids)
        metrics = json.loads((FILES / "run" / "metrics.json").read_text())
        self.assertAlmostEqual(right.mean(), metrics["test"]["top1"])
        self.assertEqual(predictions(FILES / "run", "val").track_ids.tolist(), self.data.split().val)

    def test_targets_are_the_tags(self) -> None:
        data, found = Dataset(FILES / "tags"), predictions(FILES / "tags-run")
        np.testing.assert_array_equal(found.targets, data.tags(found.track_ids).astype(bool))
        predicted = [tuple(np.array(found.classes)[row >= 0.5]) for row in found.probabilities]
        self.assertEqual([set(names) for names in found.predicted], [set(names) for names in predicted])

    def test_embeddings_have_a_row_per_clip(self) -> None:
        found = embeddings(FILES / "embeddings.safetensors")
        front_end = FrontEnd.from_export(FILES / "exported")
        split = self.data.split()
        self.assertEqual(found.values.dtype, np.float32)
        for set_name in SETS:
            ids = found.track_ids[found.rows(set_name)]
            expected = [id_ for id_ in split[set_name] for _ in front_end.clips(self.data.tracks[id_].samples)]
            self.assertEqual(ids.tolist(), expected)
        self.assert_classes(found)

    def assert_classes(self, found: Embeddings) -> None:
        self.assertIsNone(found.tags)
        np.testing.assert_array_equal(found.classes, self.data.class_indices(found.track_ids))
        tagged, data = embeddings(FILES / "tags-embeddings.safetensors"), Dataset(FILES / "tags")
        self.assertIsNone(tagged.classes)
        np.testing.assert_array_equal(tagged.tags, data.tags(tagged.track_ids).astype(bool))


class ErrorTests(FilesTestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name) / "data"
        shutil.copytree(FILES / "data", self.root, ignore=shutil.ignore_patterns("features"))

    def assert_error(self, pattern: str, function: Callable[[], object]) -> None:
        with self.assertRaisesRegex(CratediggerError, pattern) as caught:
            function()
        text = str(caught.exception)
        self.assertIn("; ", text, "it does not say what to do next")
        self.assertFalse(text.endswith("."), text)

    def change(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_bytes().decode()
        self.assertIn(old, text)
        path.write_bytes(text.replace(old, new, 1).encode())

    def open(self) -> Dataset:
        return Dataset(self.root)

    def test_missing_files(self) -> None:
        self.assert_error("is not a data set: it has no dataset.json", lambda: Dataset(self.root / "splits"))
        (self.root / "shards" / "mel-00000.safetensors").unlink()
        data = self.open()
        self.assert_error("mel-00000.safetensors does not exist; run `preprocess verify`", data.check)
        self.assert_error("has no split `x`; it has main", lambda: data.split("x"))
        self.assert_error("`../x` is not a valid name", lambda: data.split("../x"))
        (self.root / "splits" / "main" / "val.csv").unlink()
        self.assert_error("val.csv does not exist; make the split again", data.split)
        (self.root / "splits" / "current").unlink()
        self.assert_error("has no split yet; make one with `preprocess split ", data.split)
        (self.root / "tracks.csv").unlink()
        self.assert_error("tracks.csv does not exist", self.open)
        self.assert_error("predictions-train.csv .*--set train", lambda: predictions(FILES / "run", "train"))
        self.assert_error("no config.json; make it with `train export", lambda: FrontEnd.from_export(self.root))
        self.assert_error("none.safetensors does not exist", lambda: embeddings(self.root / "none.safetensors"))
        self.assert_error("has no track 7; ", lambda: data.waveform(7))

    def test_other_versions_and_builds(self) -> None:
        self.change("splits/main/split.json", '"dataset": "', '"dataset": "0')
        self.assert_error("main was made for another build", self.open().split)
        self.change("dataset.json", '"format_version": 1', '"format_version": 2')
        self.assert_error("dataset.json has format version 2", self.open)

    def test_damaged_indices(self) -> None:
        self.change("dataset.json", '"hop_length": 1024', '"hop_length": "x"')
        self.assert_error("dataset.json is damaged: `hop_length` of its `features` is 'x'", self.open)
        self.change("dataset.json", "{", "[")
        self.assert_error("dataset.json is damaged: it is not JSON", self.open)

    def test_damaged_tables(self) -> None:
        samples = str(self.data.tracks[self.first].samples)
        self.change("tracks.csv", f",{samples},", f",{'x' * len(samples)},")
        self.assert_error("tracks.csv is damaged: `x+` in column `samples`", self.open)
        self.change("tracks.csv", "x" * len(samples), "9" * len(samples))
        self.assert_error("waveform-00000.safetensors is damaged: track .* as in tracks.csv", self.open().check)
        self.change("tracks.csv", "track_id,", "track_no,")
        self.assert_error("tracks.csv is damaged: it has no column `track_id`", self.open)
        self.change("tracks.csv", "track_no", "no")
        self.assert_error("tracks.csv is damaged: it has .* bytes instead of ", self.open)

    def test_unknown_labels_and_tracks(self) -> None:
        self.change("dataset.json", f'"{self.data.classes[0]}"', '"another"')
        self.assert_error(f"has the label `{self.data.classes[0]}`, which dataset.json does not list", self.open)
        self.change("splits/main/test.csv", str(self.data.split().test[0]), "7")
        self.change("dataset.json", '"another"', f'"{self.data.classes[0]}"')
        self.assert_error("test.csv is damaged: the data set has no track 7", self.open().split)

    def test_damaged_shards(self) -> None:
        path = self.root / "shards" / "mel-00000.safetensors"
        path.write_bytes(path.read_bytes()[:1000])
        self.assert_error("mel-00000.safetensors is damaged", self.open().check)
        summary = self.root / "shards" / "summary.safetensors"
        summary.write_bytes(b"x" * 100)
        self.assert_error("summary.safetensors is damaged", self.open().summary)

    def test_damaged_results(self) -> None:
        table = self.root / "predictions.csv"
        table.write_text("track_id,labels,predicted,A\n1,A,A,x\n")
        self.assert_error("predictions.csv is damaged: a probability is not a number", lambda: predictions(self.root))
        table.write_text("track_id,labels,predicted,A\n1,A,A\n")
        self.assert_error("row 1 has 3 cells instead of 4", lambda: predictions(self.root))
        table.write_bytes(b"")
        self.assert_error("predictions.csv is damaged: it is not a table", lambda: predictions(self.root))
        weights = self.root / "weights.safetensors"
        save_file({"x": np.zeros(3, np.float32)}, weights)
        self.assert_error("has no tensor `embeddings`", lambda: embeddings(weights))
        good = load_file(FILES / "embeddings.safetensors")
        save_file({**good, "clip": good["clip"][:-1]}, weights)
        self.assert_error("different numbers of rows", lambda: embeddings(weights))


if __name__ == "__main__":
    unittest.main()
