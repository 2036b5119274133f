//! Outputs for other programs: exported weights, settings files, shell completions, manual pages, logs.

use crate::papers::{fit, genres};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use tempfile::TempDir;
use tests::harness::{Program, json_line};

#[test]
fn exported_model_is_complete_without_its_data_set() {
    let root = TempDir::new().unwrap();
    let (run, out) = (root.path().join("run"), root.path().join("exported"));
    let dataset = genres().copy();
    fit(&dataset.path(), "choi-crnn", &run, &["--clip-seconds", "0.6"])
        .assert()
        .success();
    drop(dataset);
    let mut command = Program::Train.command(["export", "--json", "--run"]);
    let exported = json_line(&command.arg(&run).arg("--out").arg(&out).assert().success());
    assert_eq!(exported["command"], "export");
    let config: Value = serde_json::from_slice(&fs::read(out.join("config.json")).unwrap()).unwrap();
    assert_eq!(
        (&config["model"], &config["input"]["spectrogram"][1]),
        (&"choi-crnn".into(), &96.into())
    );
    assert_eq!(config["classes"].as_array().unwrap().len(), 8);
    assert_eq!(config["normalization"]["mel_mean"].as_array().unwrap().len(), 96);
    let bytes = fs::read(out.join("weights.safetensors")).unwrap();
    let header: Value = {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        serde_json::from_slice(&bytes[8..8 + length]).unwrap()
    };
    assert_eq!(header["__metadata__"]["format"], "pt");
    let names: Vec<_> = header
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| !name.contains("metadata"))
        .collect();
    assert!(names.iter().any(|name| name.ends_with("weight_ih_l0")), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with("gamma")), "{names:?}");
    let check = fs::metadata(out.join("check.safetensors")).unwrap().len();
    assert!(check > 2 * 96 * 4, "{check}");
    // `config.json` belongs to one file of weights.
    let refused = Program::Train
        .command(["export", "--format", "onnx", "--run"])
        .arg(&run)
        .arg("--out")
        .arg(&out)
        .assert();
    refused.code(1).stderr(contains(
        "weights.safetensors is an export in another format; give another directory",
    ));
    assert!(!out.join("model.onnx").exists());
    // `--init-from` reads exported weights.
    let second = root.path().join("second");
    let weights = out.join("weights.safetensors").display().to_string();
    fit(
        &genres().path(),
        "choi-fcn",
        &second,
        &["--clip-seconds", "0.6", "--init-from", &weights],
    )
    .assert()
    .code(1)
    .stderr(contains("do not fit choi-fcn"));
}

#[test]
fn fit_reads_the_settings_file_that_config_prints() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("settings.toml");
    let printed = Program::Train
        .command("config --model mfcc-dense --epochs 1 --weight-decay 1e-5".split(' '))
        .assert()
        .success();
    let text = String::from_utf8(printed.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("epochs = 1\n") && text.contains("weight_decay = 0.00001\n"),
        "{text}"
    );
    fs::write(&file, text).unwrap();
    let run = root.path().join("run");
    let dataset = genres();
    let mut command = Program::Train.command(["fit", "--json", "--device", "cpu", "--config"]);
    command
        .arg(&file)
        .arg("--data")
        .arg(dataset.path())
        .arg("--run")
        .arg(&run);
    assert_eq!(json_line(&command.assert().success())["epochs"], 1);
    // The settings of a run, without its data set's path.
    let again = root.path().join("again");
    let mut command = Program::Train.command(["fit", "--json", "--device", "cpu", "--config"]);
    command.arg(run.join("config.toml")).arg("--run").arg(&again);
    command.assert().success();
    let [first, second] = [&run, &again].map(|run| fs::read(run.join("best.safetensors")).unwrap());
    assert!(first == second);
    let mut missing = Program::Train.command(["config"]);
    missing.assert().code(2).stderr(contains("--model is missing"));
}

#[test]
fn completions_and_manual_pages_have_every_command() {
    let root = TempDir::new().unwrap();
    for (program, name, commands) in [
        (Program::Train, "train", ["fit", "sweep", "predict", "report"]),
        (
            Program::Preprocess,
            "preprocess",
            ["build", "split", "inspect", "merge"],
        ),
    ] {
        for shell in ["bash", "zsh", "fish"] {
            let printed = program.command(["completions", shell]).assert().success();
            let script = String::from_utf8(printed.get_output().stdout.clone()).unwrap();
            for word in commands.into_iter().chain([name]) {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
        program.command(["completions", "dos"]).assert().code(2);
        let directory = root.path().join(name);
        program.command(["man"]).arg(&directory).assert().success();
        for command in commands {
            let page = fs::read_to_string(directory.join(format!("{name}-{command}.1"))).unwrap();
            assert!(page.contains(".TH") && page.contains("json"), "{page}");
        }
    }
}

#[test]
fn logs_are_text_or_json_objects() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let fitted = fit(&genres().path(), "mfcc-dense", &run, &["--log-format", "json"])
        .assert()
        .success();
    let stderr = String::from_utf8(fitted.get_output().stderr.clone()).unwrap();
    let lines: Vec<Value> = stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let epoch = lines.iter().find(|line| line["epoch"] == 1).unwrap();
    assert!(
        epoch["val_loss"].is_number() && epoch["message"].as_str().unwrap().starts_with("epoch 1/1"),
        "{epoch}"
    );
    assert!(
        lines
            .iter()
            .all(|line| (line["level"] == "INFO" || line["level"] == "WARN") && line["timestamp"].is_string()),
        "{stderr}"
    );
    for program in [Program::Train, Program::Preprocess] {
        let arguments = match program {
            Program::Train => ["predict", "--run", "nowhere", "song.mp3"].to_vec(),
            _ => ["inspect", "nowhere"].to_vec(),
        };
        let mut plain = program.command(arguments.clone());
        plain
            .arg("-q")
            .assert()
            .code(1)
            .stderr(predicates::str::starts_with("error: "));
        let mut objects = program.command(arguments);
        let failed = objects.args(["--log-format", "json"]).assert().code(1);
        let line: Value = serde_json::from_slice(&failed.get_output().stderr).unwrap();
        assert_eq!(line["level"], "ERROR");
    }
}
