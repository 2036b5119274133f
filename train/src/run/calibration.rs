//! `calibration.json`: the temperature by which the logits of a run's best weights are divided.

use crate::run::directory::{BEST_FILE, CALIBRATION_FILE, RunDirectory, RunError};
use serde::{Deserialize, Serialize};
use shared::dataset::split::Set;

/// The lowest and the highest temperature.
pub const TEMPERATURE_RANGE: [f64; 2] = [0.01, 100.0];

/// A temperature and how it was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    pub temperature: f64,
    /// The set it was fitted to.
    pub set: Set,
    /// Tracks of the set.
    pub tracks: u64,
    /// Metrics of the set with the logits themselves.
    pub before: CalibrationMetrics,
    /// The same with the logits divided by the temperature.
    pub after: CalibrationMetrics,
    /// BLAKE3 of the weights that it was fitted to.
    pub weights_blake3: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationMetrics {
    pub loss: f64,
    /// Expected calibration error.
    pub ece: f64,
}

impl Calibration {
    /// The temperature and what it changed, without a full stop.
    pub fn describe(&self) -> String {
        let Self { before, after, .. } = self;
        format!(
            "temperature {:.4}, fitted to {} tracks of the {} set: loss {:.4} before and {:.4} after, expected calibration \
             error {:.4} before and {:.4} after",
            self.temperature,
            self.tracks,
            self.set.name(),
            before.loss,
            after.loss,
            before.ece,
            after.ece
        )
    }

    pub fn write(&self, run: &RunDirectory) -> Result<(), RunError> {
        run.write_json(CALIBRATION_FILE, self)
    }

    /// Reads the file; `None` if it does not exist.
    pub fn read(run: &RunDirectory) -> Result<Option<Self>, RunError> {
        let Some(bytes) = run.read(CALIBRATION_FILE)? else {
            return Ok(None);
        };
        let damaged = |detail: String| RunError::Damaged {
            path: run.path(CALIBRATION_FILE),
            detail,
        };
        let calibration: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let [low, high] = TEMPERATURE_RANGE;
        if !(low..=high).contains(&calibration.temperature) {
            return Err(damaged(format!(
                "the temperature {} is not between {low} and {high}",
                calibration.temperature
            )));
        }
        Ok(Some(calibration))
    }

    /// The temperature of the run's best weights; 1 if none was fitted.
    ///
    /// # Errors
    /// If the file is damaged, or was fitted to other weights.
    pub fn temperature(run: &RunDirectory) -> Result<f64, RunError> {
        let Some(calibration) = Self::read(run)? else {
            return Ok(1.0);
        };
        // Missing weights are reported when they are loaded.
        if run.path(BEST_FILE).exists() && weights_blake3(run)? != calibration.weights_blake3 {
            return Err(RunError::OtherWeights {
                path: run.path(CALIBRATION_FILE),
                run: run.root().to_owned(),
            });
        }
        Ok(calibration.temperature)
    }
}

/// The checksum of the run's best weights.
pub fn weights_blake3(run: &RunDirectory) -> Result<String, RunError> {
    run.blake3(BEST_FILE)
}

/// The logits divided by the temperature. The same logits if it is 1.
pub fn scaled_logits(logits: &[f32], temperature: f64) -> Vec<f32> {
    let divided = |&logit: &f32| (f64::from(logit) / temperature) as f32;
    logits.iter().map(divided).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(run: &RunDirectory) -> Calibration {
        Calibration {
            temperature: 1.75,
            set: Set::Val,
            tracks: 8,
            before: CalibrationMetrics { loss: 0.7, ece: 0.2 },
            after: CalibrationMetrics { loss: 0.6, ece: 0.1 },
            weights_blake3: weights_blake3(run).unwrap(),
        }
    }

    #[test]
    fn temperature_is_read_back_and_damage_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        assert_eq!(Calibration::temperature(&run).unwrap(), 1.0);
        run.write_weights(b"weights").unwrap();
        let calibration = calibration(&run);
        calibration.write(&run).unwrap();
        assert_eq!(Calibration::read(&run).unwrap(), Some(calibration.clone()));
        assert_eq!(Calibration::temperature(&run).unwrap(), 1.75);
        for temperature in [0.0, -1.0, 1e9] {
            let damaged = Calibration {
                temperature,
                ..calibration.clone()
            };
            damaged.write(&run).unwrap();
            let error = Calibration::temperature(&run).unwrap_err().to_string();
            assert!(
                error.contains(CALIBRATION_FILE) && error.contains("is not between"),
                "{error}"
            );
        }
        run.write(CALIBRATION_FILE, b"{}").unwrap();
        let error = Calibration::temperature(&run).unwrap_err().to_string();
        assert!(
            error.contains(CALIBRATION_FILE) && error.contains("temperature"),
            "{error}"
        );
    }

    #[test]
    fn temperature_of_other_weights_is_refused_and_new_weights_remove_it() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        run.write_weights(b"weights").unwrap();
        calibration(&run).write(&run).unwrap();
        std::fs::write(run.path(BEST_FILE), b"other weights").unwrap();
        let error = Calibration::temperature(&run).unwrap_err().to_string();
        assert!(
            error.contains("was fitted to other weights") && error.contains("--calibrate"),
            "{error}"
        );
        run.write_weights(b"better weights").unwrap();
        assert!(!run.path(CALIBRATION_FILE).exists());
    }

    #[test]
    fn temperature_one_changes_no_bit() {
        let logits = [1.0f32 / 3.0, -1e-40, f32::MAX, -0.0, 7e-12];
        let bits = |logits: &[f32]| logits.iter().map(|logit| logit.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&scaled_logits(&logits, 1.0)), bits(&logits));
        assert_eq!(scaled_logits(&[3.0, -1.0], 2.0), [1.5, -0.5]);
    }
}
