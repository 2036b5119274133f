//! Describes how an epoch's time was spent, and advises what to change if training waits for data.

use crate::loader::PrefetchReport;
use crate::settings::{Cache, RunConfig};
use std::time::Duration;

/// Time of the training thread, without waiting for batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceTimes {
    /// Starting uploads. On a GPU the copy itself runs asynchronously.
    pub upload: Duration,
    /// Forward pass, backward pass and optimizer, or waiting for a GPU to finish them.
    pub device: Duration,
}

/// Timings of an epoch, or of its steps so far.
#[derive(Clone, Copy, Debug)]
pub struct Pace<'a> {
    pub loader: &'a PrefetchReport,
    pub device: DeviceTimes,
    pub config: &'a RunConfig,
    /// Whether loader threads and training share the processor.
    pub on_cpu: bool,
    /// Whether the loader's threads compute the model input.
    pub host_front_end: bool,
    /// Number of parallel threads of this machine.
    pub cores: usize,
}

impl Pace<'_> {
    /// Advice is given above this fraction of waiting. On a CPU some waiting is normal, because loader and training
    /// share the cores.
    fn tolerated_wait(&self) -> f64 {
        if self.on_cpu { 0.05 } else { 0.02 }
    }

    /// Percentages of the epoch's time.
    pub fn describe(&self) -> String {
        let elapsed = self.loader.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        let percent = |time: Duration| 100.0 * time.as_secs_f64() / elapsed;
        let threads = self.config.loader_threads.max(1) as f64;
        let stages = self.loader.stages;
        format!(
            "each loader thread reads {:.0} %, augments {:.0} %, front end {:.0} %; upload {:.0} %, device {:.0} %, \
             {:.1} % waiting for data",
            percent(stages.read) / threads,
            percent(stages.augment) / threads,
            percent(stages.front_end) / threads,
            percent(self.device.upload),
            percent(self.device.device),
            100.0 * self.loader.wait_share(),
        )
    }

    /// What to change; `None` if training hardly waits for data.
    pub fn advice(&self) -> Option<String> {
        let waited = self.loader.wait_share();
        if waited <= self.tolerated_wait() {
            return None;
        }
        let stages = self.loader.stages;
        let computes = stages.augment + stages.front_end;
        let remedy = if stages.read > computes && self.config.cache != Cache::Ram {
            "reading the shards takes most of the loader's time: --cache ram copies them into memory first".into()
        } else if stages.read > computes {
            "reading takes most of the loader's time although the shards are in memory: use a smaller --batch-size, or \
             run fewer other programs"
                .into()
        } else if !self.on_cpu && self.host_front_end && self.config.augment.changes_samples() {
            "the loader's threads augment and transform: --front-end device does that on the GPU".into()
        } else if self.config.loader_threads < self.cores {
            format!(
                "all loader threads are busy: --loader-threads {} uses every core",
                self.cores
            )
        } else if self.config.augment.changes_samples() && self.config.model.description().input.waveform.is_none() {
            format!(
                "every core is busy: --augment none cuts clips out of the stored mel spectrograms, which is much faster, \
                 but trains without {}",
                self.config.augment
            )
        } else {
            "every core is busy preparing data: a machine with more cores would train faster".into()
        };
        Some(format!(
            "training waits for data {:.0} % of the time; {remedy}",
            100.0 * waited
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::StageTimes;
    use crate::models::ModelKind;
    use crate::settings::Settings;

    fn config(change: impl FnOnce(&mut Settings)) -> RunConfig {
        let mut settings = Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Crnn),
            loader_threads: Some(2),
            ..Settings::default()
        };
        change(&mut settings);
        settings.resolve().unwrap()
    }

    fn report(read: u64, augment: u64, front_end: u64, waited: u64) -> PrefetchReport {
        PrefetchReport {
            waited: Duration::from_millis(waited),
            elapsed: Duration::from_secs(1),
            stages: StageTimes {
                read: Duration::from_millis(read),
                augment: Duration::from_millis(augment),
                front_end: Duration::from_millis(front_end),
            },
            ..PrefetchReport::default()
        }
    }

    fn advice(loader: &PrefetchReport, config: &RunConfig, on_cpu: bool) -> Option<String> {
        let pace = Pace {
            loader,
            device: DeviceTimes::default(),
            config,
            on_cpu,
            host_front_end: true,
            cores: 4,
        };
        pace.advice()
    }

    #[test]
    fn advice_names_the_setting_to_change() {
        let plain = config(|_| {});
        let cases = [
            (report(900, 50, 50, 300), plain.clone(), false, "--cache ram"),
            (report(100, 900, 900, 300), plain.clone(), false, "--front-end device"),
            (report(100, 900, 900, 300), plain.clone(), true, "--loader-threads 4"),
            (
                report(100, 900, 900, 300),
                config(|settings| settings.loader_threads = Some(4)),
                true,
                "--augment none",
            ),
        ];
        for (report, config, on_cpu, expected) in cases {
            let advice = advice(&report, &config, on_cpu).unwrap();
            assert!(advice.contains(expected), "{advice}");
        }
        assert_eq!(advice(&report(900, 50, 50, 40), &plain, true), None);
        assert!(advice(&report(900, 50, 50, 40), &plain, false).is_some());
    }

    #[test]
    fn loader_percentages_are_per_thread() {
        let (loader, config) = (report(200, 400, 0, 10), config(|_| {}));
        let pace = Pace {
            loader: &loader,
            device: DeviceTimes {
                upload: Duration::from_millis(50),
                device: Duration::from_millis(900),
            },
            config: &config,
            on_cpu: true,
            host_front_end: true,
            cores: 4,
        };
        assert_eq!(
            pace.describe(),
            "each loader thread reads 10 %, augments 20 %, front end 0 %; upload 5 %, device 90 %, 1.0 % waiting for data"
        );
    }
}
