//! Transfer learning: `train fit --init-from` and `train embed`.

use crate::papers::{fit, genres, tagged};
use crate::train::dataset as fma;
use predicates::str::contains;
use safetensors::SafeTensors;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{Program, json_line, stderr_text};

/// A `choi-crnn` trained on tags.
fn tagger() -> PathBuf {
    static TAGGER: LazyLock<TempDir> = LazyLock::new(|| {
        let root = TempDir::new().unwrap();
        fit(&tagged().path(), "choi-crnn", &root.path().join("run"), &[])
            .assert()
            .success();
        root
    });
    TAGGER.path().join("run")
}

/// Name, shape and bytes of every tensor in the best weights of a run, sorted by name.
fn tensors(run: &Path) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let bytes = fs::read(run.join("best.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| (name.to_owned(), view.shape().to_vec(), view.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}

/// Maximum absolute difference of two f32 tensors.
fn difference(first: &[u8], second: &[u8]) -> f32 {
    let values = |bytes: &[u8]| -> Vec<f32> {
        let chunks = bytes.chunks_exact(4);
        chunks
            .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]))
            .collect()
    };
    let (first, second) = (values(first), values(second));
    assert_eq!(first.len(), second.len());
    let differences = first.iter().zip(&second).map(|(first, second)| (first - second).abs());
    differences.fold(0.0, f32::max)
}

#[test]
fn new_classes_get_a_new_last_layer_and_frozen_layers_are_kept() {
    const LOADED_LR: f32 = 1e-5;
    const LR: f32 = 1e-2;
    /// In one epoch of batches of four.
    const STEPS: f32 = 4.0;
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let tagger = tagger();
    let more = [
        "--init-from",
        tagger.to_str().unwrap(),
        "--freeze",
        r"^encoder\.(input_norm|blocks\.[01])\.",
        "--loaded-lr",
        "1e-5",
        "--lr",
        "1e-2",
    ];
    let fitted = fit(&genres().path(), "choi-crnn", &run, &more).assert().success();
    let stderr = stderr_text(&fitted);
    assert!(
        stderr.contains("newly initialized: linear.weight, linear.bias"),
        "{stderr}"
    );
    // Batch norm of 96 bands, and 3x3 convolutions 1 -> 64 -> 128 with biases and batch norms.
    let frozen = 2 * 96 + (9 + 1 + 2) * 64 + (9 * 64 + 1 + 2) * 128;
    assert!(stderr.contains(&format!("{frozen} of 392904 parameters")), "{stderr}");

    let (before, after) = (tensors(&tagger), tensors(&run));
    let (mut kept, mut trained) = (0, 0);
    for ((name, shape, loaded), (same_name, new_shape, found)) in before.iter().zip(&after) {
        assert_eq!(name, same_name);
        // These weights get no gradient: the hidden state of a clip with a single step is zero.
        if name.ends_with("hidden_transform.weight") {
            continue;
        }
        if name.starts_with("linear.") {
            assert_eq!((shape.last(), new_shape.last()), (Some(&9), Some(&8)));
            continue;
        }
        let frozen = ["encoder.input_norm.", "encoder.blocks.0.", "encoder.blocks.1."];
        if frozen.iter().any(|prefix| name.starts_with(prefix)) {
            assert_eq!(loaded, found, "{name}");
            kept += 1;
        } else if name.contains("running_") {
            // Running statistics do not depend on the learning rate.
            assert_ne!(loaded, found, "{name}");
        } else {
            // A step of Adam changes a weight by at most about the learning rate.
            let moved = difference(loaded, found);
            assert!(moved > 0.0 && moved < 2.0 * STEPS * LOADED_LR, "{name}: {moved}");
            trained += 1;
        }
    }
    // Two blocks of six tensors and the first batch norm with its mean and variance; two blocks of four that are
    // trained, and two GRUs of three gates of three.
    assert_eq!((kept, trained), (2 * 6 + 4, 2 * 4 + 2 * 3 * 3));
    let bias = after.iter().find(|(name, ..)| name == "linear.bias").unwrap();
    // The new bias starts at zero and has the higher learning rate.
    let moved = difference(&bias.2, &vec![0; bias.2.len()]);
    assert!(moved > LR / 2.0, "{moved}");
}

#[test]
fn matching_last_layer_is_kept_without_replace_classifier() {
    let root = TempDir::new().unwrap();
    let tagger = tagger();
    let from = tagger.to_str().unwrap();
    for (name, more, expected) in [
        ("kept", &[][..], "loaded 54 parameters"),
        ("replaced", &["--replace-classifier"], "loaded 52 parameters"),
    ] {
        let more = [&["--init-from", from][..], more].concat();
        fit(&tagged().path(), "choi-crnn", &root.path().join(name), &more)
            .assert()
            .success()
            .stderr(contains(expected));
    }
}

#[test]
fn embeddings_of_a_tagger_are_classified() {
    let root = TempDir::new().unwrap();
    let out = root.path().join("embeddings.safetensors");
    let embed = |data: &Path| {
        let mut command = Program::Train.command(["embed", "--device", "cpu", "--json", "--classify", "knn,svm"]);
        command.args(["--set", "train", "--n-neighbors", "1"]);
        command.arg("--run").arg(tagger()).arg("--out").arg(&out);
        command.arg("--data").arg(data).assert()
    };
    let summary = json_line(&embed(&genres().path()).success());
    // Each track is longer than one clip and so has two.
    let clips = 2 * genres().table("tracks.csv").len();
    assert_eq!((&summary["rows"], &summary["dimension"]), (&clips.into(), &32.into()));
    let evaluated = genres().table("splits/main/train.csv").len();
    for classifier in ["knn", "svm"] {
        assert_eq!(
            summary["classifiers"][classifier]["tracks"]["samples"], evaluated,
            "{summary}"
        );
    }
    // The nearest neighbour of a training track is itself.
    let top1 = |name: &str| summary["classifiers"][name]["tracks"]["top1"].as_f64().unwrap();
    assert_eq!(top1("knn"), 1.0, "{summary}");
    assert!(top1("svm") > 0.5, "{summary}");
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("embeddings").unwrap().shape(), [clips, 32]);
    let sets = file.tensor("set").unwrap().data().to_vec();
    assert_eq!(sets.iter().filter(|&&set| set == 0).count(), 2 * evaluated);
    embed(&tagged().path())
        .code(1)
        .stderr(contains("--classify needs a single-label data set"));
}

#[test]
fn vgg16_for_larger_images_starts_from_the_one_for_smaller_images() {
    let root = TempDir::new().unwrap();
    let (small, large) = (root.path().join("small"), root.path().join("large"));
    fit(&fma(), "vgg16-progressive-42x100", &small, &["--freeze", "none"])
        .assert()
        .success();
    let from = ["--init-from", small.to_str().unwrap()];
    let grown = fit(&fma(), "vgg16-progressive-84x100", &large, &from)
        .assert()
        .success();
    let stderr = stderr_text(&grown);
    assert!(
        stderr.contains("newly initialized: halving.conv0.weight") && !stderr.contains("newly initialized: linear"),
        "{stderr}"
    );
    let (before, after) = (tensors(&small), tensors(&large));
    assert_eq!(after.len(), before.len() + 4);
    for (name, _, loaded) in &before {
        let found = after.iter().find(|(other, ..)| other == name).unwrap();
        // The convolutions are frozen, the dense layers are trained.
        assert_eq!(*loaded == found.2, name.starts_with("features."), "{name}");
    }
}
