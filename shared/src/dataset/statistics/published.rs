//! The normalization of a network that was trained elsewhere, read from a JSON file.

use super::normalization::Normalization;
use crate::runtime::file_error::FileError;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Means and standard deviations from a JSON file. The file may leave out those that the network does not need, and
/// may have other fields. So a split's `normalization.json` is such a file, and a run's `front_end.json`, which has one
/// under `normalization`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct PublishedNormalization {
    /// Mean of the training waveforms, full scale 1.
    pub waveform_mean: Option<f64>,
    /// Their standard deviation.
    pub waveform_std: Option<f64>,
    /// Per mel band, the mean in dB.
    #[serde(default)]
    pub mel_mean: Vec<f64>,
    /// Per mel band, the standard deviation in dB.
    #[serde(default)]
    pub mel_std: Vec<f64>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PublishedError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not JSON, or a field has the wrong type.
    #[error("{} is not a normalization: {detail}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The problem.
        detail: String,
    },
}

impl PublishedNormalization {
    /// Reads a JSON file.
    ///
    /// # Errors
    /// If it cannot be read, or a field has another type than this struct.
    pub fn read(path: &Path) -> Result<Self, PublishedError> {
        let json = fs::read(path).map_err(FileError::at(path))?;
        Self::from_json(&json).map_err(|error| PublishedError::Invalid {
            path: path.to_owned(),
            detail: error.to_string(),
        })
    }

    fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        let mut value: serde_json::Value = serde_json::from_slice(json)?;
        let nested = value.get_mut("normalization").map(serde_json::Value::take);
        serde_json::from_value(nested.unwrap_or(value))
    }

    /// The normalization of `n_mels` bands. Values that the file leaves out are neutral: mean 0 and standard deviation
    /// 1.
    pub fn complete(&self, n_mels: usize) -> Normalization {
        let or = |values: &[f64], neutral: f64| match values.is_empty() {
            true => vec![neutral; n_mels],
            false => values.to_vec(),
        };
        Normalization {
            tracks: 0,
            waveform_mean: self.waveform_mean.unwrap_or(0.0),
            waveform_std: self.waveform_std.unwrap_or(1.0),
            mel_mean: or(&self.mel_mean, 0.0),
            mel_std: or(&self.mel_std, 1.0),
            constant_bands: Vec::new(),
        }
    }

    /// The largest relative difference of `ours` from this normalization over the mel bands: of a mean, and of a
    /// standard deviation. `None` if the numbers of bands differ. Bands that are constant in `ours` are left out,
    /// because their standard deviation is replaced.
    pub fn largest_differences(&self, ours: &Normalization) -> Option<[f64; 2]> {
        let bands = ours.mel_mean.len();
        if bands == 0 || [self.mel_mean.len(), self.mel_std.len()] != [bands; 2] {
            return None;
        }
        let largest = |theirs: &[f64], ours_values: &[f64]| {
            let pairs = theirs.iter().zip(ours_values).enumerate();
            let varying = pairs.filter(|(band, _)| !ours.constant_bands.contains(band));
            varying
                .map(|(_, (theirs, ours))| ((ours - theirs) / theirs).abs())
                .fold(0.0, f64::max)
        };
        Some([
            largest(&self.mel_mean, &ours.mel_mean),
            largest(&self.mel_std, &ours.mel_std),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_neutral_and_other_fields_are_ignored() {
        let json = br#"{"what": "x", "classes": ["Folk"], "waveform_mean": 0.5, "waveform_std": 0.25}"#;
        let read = PublishedNormalization::from_json(json).unwrap();
        let complete = read.complete(2);
        assert_eq!((complete.waveform_mean, complete.waveform_std), (0.5, 0.25));
        assert_eq!((complete.mel_mean, complete.mel_std), (vec![0.0; 2], vec![1.0; 2]));
        let nested = br#"{"task": "single-label", "normalization": {"mel_mean": [-4.0], "mel_std": [2.0]}}"#;
        let nested = PublishedNormalization::from_json(nested).unwrap();
        assert_eq!((nested.mel_mean.clone(), nested.waveform_std), (vec![-4.0], None));
        assert!(PublishedNormalization::from_json(br#"{"mel_mean": "low"}"#).is_err());
        assert!(PublishedNormalization::from_json(b"[").is_err());
    }

    #[test]
    fn differences_are_relative_to_the_published_values_and_skip_constant_bands() {
        let published = PublishedNormalization {
            mel_mean: vec![-40.0, -20.0, -80.0],
            mel_std: vec![10.0, 8.0, 0.5],
            ..PublishedNormalization::default()
        };
        let ours = Normalization {
            mel_mean: vec![-44.0, -20.2, -79.0],
            mel_std: vec![10.0, 7.6, 9.0],
            constant_bands: vec![2],
            ..published.complete(3)
        };
        let [mean, std] = published.largest_differences(&ours).unwrap();
        assert!((mean - 0.1).abs() < 1e-12 && (std - 0.05).abs() < 1e-12, "{mean} {std}");
        assert_eq!(published.largest_differences(&published.complete(3)), Some([0.0; 2]));
        let other = PublishedNormalization::default().complete(2);
        assert_eq!(published.largest_differences(&other), None);
    }
}
