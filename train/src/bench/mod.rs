//! Measures the stages of training, each alone and all together, with the code of `fit` on batches of the training set.
//!
//! [`try_learning_rates`] finds a learning rate instead.
//!
//! The time of a single stage is the median over the measured batches, after warm-up.

mod check;
mod lr_find;
mod outputs;
mod stages;

pub use check::{FrontEndDifference, compare_front_ends};
pub use lr_find::{rates_picture, rates_to_csv, rates_to_table, suggested, try_learning_rates};
pub use outputs::write_outputs;
pub use stages::measure;

use crate::settings::RunConfig;

/// One stage of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Copying from the shards, in one thread.
    Read,
    /// Noise and time stretch, in one thread; 0 if the device does it.
    Augment,
    /// Mel spectrogram, dB and normalization, in one thread; on the device, everything from samples to model input.
    FrontEnd,
    /// From the host's memory to the device's.
    Upload,
    /// The forward pass with recording for the backward pass, and the loss.
    Forward,
    Backward,
    Optimizer,
    /// Forward, backward and optimizer on a batch that is already on the device: the upper bound of the device.
    Step,
    /// All loader threads without training: the upper bound of the loader.
    Loader,
    /// Everything, as `fit` runs it.
    Fit,
}

impl Stage {
    /// The name in the CSV file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Augment => "augment",
            Self::FrontEnd => "front_end",
            Self::Upload => "upload",
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Optimizer => "optimizer",
            Self::Step => "step",
            Self::Loader => "loader",
            Self::Fit => "fit",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    pub stage: Stage,
    /// Seconds per batch.
    pub seconds: f64,
    /// Fraction of the time spent waiting for data; only for [`Stage::Fit`].
    pub wait_share: Option<f64>,
}

impl Measurement {
    /// Clips per second of this stage; `None` if it took no time.
    pub fn clips_per_second(&self, batch_size: usize) -> Option<f64> {
        (self.seconds > 0.0).then(|| batch_size as f64 / self.seconds)
    }
}

/// Columns of the CSV file.
pub const CSV_HEADER: &str =
    "model,batch_size,device,precision,front_end,augment,threads,stage,ms_per_batch,clips_per_s,wait_share\n";

/// The measurements as rows of a CSV file, without the header.
pub fn to_csv(
    config: &RunConfig,
    device: &str,
    [precision, front_end]: [&str; 2],
    measurements: &[Measurement],
) -> String {
    let row = |measurement: &Measurement| {
        format!(
            "{},{},{device},{precision},{front_end},{},{},{},{:.4},{},{}\n",
            config.model,
            config.batch_size,
            config.augment,
            config.loader_threads,
            measurement.stage.name(),
            1e3 * measurement.seconds,
            cell(measurement.clips_per_second(config.batch_size), 2),
            cell(measurement.wait_share, 5),
        )
    };
    measurements.iter().map(row).collect()
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or(String::new(), |value| format!("{value:.decimals$}"))
}

/// A text table; the last line says whether the data or the device limits training.
pub fn to_table(batch_size: usize, measurements: &[Measurement]) -> String {
    let mut table = format!("{:<10} {:>12} {:>12}\n", "stage", "ms/batch", "clips/s");
    for measurement in measurements {
        table += &format!(
            "{:<10} {:>12.3} {:>12}",
            measurement.stage.name(),
            1e3 * measurement.seconds,
            cell(measurement.clips_per_second(batch_size), 1),
        );
        if let Some(share) = measurement.wait_share {
            table += &format!("  {:.1} % waiting for data", 100.0 * share);
        }
        table += "\n";
    }
    let seconds = |stage| {
        measurements
            .iter()
            .find(|measurement| measurement.stage == stage)
            .map(|found| found.seconds)
    };
    if let (Some(step), Some(loader)) = (seconds(Stage::Step), seconds(Stage::Loader)) {
        let (side, ratio) = if loader > step {
            ("the data", loader / step)
        } else {
            ("the device", step / loader)
        };
        table += &format!("limited by {side}, which alone takes {ratio:.2} times as long as the other side");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_data_or_device_as_the_bottleneck() {
        let measurement = |stage, seconds| Measurement {
            stage,
            seconds,
            wait_share: (stage == Stage::Fit).then_some(0.034),
        };
        let measurements = [
            measurement(Stage::Step, 0.2),
            measurement(Stage::Loader, 0.05),
            measurement(Stage::Fit, 0.21),
        ];
        let table = to_table(8, &measurements);
        assert!(
            table.ends_with("limited by the device, which alone takes 4.00 times as long as the other side"),
            "{table}"
        );
        assert!(table.contains("40.0") && table.contains("3.4 % waiting"), "{table}");
    }
}
