//! `train fit --init-from` and `train embed`: what was learned on one data set, used on another.

use crate::papers::{fit, genres, tagged};
use crate::train::dataset as fma;
use predicates::str::contains;
use safetensors::SafeTensors;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{Program, json_line, stderr_text};

/// A `choi-crnn` that was trained on tags.
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

/// A run's best weights: name, shape and bytes of every tensor, in the order of names.
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

/// Largest difference of two tensors of f32.
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
fn other_classes_have_a_fresh_last_layer_and_frozen_layers_stay() {
    const LOADED_LR: f32 = 1e-5;
    const LR: f32 = 1e-2;
    /// Of batches of four.
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
    let said = stderr_text(&fitted);
    assert!(said.contains("newly initialized: linear.weight, linear.bias"), "{said}");
    // Batch norm of 96 bands; convolutions 1 -> 64 -> 128 of 3x3, with their biases and batch norms.
    let frozen = 2 * 96 + (9 + 1 + 2) * 64 + (9 * 64 + 1 + 2) * 128;
    assert!(said.contains(&format!("{frozen} of 392904 parameters")), "{said}");

    let (before, after) = (tensors(&tagger), tensors(&run));
    let (mut stayed, mut trained) = (0, 0);
    for ((name, shape, loaded), (same_name, new_shape, found)) in before.iter().zip(&after) {
        assert_eq!(name, same_name);
        // What a state is multiplied with, which stays zero in a clip of one step.
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
            stayed += 1;
        } else if name.contains("running_") {
            // Of what passes through, which has no learning rate.
            assert_ne!(loaded, found, "{name}");
        } else {
            // A step of Adam is at most about its learning rate long.
            let moved = difference(loaded, found);
            assert!(moved > 0.0 && moved < 2.0 * STEPS * LOADED_LR, "{name}: {moved}");
            trained += 1;
        }
    }
    // Two blocks of six tensors and the first batch norm with its mean and variance; two blocks of four that are trained,
    // and two GRUs of three gates of three.
    assert_eq!((stayed, trained), (2 * 6 + 4, 2 * 4 + 2 * 3 * 3));
    let bias = after.iter().find(|(name, ..)| name == "linear.bias").unwrap();
    // It begins at zero, and has the other learning rate.
    let moved = difference(&bias.2, &vec![0; bias.2.len()]);
    assert!(moved > LR / 2.0, "{moved}");
}

#[test]
fn a_fitting_last_layer_is_kept_unless_it_is_to_be_replaced() {
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
fn features_of_a_tagger_are_classified() {
    let root = TempDir::new().unwrap();
    let out = root.path().join("embeddings.safetensors");
    let features = |data: &Path| {
        let mut command = Program::Train.command(["embed", "--device", "cpu", "--json", "--classify", "knn,svm"]);
        command.args(["--set", "train", "--n-neighbors", "1"]);
        command.arg("--run").arg(tagger()).arg("--out").arg(&out);
        command.arg("--data").arg(data).assert()
    };
    let said = json_line(&features(&genres().path()).success());
    // Two clips of each track, which is longer than one.
    let clips = 2 * genres().table("tracks.csv").len();
    assert_eq!((&said["rows"], &said["dimension"]), (&clips.into(), &32.into()));
    let evaluated = genres().table("splits/main/train.csv").len();
    for classifier in ["knn", "svm"] {
        assert_eq!(
            said["classifiers"][classifier]["tracks"]["samples"], evaluated,
            "{said}"
        );
    }
    // The nearest neighbour of a track that was learned from is itself.
    let of_classifier = |name: &str| said["classifiers"][name]["tracks"]["top1"].as_f64().unwrap();
    assert_eq!(of_classifier("knn"), 1.0, "{said}");
    assert!(of_classifier("svm") > 0.5, "{said}");
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("embeddings").unwrap().shape(), [clips, 32]);
    let sets = file.tensor("set").unwrap().data().to_vec();
    assert_eq!(sets.iter().filter(|&&set| set == 0).count(), 2 * evaluated);
    features(&tagged().path())
        .code(1)
        .stderr(contains("--classify needs one class a track"));
}

#[test]
fn vgg16_grows_from_small_images_to_larger_ones() {
    let root = TempDir::new().unwrap();
    let (small, large) = (root.path().join("small"), root.path().join("large"));
    fit(&fma(), "vgg16-progressive-42x100", &small, &["--freeze", "none"])
        .assert()
        .success();
    let from = ["--init-from", small.to_str().unwrap()];
    let grown = fit(&fma(), "vgg16-progressive-84x100", &large, &from)
        .assert()
        .success();
    let said = stderr_text(&grown);
    assert!(
        said.contains("newly initialized: halving.conv0.weight") && !said.contains("newly initialized: linear"),
        "{said}"
    );
    let (before, after) = (tensors(&small), tensors(&large));
    assert_eq!(after.len(), before.len() + 4);
    for (name, _, loaded) in &before {
        let found = after.iter().find(|(other, ..)| other == name).unwrap();
        // The trunk is frozen, the dense layers are trained.
        assert_eq!(*loaded == found.2, name.starts_with("features."), "{name}");
    }
}
