//! `train import`: weights that were trained elsewhere become a run that other commands use, and
//! `scripts/fetch_networks.sh` downloads them.

use crate::predict::{evaluated, predict};
use crate::train::{dataset, fit};
use crate::transfer::check_predicted;
use predicates::str::contains;
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{BuiltDataset, Collection, Program, json_line, stderr_text, stdout_text};

/// A trained `cnn1d` with its PyTorch weights, and the arguments that import them.
struct Network {
    root: TempDir,
    labels: Vec<String>,
    clip_samples: String,
}

impl Network {
    fn trained() -> &'static Self {
        static NETWORK: LazyLock<Network> = LazyLock::new(|| {
            let root = TempDir::new().unwrap();
            fit(&root.path().join("run"), &["--epochs", "1"]).assert().success();
            train("export", &root.path().join("run"), &["--out", &path(&root, "exported")]);
            let index: Value = serde_json::from_slice(&fs::read(dataset().join("dataset.json")).unwrap()).unwrap();
            Network {
                labels: serde_json::from_value(index["classes"].clone()).unwrap(),
                clip_samples: index["features"]["clip_samples"].to_string(),
                root,
            }
        });
        &NETWORK
    }

    fn run(&self) -> PathBuf {
        self.root.path().join("run")
    }

    fn import(&self, labels: &str, run: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
        let mut command = Program::Train.command(["import", "--json", "--labels", labels]);
        if !more.contains(&"--model") {
            command.args(["--model", "cnn1d"]);
        }
        command
            .arg("--weights")
            .arg(self.root.path().join("exported/weights.safetensors"));
        command.arg("--run").arg(run).args(more).assert()
    }

    /// Imports the weights with the features and the normalization that they were trained with.
    fn import_completely(&self, labels: &[String], run: &Path) {
        let normalization = dataset().join("splits/main/normalization.json");
        let more = [
            "--features",
            "paper1",
            "--clip-samples",
            &self.clip_samples,
            "--normalization",
            normalization.to_str().unwrap(),
        ];
        self.import(&labels.join(","), run, &more).success();
    }
}

fn path(root: &TempDir, name: &str) -> String {
    root.path().join(name).to_str().unwrap().to_owned()
}

/// Runs a command of `train` that must succeed.
fn train(command: &str, run: &Path, more: &[&str]) -> Value {
    let mut train = Program::Train.command([command, "--json", "--run"]);
    train.arg(run).args(more);
    json_line(&train.assert().success())
}

/// Runs a command of `train` that must fail, and returns its messages.
fn refused(command: &str, run: &Path, more: &[&str]) -> String {
    let mut train = Program::Train.command([command, "--run"]);
    train.arg(run).args(more);
    stderr_text(&train.assert().failure())
}

/// The predicted class of each track of the test set.
fn predicted(run: &Path) -> BTreeMap<String, String> {
    let rows = csv::Reader::from_path(run.join("predictions.csv"))
        .unwrap()
        .into_records();
    rows.map(Result::unwrap)
        .map(|row| (row[0].to_owned(), row[2].to_owned()))
        .collect()
}

#[test]
fn imported_run_gives_the_answers_of_the_run_that_was_exported() {
    let (network, root) = (Network::trained(), TempDir::new().unwrap());
    let run = root.path().join("imported");
    network.import_completely(&network.labels, &run);
    let collection = Collection::small();
    let good = collection.tracks().iter().filter(|track| track.damage.is_none());
    let files: Vec<PathBuf> = good.take(2).map(|track| collection.file(track)).collect();
    let files: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let answers = |run: &Path| train("predict", run, &[&["--device", "cpu"], &files[..]].concat())["files"].clone();
    assert_eq!(answers(&run), answers(&network.run()));

    let data = dataset();
    let data = data.to_str().unwrap();
    let metrics =
        |run: &Path, more: &[&str]| train("eval", run, &[&["--device", "cpu"], more].concat())["metrics"].clone();
    let expected = metrics(&network.run(), &[]);
    assert_eq!(metrics(&run, &["--data", data]), expected);
    // The run now has the data set and a copy of its split.
    assert_eq!(metrics(&run, &[]), expected);
    assert_eq!(predicted(&run), predicted(&network.run()));

    let embed = |run: &Path, name: &str| {
        train(
            "embed",
            run,
            &["--device", "cpu", "--data", data, "--out", &path(&root, name)],
        );
        fs::read(root.path().join(name)).unwrap()
    };
    assert!(embed(&run, "a.safetensors") == embed(&network.run(), "b.safetensors"));
    train("export", &run, &["--out", &path(&root, "again")]);
    let tensors = |path: PathBuf| {
        let bytes = fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec()));
        tensors.collect::<BTreeMap<_, _>>()
    };
    let exported = network.root.path().join("exported/weights.safetensors");
    assert!(tensors(root.path().join("again/weights.safetensors")) == tensors(exported));
}

#[test]
fn imported_run_is_reported_as_imported_and_trained_only_as_initial_weights() {
    let (network, root) = (Network::trained(), TempDir::new().unwrap());
    let run = root.path().join("imported");
    network.import_completely(&network.labels, &run);
    let data = dataset();
    let data = data.to_str().unwrap();
    let out = path(&root, "out");
    for (command, more) in [("eval", &[][..]), ("embed", &["--out", &out])] {
        let message = refused(command, &run, more);
        assert!(
            message.contains("was imported and has no data set; give one with --data"),
            "{message}"
        );
    }
    let report = |code: i32| Program::Train.command(["report"]).arg(&run).assert().code(code);
    let message = stderr_text(&report(1));
    assert!(
        message.contains("not trained here") && message.contains("train eval --run"),
        "{message}"
    );
    train("eval", &run, &["--device", "cpu", "--data", data]);
    let text = stdout_text(&report(0));
    assert!(
        text.contains("imported from") && text.contains("not trained here"),
        "{text}"
    );
    assert!(!text.contains("training has not finished"), "{text}");
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(
        page.contains("not trained here") && !page.contains("best epoch was selected"),
        "report.html does not tell that the run was imported"
    );
    let message = refused("fit", &run, &["--resume"]);
    assert!(
        message.contains("was imported from") && message.contains("--init-from"),
        "{message}"
    );
    let tuned = root.path().join("tuned");
    let fitted = fit(&tuned, &["--epochs", "1", "--init-from", run.to_str().unwrap()])
        .assert()
        .success();
    let stderr = stderr_text(&fitted);
    assert!(
        stderr.contains("loaded 30 parameters") && !stderr.contains("newly initialized"),
        "{stderr}"
    );
}

#[test]
fn imported_run_is_a_member_of_combined_runs() {
    let (network, root) = (Network::trained(), TempDir::new().unwrap());
    let data = dataset();
    let data = data.to_str().unwrap();
    let collection = Collection::small();
    // The files of the test set get the probabilities of the evaluation.
    let check = |run: &Path| {
        let found = evaluated(run);
        let track = |id: &String| collection.tracks().iter().find(|track| track.id.to_string() == *id);
        let files: Vec<PathBuf> = found.keys().map(|id| collection.file(track(id).unwrap())).collect();
        check_predicted(&json_line(&predict(run, &files).assert().success()), &found);
    };
    let report = |run: &Path| stdout_text(&Program::Train.command(["report"]).arg(run).assert().success());
    // A network with other labels than the data set has.
    let moods: Vec<String> = (0..network.labels.len()).map(|mood| format!("mood {mood}")).collect();
    let [moods_run, classifier, labels_run, mean] =
        ["moods", "classifier", "labels", "mean"].map(|name| root.path().join(name));
    network.import_completely(&moods, &moods_run);
    let saved = train(
        "embed",
        &moods_run,
        &[
            "--device",
            "cpu",
            "--data",
            data,
            "--classify",
            "rbf-svm",
            "--save-run",
            &path(&root, "classifier"),
        ],
    );
    fs::remove_dir_all(&moods_run).unwrap();
    let metrics = train("eval", &classifier, &["--device", "cpu"])["metrics"].clone();
    assert_eq!(metrics["top1"], saved["classifiers"]["rbf-svm"]["tracks"]["top1"]);
    check(&classifier);
    let text = report(&classifier);
    assert!(
        text.contains("rbf-svm on cnn1d") && text.contains("may have been trained on the evaluated tracks"),
        "{text}"
    );
    let page = fs::read_to_string(classifier.join("report.html")).unwrap();
    assert!(
        page.contains("parameters of the classifier were selected") && !page.contains("best epoch was selected"),
        "report.html describes a trained network"
    );

    // The mean with an imported run that has not been evaluated yet.
    network.import_completely(&network.labels, &labels_run);
    let both = [labels_run.to_str().unwrap(), classifier.to_str().unwrap()];
    let mut eval = Program::Train.command(["eval", "--device", "cpu", "--json", "--data", data]);
    eval.args(["--run", both[0], "--run", both[1], "--save-run"]).arg(&mean);
    eval.assert().success();
    check(&mean);
    let text = report(&mean);
    assert!(
        text.contains("mean of cnn1d + rbf-svm on cnn1d")
            && text.contains("may have been trained on the evaluated tracks"),
        "{text}"
    );
}

#[test]
fn labels_are_matched_with_the_data_set_by_name() {
    let (network, root) = (Network::trained(), TempDir::new().unwrap());
    let data = dataset();
    let data = data.to_str().unwrap();
    // The first output now has the last name, and so on.
    let reversed: Vec<String> = network.labels.iter().rev().cloned().collect();
    let run = root.path().join("reversed");
    network.import_completely(&reversed, &run);
    train("eval", &run, &["--device", "cpu", "--data", data]);
    train("eval", &network.run(), &["--device", "cpu"]);
    let (found, original) = (predicted(&run), predicted(&network.run()));
    assert!(!original.is_empty() && found.len() == original.len());
    for (track, class) in &original {
        let output = network.labels.iter().position(|label| label == class).unwrap();
        assert_eq!(found[track], reversed[output]);
    }

    let run = root.path().join("other");
    let mut other = network.labels.clone();
    other[1] = "Polka".into();
    network.import_completely(&other, &run);
    let message = refused("eval", &run, &["--data", data]);
    assert!(message.contains("the data set does not have `Polka`"), "{message}");
    assert!(!run.join("metrics.json").exists() && !run.join("split").exists());
}

#[test]
fn evaluation_on_another_data_set_replaces_the_first() {
    let (network, root) = (Network::trained(), TempDir::new().unwrap());
    let run = root.path().join("imported");
    network.import_completely(&network.labels, &run);
    let first = dataset();
    train("eval", &run, &["--device", "cpu", "--data", first.to_str().unwrap()]);
    let second = BuiltDataset::build(&Collection::first_tracks(12));
    second
        .split("--strategy random --ratios 40,30,30 --name other")
        .success();
    let second = second.path();
    train(
        "eval",
        &run,
        &["--device", "cpu", "--set", "val", "--data", second.to_str().unwrap()],
    );
    let metrics: Value = serde_json::from_slice(&fs::read(run.join("metrics.json")).unwrap()).unwrap();
    assert_eq!((&metrics["split"], &metrics["test"]), (&"other".into(), &Value::Null));
    assert!(!run.join("predictions.csv").exists());
    train("eval", &run, &["--device", "cpu"]);
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("split = \"other\""), "{config}");
}

#[test]
fn incomplete_and_wrong_arguments_are_refused_before_anything_is_written() {
    let (network, root) = (Network::trained(), TempDir::new().unwrap());
    let run = root.path().join("imported");
    let labels = network.labels.join(",");
    let normalization = dataset().join("splits/main/normalization.json");
    let normalization = ["--normalization", normalization.to_str().unwrap()];
    let features = ["--features", "paper1", "--clip-samples", &network.clip_samples];
    let part = path(&root, "part.json");
    fs::write(&part, r#"{"mel_mean": [1.0], "mel_std": [1.0]}"#).unwrap();
    let outputs = format!("have {} outputs, and there are 3 classes", network.labels.len());
    for (labels, more, code, expected) in [
        (
            &*labels,
            [&["--model", "choi-fcn"], &normalization[..]].concat(),
            2,
            "--features is missing",
        ),
        (&labels, features.to_vec(), 2, "--normalization is missing"),
        (
            &labels,
            [&features[..2], &["--clip-samples", "1000"]].concat(),
            2,
            "clip_samples must be",
        ),
        (&labels, ["--features", "paper0"].to_vec(), 2, "paper0"),
        (
            &labels,
            [&features[..], &["--normalization", &part]].concat(),
            1,
            "lacks waveform_mean and waveform_std",
        ),
        ("Folk,Pop,Rock", [&features[..], &normalization].concat(), 1, &outputs),
        ("Folk,Folk", [&features[..], &normalization].concat(), 2, "`Folk` twice"),
    ] {
        let message = stderr_text(&network.import(labels, &run, &more).code(code));
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(!run.exists(), "{expected}");
    }
}

#[test]
fn published_checkpoint_classifies_a_file() {
    let Some(reference) = std::env::var_os("CRATEDIGGER_REFERENCE") else {
        println!("skipped: CRATEDIGGER_REFERENCE is not set to the directory of checkpoint_baseline1d.pt");
        return;
    };
    let (reference, root) = (Path::new(&reference), TempDir::new().unwrap());
    let run = root.path().join("paper1");
    let mut import = Program::Train.command(["import", "--model", "cnn1d", "--labels"]);
    import.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/labels/fma_small.txt"));
    import.arg("--weights").arg(reference.join("checkpoint_baseline1d.pt"));
    import
        .arg("--normalization")
        .arg(reference.join("paper1_normalization.json"));
    import
        .arg("--run")
        .arg(&run)
        .assert()
        .success()
        .stdout(contains("8 classes"));
    let collection = Collection::small();
    let good = collection.tracks().iter().find(|track| track.damage.is_none());
    let file = collection.file(good.unwrap());
    let answer = train("predict", &run, &["--device", "cpu", file.to_str().unwrap()]);
    let probabilities: BTreeMap<String, f64> =
        serde_json::from_value(answer["files"][0]["probabilities"].clone()).unwrap();
    assert!(
        probabilities.len() == 8 && probabilities.contains_key("Hip-Hop"),
        "{answer}"
    );
    assert!((probabilities.values().sum::<f64>() - 1.0).abs() < 1e-6, "{answer}");
}

/// Writes mono samples at 16 kHz as a WAV file.
fn write_wav(path: &Path, samples: &[u8]) {
    let length = samples.len() as u32;
    let mut file = Vec::from(*b"RIFF");
    file.extend((36 + length).to_le_bytes());
    file.extend(*b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    // PCM, one channel, rate, bytes per second, bytes per sample, bits.
    file.extend([1u16, 1].map(u16::to_le_bytes).concat());
    file.extend([16_000u32, 32_000].map(u32::to_le_bytes).concat());
    file.extend([2u16, 16].map(u16::to_le_bytes).concat());
    file.extend(*b"data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    fs::write(path, file).unwrap();
}

/// The published networks of Won et al. answer audio files as PyTorch does.
#[test]
fn published_taggers_give_the_logits_of_pytorch() {
    /// PyTorch computes in another order; the worst error was 4e-5.
    const TOLERANCE: f64 = 5e-4;
    let Some(reference) = std::env::var_os("CRATEDIGGER_REFERENCE") else {
        println!("skipped: CRATEDIGGER_REFERENCE is not set to the directory of pretrained/won_golden.safetensors");
        return;
    };
    let (pretrained, root) = (Path::new(&reference).join("pretrained"), TempDir::new().unwrap());
    let bytes = fs::read(pretrained.join("won_golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let names = golden.names();
    let pieces: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix("/samples")).collect();
    assert_eq!(pieces.len(), 3);
    let mut worst = 0.0f64;
    for (weights, model, samples) in [
        ("mtat-fcn", "won-fcn", 464_000),
        ("msd-fcn", "won-fcn", 464_000),
        ("jamendo-fcn", "won-fcn", 464_000),
        ("msd-crnn", "won-crnn", 464_000),
        ("jamendo-crnn", "won-crnn", 464_000),
        ("mtat-musicnn", "musicnn", 48_000),
        ("jamendo-musicnn", "musicnn", 48_000),
    ] {
        let run = root.path().join(weights);
        let tags = weights.split('-').next().unwrap();
        let labels = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scripts/labels/{tags}.txt"));
        let mut import = Program::Train.command(["import", "--model", model, "--labels"]);
        import
            .arg(&labels)
            .arg("--weights")
            .arg(pretrained.join(format!("{weights}.pth")));
        import
            .arg("--run")
            .arg(&run)
            .assert()
            .success()
            .stdout(contains("50 tags"));
        let labels = fs::read_to_string(labels).unwrap();
        for piece in &pieces {
            let wav = root.path().join(format!("{piece}.wav"));
            let recording = golden.tensor(&format!("{piece}/samples")).unwrap();
            write_wav(&wav, &recording.data()[..2 * samples]);
            let answer = train("predict", &run, &["--device", "cpu", wav.to_str().unwrap()]);
            let answer = &answer["files"][0];
            assert_eq!(answer["clips"], 1, "{answer}");
            let expected = golden.tensor(&format!("{piece}/{weights}/logits")).unwrap();
            let (expected, _) = expected.data().as_chunks::<4>();
            assert_eq!(expected.len(), labels.lines().count());
            for (tag, expected) in labels.lines().zip(expected) {
                let expected = f64::from(f32::from_le_bytes(*expected));
                let probability = answer["probabilities"][tag].as_f64().unwrap();
                let logit = (probability / (1.0 - probability)).ln();
                let error = (logit - expected).abs();
                assert!(
                    error < TOLERANCE,
                    "{weights}, {piece}, {tag}: {logit} instead of {expected}"
                );
                worst = worst.max(error);
            }
        }
    }
    println!("worst error of a logit {worst:.1e}");
}

/// Runs `scripts/fetch_networks.sh` with the files below `mirror`.
fn fetch(mirror: &Path, directory: &Path) -> (Option<i32>, String) {
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/fetch_networks.sh"))
        .arg(directory)
        .env("NETWORKS_URL", format!("file://{}", mirror.display()))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn networks_with_a_wrong_checksum_are_deleted_and_existing_files_are_kept() {
    let (mirror, networks) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let commit = "minzwon/sota-music-tagging-models/1f4d282693ac19cde4d30b86811fe0ae2452f406/models/mtat/fcn";
    fs::create_dir_all(mirror.path().join(commit)).unwrap();
    fs::write(mirror.path().join(commit).join("best_model.pth"), "not the network").unwrap();
    let mine = networks.path().join("mtat-musicnn.pth");
    fs::write(&mine, "mine").unwrap();
    let (code, text) = fetch(mirror.path(), networks.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("instead of 3bfc67e4") && text.contains("was deleted"),
        "{text}"
    );
    assert!(!networks.path().join("mtat-fcn.pth").exists() && !networks.path().join("mtat-fcn.pth.part").exists());
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert!(text.contains("move it away"), "{text}");
    assert!(
        text.contains("state no licence") && !text.contains("checkpoint_baseline1d.pt "),
        "{text}"
    );
    let tags = fs::read_to_string(networks.path().join("mtat.txt")).unwrap();
    assert_eq!((tags.lines().count(), tags.lines().next()), (50, Some("guitar")));
}
