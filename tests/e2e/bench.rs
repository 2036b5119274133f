//! `train bench`: its JSON, its tables and its files.

use crate::train::dataset;
use safetensors::SafeTensors;
use std::fs;
use tempfile::TempDir;
use tests::harness::{Program, json_line, stdout_text};

fn bench(more: &[&str]) -> assert_cmd::Command {
    let mut command = Program::Train.command(["bench", "--device", "cpu", "--json", "--data"]);
    command.arg(dataset()).args(more);
    command
}

#[test]
fn every_stage_is_measured_and_appended_to_the_table() {
    let root = TempDir::new().unwrap();
    let csv = root.path().join("stages.csv");
    let path = csv.to_str().unwrap();
    let more = ["--model", "cnn1d", "--batch-size", "2", "--steps", "2", "--csv", path];
    let measured = bench(&more).assert().success();
    let result = json_line(&measured);
    let host = [
        "read",
        "augment",
        "front_end",
        "upload",
        "forward",
        "backward",
        "optimizer",
        "step",
        "loader",
        "fit",
    ];
    for stage in host {
        assert!(result["seconds_per_batch"][stage].as_f64().unwrap() > 0.0, "{stage}");
    }
    assert!((0.0..=1.0).contains(&result["data_wait"].as_f64().unwrap()));
    let text = stdout_text(&measured);
    assert!(text.contains("limited by the "), "{text}");

    bench(&[&more[..], &["--front-end", "device", "--augment", "none"]].concat())
        .assert()
        .success();
    let table = fs::read_to_string(&csv).unwrap();
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let (stage, front_end, rate) = {
        let headers = rows.headers().unwrap().clone();
        let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
        (column("stage"), column("front_end"), column("clips_per_s"))
    };
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let stages = |place: &str| -> Vec<&str> {
        let rows = rows.iter().filter(|row| &row[front_end] == place);
        rows.map(|row| &row[stage]).collect()
    };
    assert_eq!(stages("host"), host);
    assert_eq!(
        stages("device"),
        [
            "read",
            "front_end",
            "forward",
            "backward",
            "optimizer",
            "step",
            "loader",
            "fit"
        ]
    );
    assert!(rows.iter().all(|row| row[rate].parse::<f64>().unwrap() > 0.0));
}

#[test]
fn outputs_file_has_weights_inputs_and_logits() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("outputs.safetensors");
    bench(&[
        "--model",
        "mm-crnn",
        "--batch-size",
        "2",
        "--outputs",
        file.to_str().unwrap(),
    ])
    .assert()
    .success();
    let bytes = fs::read(&file).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().as_ref().unwrap()["model"], "mm-crnn");
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for (name, shape) in [
        ("check.waveform", vec![2, 1, 1 << 19]),
        ("check.spectrogram", vec![2, 1, 128, 512]),
        ("mel_encoder.blocks.0.conv0.weight", vec![16, 1, 3, 3]),
    ] {
        assert_eq!(tensors.tensor(name).unwrap().shape(), shape, "{name}");
    }
    let logits = tensors.tensor("check.logits").unwrap();
    let values: Vec<f32> = logits
        .data()
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect();
    assert!(values.iter().any(|&value| value != 0.0) && values.iter().all(|value| value.is_finite()));
}

#[test]
fn front_ends_of_host_and_device_give_the_same_spectrograms() {
    let result = json_line(&bench(&["--model", "crnn", "--check-front-end"]).assert().success());
    let (mel, waveform) = (&result["mel_db"], &result["waveform_snr_db"]);
    assert!(
        mel.as_f64().unwrap() < 0.05 && waveform.as_f64().unwrap() > 40.0,
        "{mel} dB, {waveform} dB"
    );
}
