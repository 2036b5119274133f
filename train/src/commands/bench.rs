//! `train bench`.

use super::{Outcome, UsageError};
use crate::bench::{self, CSV_HEADER, compare_front_ends, measure, to_csv, to_table, write_outputs};
use crate::cli::BenchArgs;
use crate::data::preparation::prepare;
use crate::data::run_data::RunData;
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::settings::device::DeviceChoice;
use crate::settings::{RunConfig, Settings, invalid};
use crate::step::compute::Compute;
use anyhow::{Context, bail};
use serde_json::json;
use shared::runtime::output_file::check_place;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Tolerance of the golden tests of both front ends.
const TOLERATED_DB: f64 = 0.05;
/// The order of the clips is kept in memory, and more clips would take too long anyway.
const MOST_CLIPS: usize = 1 << 28;
/// Rounding errors give a higher ratio; a wrong window, hop or phase gives a much lower one.
const TOLERATED_SNR_DB: f64 = 40.0;

/// Measures the stages of training, checks the front end, or writes outputs for a check.
pub fn run_bench(args: BenchArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    let mut config = settings(&args).resolve().map_err(UsageError::Setting)?;
    let clips = args.steps.get().saturating_mul(config.batch_size);
    if clips > MOST_CLIPS {
        let problem = format!("times --batch-size must be at most {MOST_CLIPS} clips, not {clips}");
        return Err(UsageError::Setting(invalid("--steps", problem)).into());
    }
    for (flag, path) in [("--csv", &args.csv), ("--outputs", &args.outputs)] {
        path.as_ref().map_or(Ok(()), |path| check_place(flag, path, &[]))?;
    }
    watch.dataset(&config.data);
    config.background.iter().for_each(|root| watch.dataset(root));
    watch.advise("run the same command again");
    let mut data = RunData::open(&config)?;
    data.open_background(&config)?;
    config.classes = data.dataset.classes().to_vec();
    let (device, device_name) = choice.open()?;
    let compute = Compute::new(&config, &data, vec![device])?;
    if let Some(path) = &args.outputs {
        return outputs(&config, &data, &compute, &device_name, path);
    }
    if args.check_front_end {
        return check_front_end(&config, &data, &compute, &device_name);
    }
    prepare(&mut data, &config, watch, &|| None, console)?;
    let front_end = if compute.has_front_end() { "device" } else { "host" };
    console.line(&format!(
        "{} on {device_name}, {} clips a batch, front end on the {front_end}, {} loader threads",
        config.model, config.batch_size, config.loader_threads,
    ));
    let precision = config.precision.name(&compute.device);
    let measurements = measure(&config, &data, &compute, args.steps.get())?;
    if let Some(path) = &args.csv {
        append(
            path,
            &to_csv(&config, &device_name, [precision, front_end], &measurements),
        )
        .with_context(|| format!("could not write measurements to {}", path.display()))?;
    }
    let stages = measurements.iter();
    let stages: serde_json::Map<_, _> = stages
        .map(|found| (found.stage.name().to_owned(), json!(found.seconds)))
        .collect();
    Ok(Outcome {
        text: to_table(config.batch_size, &measurements),
        json: json!({
            "command": "bench",
            "model": config.model,
            "batch_size": config.batch_size,
            "device": device_name,
            "precision": precision,
            "front_end": front_end,
            "loader_threads": config.loader_threads,
            "seconds_per_batch": stages,
            "data_wait": measurements.iter().find_map(|found| found.wait_share),
        }),
    })
}

fn outputs(
    config: &RunConfig,
    data: &RunData,
    compute: &Compute,
    device: &str,
    path: &Path,
) -> anyhow::Result<Outcome> {
    write_outputs(config, data, compute, path)?;
    let path = path.display();
    Ok(Outcome {
        text: format!("wrote weights, input and output of {} to {path}", config.model),
        json: json!({ "command": "bench", "model": config.model, "device": device, "outputs": path.to_string() }),
    })
}

fn settings(args: &BenchArgs) -> Settings {
    Settings {
        data: Some(args.data.clone()),
        model: Some(args.model),
        split: args.split.clone(),
        batch_size: Some(args.batch_size),
        augment: Some(args.augment),
        background: args.background.clone(),
        precision: Some(args.precision),
        front_end: Some(args.front_end),
        cache: args.cache.clone(),
        loader_threads: args.loader_threads,
        ..Settings::default()
    }
}

fn check_front_end(config: &RunConfig, data: &RunData, compute: &Compute, device: &str) -> anyhow::Result<Outcome> {
    let bench::FrontEndDifference {
        mel_db,
        waveform_snr_db,
    } = compare_front_ends(config, data, compute)?;
    let text = format!(
        "front ends on {device} and on the host: mel spectrograms differ by up to {mel_db:.5} dB, signal-to-noise ratio of \
         stretched waveforms is {waveform_snr_db:.1} dB"
    );
    if mel_db > TOLERATED_DB || waveform_snr_db < TOLERATED_SNR_DB {
        bail!("{text}; at most {TOLERATED_DB} dB and at least {TOLERATED_SNR_DB} dB are required");
    }
    Ok(Outcome {
        text,
        json: json!({ "command": "bench", "device": device, "mel_db": mel_db, "waveform_snr_db": waveform_snr_db }),
    })
}

/// Appends rows, after the header if the file is new.
fn append(path: &Path, rows: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if file.metadata()?.len() == 0 {
        file.write_all(CSV_HEADER.as_bytes())?;
    }
    file.write_all(rows.as_bytes())
}
