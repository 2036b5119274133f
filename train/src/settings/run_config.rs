//! Checks the complete settings of a run.

use super::{InvalidSetting, RunConfig, invalid};
use crate::loader::TrainClips;
use crate::models::LrSchedule;

/// The limits are far above any sensible value: they catch typing errors and manipulated files.
pub const MOST_THREADS: usize = 1024;
const MOST_BATCHES_AHEAD: usize = 1 << 16;
const MOST_CLIP_FRAMES: usize = 1 << 20;
const MOST_CLIP_SAMPLES: usize = 1 << 30;
const MOST_CLIPS_PER_STEP: usize = 1 << 20;
const MOST_MIXUP: f64 = 100.0;

impl RunConfig {
    /// Checks every value. Saved settings are checked again, because they may have been edited.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        self.to_settings().check_kept()?;
        let at_least_one = [
            ("--epochs", self.epochs),
            ("--batch-size", self.batch_size),
            ("--loader-threads", self.loader_threads),
            ("--prefetch", self.prefetch),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(invalid(name, "must be at least 1"));
        }
        let at_most = [
            ("--loader-threads", self.loader_threads, MOST_THREADS),
            ("--prefetch", self.prefetch, MOST_BATCHES_AHEAD),
            ("--batch-size", self.batch_size, MOST_CLIPS_PER_STEP),
            ("clip_frames", self.clip_frames.unwrap_or(0), MOST_CLIP_FRAMES),
            ("clip_samples", self.clip_samples.unwrap_or(0), MOST_CLIP_SAMPLES),
        ];
        if let Some((name, value, most)) = at_most.into_iter().find(|(_, value, most)| value > most) {
            return Err(invalid(name, format!("must be at most {most}, not {value}")));
        }
        for (name, rate) in [("--lr", Some(self.lr)), ("--loaded-lr", self.loaded_lr)] {
            if let Some(rate) = rate.filter(|rate| !(*rate > 0.0 && rate.is_finite())) {
                return Err(invalid(name, format!("must be above 0, not {rate}")));
            }
        }
        let at_least_zero = [
            ("--warmup-epochs", self.warmup_epochs),
            ("--clip-grad-norm", self.clip_grad_norm),
            ("--skip-seconds", self.skip_seconds),
            ("--min-delta", self.min_delta),
        ];
        let wrong = |value: f64| !(value >= 0.0 && value.is_finite());
        if let Some((name, value)) = at_least_zero.into_iter().find(|(_, value)| wrong(*value)) {
            return Err(invalid(name, format!("must be 0 or more, not {value}")));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(invalid(
                "--weight-decay",
                format!("must be 0 or more, not {}", self.weight_decay),
            ));
        }
        for (name, value) in [("--dropout", self.dropout), ("--ema", self.ema)] {
            if !(0.0..1.0).contains(&value) {
                return Err(invalid(name, format!("must be at least 0 and below 1, not {value}")));
            }
        }
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return Err(invalid(
                "--label-smoothing",
                format!("must be at least 0 and below 1, not {}", self.label_smoothing),
            ));
        }
        if !(self.focal_gamma >= 0.0 && self.focal_gamma.is_finite()) {
            return Err(invalid(
                "--focal-gamma",
                format!("must be 0 or more, not {}", self.focal_gamma),
            ));
        }
        if !(0.0..=MOST_MIXUP).contains(&self.mixup) {
            return Err(invalid(
                "--mixup",
                format!("must be between 0 and {MOST_MIXUP}, not {}", self.mixup),
            ));
        }
        if let Some(seconds) = self
            .clip_seconds
            .filter(|seconds| !(*seconds > 0.0 && seconds.is_finite()))
        {
            return Err(invalid("--clip-seconds", format!("must be above 0, not {seconds}")));
        }
        self.validate_optimization()?;
        self.validate_averaging_and_freezing()?;
        self.validate_consistency()
    }

    /// Checks the learning rate schedule and the size of micro batches.
    fn validate_optimization(&self) -> Result<(), InvalidSetting> {
        if self.warmup_epochs > 0.0 && self.lr_schedule == LrSchedule::OneCycle {
            return Err(invalid(
                "--warmup-epochs",
                "does not go with --lr-schedule one-cycle, which begins with its own warm-up",
            ));
        }
        // Other schedules allow more epochs later.
        if self.lr_schedule.depends_on_epochs() && self.warmup_epochs >= self.epochs as f64 {
            return Err(invalid(
                "--warmup-epochs",
                format!("must be below --epochs {}, not {}", self.epochs, self.warmup_epochs),
            ));
        }
        match self.micro_batch_size {
            Some(0) => Err(invalid("--micro-batch-size", "must be at least 1")),
            Some(size) if size > self.batch_size => Err(invalid(
                "--micro-batch-size",
                format!("must be at most --batch-size {}, not {size}", self.batch_size),
            )),
            _ => Ok(()),
        }
    }

    fn validate_averaging_and_freezing(&self) -> Result<(), InvalidSetting> {
        if self.average_last > self.epochs {
            return Err(invalid(
                "--average-last",
                format!("must be at most --epochs {}, not {}", self.epochs, self.average_last),
            ));
        }
        if self.average_last > 0 && self.ema > 0.0 {
            return Err(invalid("--average-last", "and --ema exclude each other"));
        }
        if self.thaw_after > 0 && self.freeze.is_empty() {
            return Err(invalid("--thaw-after", "needs --freeze"));
        }
        if self.freeze_batch_norm && self.init_from.is_none() {
            return Err(invalid("--freeze-batch-norm", "needs --init-from"));
        }
        Ok(())
    }

    /// Checks the settings against each other and against the model.
    fn validate_consistency(&self) -> Result<(), InvalidSetting> {
        let description = self.model.description();
        if self.augment.background != self.background.is_some() {
            return Err(invalid(
                "--background",
                "and --augment background need each other: --background gives the sounds, --augment mixes them in",
            ));
        }
        if self.augment.image && !description.input.is_image() {
            return Err(invalid(
                "--augment",
                format!(
                    "image rotates and shifts images, and {} does not take an image as input",
                    self.model
                ),
            ));
        }
        if self.augment.polarity && description.input.waveform.is_none() {
            return Err(invalid(
                "--augment",
                format!(
                    "polarity inverts waveforms, and {} does not take a waveform as input",
                    self.model
                ),
            ));
        }
        let masked = description.input.spectrogram.is_some() && !description.input.is_image();
        if self.augment.spec_augment && !masked {
            return Err(invalid(
                "--augment",
                format!(
                    "spec-augment masks spectrograms that are not images, and {} does not take one as input",
                    self.model
                ),
            ));
        }
        if self.augment.changes_samples() && description.input.is_statistics_only() {
            return Err(invalid(
                "--augment",
                format!(
                    "must be none for {}, whose input is statistics of whole tracks",
                    self.model
                ),
            ));
        }
        let of_clips = [
            ("--clip-seconds", self.clip_seconds.is_some()),
            ("--train-clips", self.train_clips != TrainClips::default()),
            ("--skip-seconds", self.skip_seconds > 0.0),
        ];
        if let Some((name, _)) = of_clips.into_iter().find(|(_, given)| *given)
            && description.input.is_statistics_only()
        {
            return Err(invalid(
                name,
                format!(
                    "does not apply to {}, whose input is statistics of whole tracks",
                    self.model
                ),
            ));
        }
        if self.loaded_lr.is_some() && self.init_from.is_none() {
            return Err(invalid("--loaded-lr", "needs --init-from"));
        }
        let has_duplicate = (1..self.statistics.len()).any(|at| self.statistics[..at].contains(&self.statistics[at]));
        if self.statistics.is_empty() || has_duplicate {
            return Err(invalid("--statistics", "must name each kind once, and at least one"));
        }
        Ok(())
    }

    /// The setting that depends on the number of epochs of the whole run, which cannot change then.
    pub fn depends_on_epochs(&self) -> Option<String> {
        if self.lr_schedule.depends_on_epochs() {
            return Some(format!("--lr-schedule {}", self.lr_schedule));
        }
        (self.average_last > 0).then(|| "--average-last".to_owned())
    }

    /// Whether the parameter `name` is frozen.
    pub fn freezes(&self, name: &str) -> bool {
        self.freeze.iter().any(|pattern| pattern.matches(name))
    }

    /// Checks a new run: a model whose default freezes most parameters needs --init-from.
    pub fn check_beginning(&self) -> Result<(), InvalidSetting> {
        if self.model.description().needs_weights && self.init_from.is_none() && !self.freeze.is_empty() {
            return Err(invalid(
                "--init-from",
                format!(
                    "is missing: {} freezes most of its weights, so they must be loaded; name a file of weights, or \
                     train all of them with --freeze none",
                    self.model
                ),
            ));
        }
        Ok(())
    }
}
