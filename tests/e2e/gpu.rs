//! Training on the device that CRATEDIGGER_TEST_DEVICE names, compared with the CPU. `scripts/test_gpu.sh` runs this.

use crate::train::dataset;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{Program, json_line, test_device};

/// Largest difference of a loss after two epochs, relative to the CPU's.
const LOSS_TOLERANCE: f64 = 0.02;
/// Length of the difference between what two trainings added to the weights, relative to the CPU's. The phase vocoder and
/// decibels of quiet bands enlarge the rounding errors of the CPU's convolutions to 0.065. A wrong gradient gives 1 or
/// more.
const UPDATE_TOLERANCE: f64 = 0.15;

/// `train fit` from [`initial_weights`]. Dropout is 0, because each device draws other random numbers. SGD, unlike Adam,
/// does not enlarge rounding errors of gradients that should be 0.
fn fit(run: &Path, device: &str, model: &str, more: &str) {
    let weights = initial_weights(model);
    let settings = "--clip-seconds 1.5 --train-clips 1 --optimizer sgd --lr 0.001 --dropout 0 --batch-size 4 --seed 4";
    let settings = format!("--model {model} {settings} {more} --init-from {}", weights.display());
    train(run, device, &settings);
}

fn initial_weights(model: &str) -> PathBuf {
    static WEIGHTS: LazyLock<TempDir> = LazyLock::new(|| {
        let root = TempDir::new().unwrap();
        for model in ["cnn1d", "crnn"] {
            let settings = format!("--model {model} --clip-seconds 1.5 --epochs 1 --augment none");
            train(&root.path().join(model), "cpu", &settings);
        }
        root
    });
    WEIGHTS.path().join(model).join("best.safetensors")
}

fn train(run: &Path, device: &str, settings: &str) {
    let mut command = Program::Train.command(["fit", "--device", device]);
    command.args(settings.split_whitespace()).arg("--data").arg(dataset());
    command.arg("--run").arg(run).assert().success();
}

/// The validation loss of each epoch.
fn losses(run: &Path) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(run.join("history.csv")).unwrap();
    let column = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "val_loss")
        .unwrap();
    reader
        .records()
        .map(|row| row.unwrap()[column].parse().unwrap())
        .collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    println!("losses {found:?}, on the CPU {expected:?}");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found / expected - 1.0).abs() < LOSS_TOLERANCE,
            "{found} is not {expected}"
        );
    }
}

/// The sum of all updates of the parameters.
fn updates(run: &Path, model: &str) -> Vec<f64> {
    let files = [run.join("best.safetensors"), initial_weights(model)].map(|path| std::fs::read(path).unwrap());
    let [trained, initial] = files.each_ref().map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    let values = |file: &SafeTensors, name: &str| -> Vec<f64> {
        let bytes = file.tensor(name).unwrap().data().chunks_exact(4);
        bytes
            .map(|value| f64::from(f32::from_le_bytes(value.try_into().unwrap())))
            .collect()
    };
    let mut names = initial.names();
    names.retain(|name| !name.contains("running"));
    names.sort_unstable();
    names
        .into_iter()
        .flat_map(|name| {
            let (trained, initial) = (values(&trained, name), values(&initial, name));
            trained
                .into_iter()
                .zip(initial)
                .map(|(trained, initial)| trained - initial)
        })
        .collect()
}

fn length(vector: impl IntoIterator<Item = f64>) -> f64 {
    vector.into_iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// A gradient can be wrong although the loss falls, so the weights are compared.
#[test]
fn training_on_a_device_changes_the_weights_as_on_the_cpu() {
    let Some(device) = test_device() else { return };
    let root = TempDir::new().unwrap();
    for (model, settings) in [
        ("crnn", "--augment none"),
        ("crnn", "--augment noise,stretch,spec-augment,gain --front-end device"),
        ("cnn1d", "--augment noise,stretch,gain --front-end device"),
    ] {
        let [found, expected] = [("device", &*device), ("cpu", "cpu")].map(|(name, device)| {
            let run = root.path().join(format!("{name}-{model}-{}", settings.len()));
            fit(&run, device, model, &format!("--epochs 1 {settings}"));
            println!("{device}: losses {:?}", losses(&run));
            updates(&run, model)
        });
        let difference = length(found.iter().zip(&expected).map(|(a, b)| a - b)) / length(expected);
        println!("{model} {settings}: difference {difference:.1e}");
        assert!(difference < UPDATE_TOLERANCE, "{model} {settings}: {difference}");
    }
}

#[test]
fn training_on_a_device_ends_with_the_losses_of_the_cpu() {
    let Some(device) = test_device() else { return };
    let root = TempDir::new().unwrap();
    let settings = "--epochs 2 --augment paper --front-end device";
    let runs = ["device", "cpu"].map(|name| root.path().join(name));
    fit(&runs[0], &device, "crnn", settings);
    fit(&runs[1], "cpu", "crnn", settings);
    assert_close(&losses(&runs[0]), &losses(&runs[1]));

    // The same weights give the same results on both.
    let evaluated = [&device, "cpu"].map(|device| {
        let mut command = Program::Train.command(["eval", "--json", "--device", device, "--run"]);
        json_line(&command.arg(&runs[0]).assert().success())["metrics"]["loss"]
            .as_f64()
            .unwrap()
    });
    assert!((evaluated[0] - evaluated[1]).abs() < 1e-3, "{evaluated:?}");
}

#[test]
fn run_begun_on_a_device_is_continued_on_the_cpu_and_the_other_way_round() {
    let Some(device) = test_device() else { return };
    let root = TempDir::new().unwrap();
    let expected = root.path().join("uninterrupted");
    fit(&expected, "cpu", "cnn1d", "--augment none --epochs 2");
    for (first, second) in [(&*device, "cpu"), ("cpu", &*device)] {
        let run = root.path().join(first.replace(':', "-"));
        fit(&run, first, "cnn1d", "--augment none --epochs 1");
        let mut command = Program::Train.command(["fit", "--resume", "--epochs", "2", "--device", second, "--run"]);
        command.arg(&run).assert().success();
        assert_close(&losses(&run), &losses(&expected));
    }
}

#[test]
fn batches_are_shared_by_two_devices() {
    let Some(device) = test_device() else { return };
    let root = TempDir::new().unwrap();
    let runs = ["devices", "cpus"].map(|name| root.path().join(name));
    let settings = "--augment none --epochs 2";
    fit(&runs[0], &format!("{device},{device}"), "cnn1d", settings);
    fit(&runs[1], "cpu,cpu", "cnn1d", settings);
    assert_close(&losses(&runs[0]), &losses(&runs[1]));
}

#[test]
fn devices_are_listed_and_a_missing_one_is_named() {
    let Some(device) = test_device() else { return };
    let answer = json_line(&Program::Train.command(["devices", "--json"]).assert().success());
    let devices = answer["devices"].as_array().unwrap();
    let listed = devices.iter().find(|listed| listed["device"] == *device).unwrap();
    assert!(!listed["name"].as_str().unwrap().is_empty(), "{listed}");
    assert_eq!(devices.last().unwrap()["device"], "cpu");
    let missing = device.split(':').next().unwrap().to_owned() + ":99";
    let mut command = Program::Train.command(["fit", "--device", &missing, "--model", "cnn1d"]);
    command
        .arg("--data")
        .arg(dataset())
        .arg("--run")
        .arg(TempDir::new().unwrap().path().join("run"));
    let failed = command.assert().code(1);
    let message = tests::harness::stderr_text(&failed);
    assert!(message.contains(&missing) && message.lines().count() < 4, "{message}");
}
