//! The analysis of a data set. Per class: a histogram and the variance of the samples, the mean spectrum and the most
//! typical tracks. Over all tracks: two PCA projections.
//!
//! Histograms read the waveform shards of some tracks per class, and examples read a few tensors of the mel shards.
//! Everything else comes from `shards/summary.safetensors` and covers every track.

pub mod examples;
pub mod pictures;
pub mod projection;
mod read_shards;
pub mod samples;
pub mod spectrum;

use super::InspectError;
use crate::verify::VerifyProgress;
use examples::Example;
use projection::{Projected, mel_statistics, project};
use samples::{SampleHistogram, histograms};
use serde::Serialize;
use shared::dataset::manifest::TrackRow;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, DatasetError, DatasetIndex, SUMMARY_FILE, consistently};
use shared::dsp::mel::band_peaks;
use shared::page::{Spectrogram, drawn_classes};
use spectrum::MeanSpectrum;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct AnalysisConfig {
    pub dataset: PathBuf,
    /// Tracks whose samples are counted.
    pub sample_tracks: SampleTracks,
    /// Whether small pictures of these tracks are made, for the page.
    pub pictures: bool,
    /// Whether typical tracks have sound, for the page.
    pub audio: bool,
}

/// Tracks of each class whose samples are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleTracks {
    All,
    /// At most this many, evenly spaced in the order of their ids, so the choice is the same each time.
    AtMost(NonZeroUsize),
}

impl Default for SampleTracks {
    /// 100 tracks: about 130 million samples of thirty-second clips, so even a fraction of 1e-6 is about a hundred
    /// samples.
    fn default() -> Self {
        Self::AtMost(NonZeroUsize::new(100).expect("100 is not 0"))
    }
}

impl SampleTracks {
    /// The chosen elements of `all`.
    fn choose(self, all: &[usize]) -> Vec<usize> {
        match self {
            Self::AtMost(most) if most.get() < all.len() => {
                (0..most.get()).map(|at| all[at * all.len() / most.get()]).collect()
            }
            _ => all.to_vec(),
        }
    }
}

/// `analysis.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    pub dataset: String,
    pub tracks: usize,
    /// The frequency in Hz at which each mel band peaks.
    pub band_hz: Vec<f64>,
    /// Samples in a bin of a histogram: bin `b` counts the values from `256 b - 32768` on.
    pub sample_bin_width: u32,
    /// All classes together. Tracks with several labels count once.
    pub all: ClassAnalysis,
    /// Each class, in the order of the index.
    pub classes: Vec<ClassAnalysis>,
    /// Tracks by mean and standard deviation of each mel band, in dB below their maximum.
    pub mel_projection: Projected,
    /// Tracks by seven statistics of each of 20 MFCCs.
    pub mfcc_projection: Projected,
    /// Small mel spectrograms by track id, of the tracks whose samples were counted.
    #[serde(skip)]
    pub(super) pictures: HashMap<u64, Spectrogram>,
}

/// The analysis of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassAnalysis {
    pub name: String,
    pub tracks: usize,
    /// Histogram of the sample values; `None` if the class has no track.
    pub samples: Option<SampleHistogram>,
    pub spectrum: Option<MeanSpectrum>,
    /// The most typical tracks; empty for classes that are not drawn.
    pub examples: Vec<Example>,
}

impl Analysis {
    /// Reads the tables and the needed tensors of the shards, on the current thread pool.
    pub fn run(config: &AnalysisConfig, progress: &impl VerifyProgress) -> Result<Self, InspectError> {
        consistently(&config.dataset, |index| Self::from_index(config, index, progress))
    }

    fn from_index(
        config: &AnalysisConfig,
        index: &DatasetIndex,
        progress: &impl VerifyProgress,
    ) -> Result<Self, InspectError> {
        let root = &config.dataset;
        let tracks = dataset::read_tracks(root, index)?;
        let summary = read_summary(root, index, &tracks)?;
        let members = members(&index.classes, &tracks);
        let all_positions: Vec<usize> = (0..tracks.len()).collect();
        let chosen: Vec<Vec<usize>> = members
            .iter()
            .map(|members| config.sample_tracks.choose(members))
            .collect();
        let (all_samples, samples) = histograms(root, index, &tracks, &chosen, progress)?;
        let ids: Vec<u64> = tracks.iter().map(|row| row.track_id).collect();
        let mel_rows: Vec<Vec<f64>> = summary.iter().map(mel_statistics).collect();
        let drawn = drawn_classes(members.iter().map(Vec::len));
        let mut examples = examples::read(root, index, &tracks, &mel_rows, &members, &drawn)?;
        if config.audio {
            examples::add_sound(root, index, &tracks, examples.values_mut().flatten())?;
        }
        let pictures = match config.pictures {
            true => pictures::read(root, index, &tracks, chosen.iter().flatten().copied())?,
            false => HashMap::new(),
        };
        let classes =
            (index.classes.iter().zip(&members).zip(samples).enumerate()).map(|(class, ((name, members), samples))| {
                ClassAnalysis {
                    name: name.clone(),
                    tracks: members.len(),
                    samples,
                    spectrum: MeanSpectrum::new(&summary, members),
                    examples: examples.remove(&class).unwrap_or_default(),
                }
            });
        let mfcc_rows = summary
            .iter()
            .map(|row| row.mfcc.iter().map(|value| f64::from(*value)).collect());
        let features = &index.features;
        Ok(Self {
            dataset: index.checksum.clone(),
            tracks: tracks.len(),
            band_hz: band_peaks(features),
            sample_bin_width: samples::BIN_WIDTH,
            classes: classes.collect(),
            all: ClassAnalysis {
                name: "all tracks".into(),
                tracks: tracks.len(),
                samples: all_samples,
                spectrum: MeanSpectrum::new(&summary, &all_positions),
                examples: Vec::new(),
            },
            mel_projection: project(&ids, mel_rows),
            mfcc_projection: project(&ids, mfcc_rows.collect()),
            pictures,
        })
    }

    /// Indices in `classes` of the classes that are drawn, ascending.
    pub fn drawn(&self) -> Vec<usize> {
        drawn_classes(self.classes.iter().map(|class| class.tracks))
    }
}

/// Reads the summary, which must describe `tracks`.
fn read_summary(root: &Path, index: &DatasetIndex, tracks: &[TrackRow]) -> Result<Vec<TrackSummary>, DatasetError> {
    let summary = dataset::read_summary(root, index)?;
    let ids = tracks.iter().map(|row| row.track_id);
    if !ids.eq(summary.iter().map(|row| row.track_id)) {
        return Err(DatasetError::Damaged {
            path: root.join(SUMMARY_FILE),
            detail: "its tracks differ from those in tracks.csv".into(),
        });
    }
    Ok(summary)
}

/// For each class, the positions of its tracks, ascending.
fn members(classes: &[String], tracks: &[TrackRow]) -> Vec<Vec<usize>> {
    let place: HashMap<&str, usize> = classes
        .iter()
        .enumerate()
        .map(|(at, class)| (class.as_str(), at))
        .collect();
    let mut members = vec![Vec::new(); classes.len()];
    for (position, row) in tracks.iter().enumerate() {
        let mut track_classes: Vec<usize> = (row.labels.iter())
            .filter_map(|label| place.get(label.as_str()).copied())
            .collect();
        track_classes.sort_unstable();
        track_classes.dedup();
        track_classes
            .into_iter()
            .for_each(|class| members[class].push(position));
    }
    members
}

#[cfg(test)]
mod tests;
