//! `train lr-find`: a learning rate range test.

use super::fit::read_settings;
use super::fit_run::{Plan, plan};
use super::{Outcome, UsageError};
use crate::bench::{rates_picture, rates_to_csv, rates_to_table, suggested, try_learning_rates};
use crate::cli::LrFindArgs;
use crate::data::preparation::prepare;
use crate::process::console::Console;
use crate::process::mapping_fault::FaultWatch;
use crate::process::stop::StopSignals;
use crate::settings::device::DeviceChoice;
use crate::step::compute::Compute;
use anyhow::{Context, bail};
use serde_json::json;
use shared::runtime::atomic_file;
use shared::runtime::output_file::check_directory;
use std::fs;

const TABLE_FILE: &str = "lr_find.csv";
const PICTURE_FILE: &str = "lr_find.svg";

pub fn run_lr_find(args: LrFindArgs, watch: &FaultWatch, console: Console) -> anyhow::Result<Outcome> {
    let choice: DeviceChoice = args.device.parse().map_err(UsageError::Device)?;
    choice.check_built_in()?;
    check_directory("--out", &args.out)?;
    let settings = match &args.config {
        Some(path) => args.settings.or(read_settings(path)?),
        None => args.settings,
    };
    let signals = StopSignals::listen().context("could not listen for signals")?;
    let stop = || signals.received();
    let Plan { config, mut data, .. } = plan(settings, None, &args.out, 1, watch)?;
    let (device, device_name) = choice.open()?;
    let compute = Compute::new(&config, &data, vec![device])?;
    prepare(&mut data, &config, watch, &stop, console)?;
    console.line(&format!(
        "{} on {device_name} with {}, {} clips a batch",
        config.model, config.optimizer, config.batch_size
    ));
    let tried = try_learning_rates(&config, &data, &compute, &stop, console)?;
    if tried.is_empty() {
        bail!("the loss of the first batch is not finite; check the data set with `preprocess verify`");
    }
    fs::create_dir_all(&args.out).with_context(|| format!("could not create {}", args.out.display()))?;
    let [table, picture] = [TABLE_FILE, PICTURE_FILE].map(|name| args.out.join(name));
    atomic_file::write_bytes(&table, rates_to_csv(&tried).as_bytes())?;
    atomic_file::write_bytes(&picture, rates_picture(&tried).as_bytes())?;
    let suggestion = suggested(&tried);
    let sentence = match suggestion {
        Some(lr) => format!("the loss falls most steeply at --lr {lr:.1e}"),
        None => "the loss does not fall at any rate, so none is suggested".into(),
    };
    Ok(Outcome {
        text: format!(
            "{}{sentence}\ntable {}\npicture {}",
            rates_to_table(&tried),
            table.display(),
            picture.display()
        ),
        json: json!({
            "command": "lr-find",
            "model": config.model,
            "optimizer": config.optimizer,
            "device": device_name,
            "steps": tried.len(),
            "suggested_lr": suggestion,
            "out": args.out.to_string_lossy(),
        }),
    })
}
