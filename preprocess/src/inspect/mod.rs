//! `preprocess inspect`: a data set enters; a short text about it or about its labels, or a picture, leaves.

pub mod labels;
mod labels_picture;
pub mod picture;

use shared::audio::validate::{ReasonCounts, describe_reasons};
use shared::dataset::{self, Dataset, DatasetError, DatasetIndex};
use shared::manifest::Flag;
use shared::split::{self, SplitError};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// What a data set holds, in numbers.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Its index.
    pub index: DatasetIndex,
    /// Kept tracks per class.
    pub classes: BTreeMap<String, usize>,
    /// Kept tracks per sample rate of their files.
    pub source_rates: BTreeMap<u32, usize>,
    /// Kept tracks per flag.
    pub flags: BTreeMap<Flag, usize>,
    /// Kept tracks with frames that could not be decoded.
    pub damaged: usize,
    /// Dropped tracks by reason code.
    pub reasons: ReasonCounts,
    /// Names of the splits.
    pub splits: Vec<String>,
    /// The live one.
    pub current_split: Option<String>,
}

/// A data set that cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Its files cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Its splits cannot be read.
    #[error(transparent)]
    Split(#[from] SplitError),
}

impl Overview {
    /// Reads the tables; no shard is opened.
    pub fn read(root: &Path) -> Result<Self, InspectError> {
        let index = Dataset::read_index(root)?;
        let (mut classes, mut source_rates, mut flags) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut damaged = 0;
        for row in dataset::read_tracks(root, &index)? {
            for label in row.labels {
                *classes.entry(label).or_default() += 1;
            }
            for flag in row.flags {
                *flags.entry(flag).or_default() += 1;
            }
            *source_rates.entry(row.source_rate).or_default() += 1;
            damaged += usize::from(row.bad_frames > 0);
        }
        let mut reasons = ReasonCounts::new();
        for row in dataset::read_rejected(root, &index)? {
            *reasons.entry(row.reason).or_default() += 1;
        }
        Ok(Self {
            index,
            classes,
            source_rates,
            flags,
            damaged,
            reasons,
            splits: split::names(root)?,
            current_split: split::current(root)?,
        })
    }
}

/// Hours of sound in so many samples.
pub fn hours(samples: u64, sample_rate: u32) -> f64 {
    samples as f64 / f64::from(sample_rate) / 3600.0
}

impl fmt::Display for Overview {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = &self.index;
        let list = |pairs: Vec<String>| {
            if pairs.is_empty() {
                "none".into()
            } else {
                pairs.join(", ")
            }
        };
        writeln!(
            out,
            "source    {} {}, audio in {}",
            index.source.name, index.source.subset, index.source.audio
        )?;
        writeln!(
            out,
            "tracks    {} kept, {:.2} hours; {} shard pairs",
            index.kept,
            hours(index.samples, index.features.sample_rate),
            index.shards.len()
        )?;
        let classes = self.classes.iter().map(|(class, count)| format!("{class} {count}"));
        writeln!(out, "classes   {}", list(classes.collect()))?;
        let rates = self
            .source_rates
            .iter()
            .map(|(rate, count)| format!("{count} at {rate} Hz"));
        writeln!(
            out,
            "files     {}; {} with damaged frames",
            list(rates.collect()),
            self.damaged
        )?;
        let flags = self.flags.iter().map(|(flag, count)| format!("{count} {flag}"));
        writeln!(out, "flagged   {}", list(flags.collect()))?;
        let reasons = describe_reasons(&self.reasons).to_string();
        writeln!(
            out,
            "dropped   {}{}{reasons}",
            index.rejected,
            if reasons.is_empty() { "" } else { ": " }
        )?;
        let splits = self.splits.iter().map(|name| match &self.current_split {
            Some(current) if current == name => format!("{name} (live)"),
            _ => name.clone(),
        });
        writeln!(out, "splits    {}", list(splits.collect()))?;
        let features = &index.features;
        write!(
            out,
            "features  {} Hz, n_fft {}, hop_length {}, n_mels {}, {} to {} Hz; fingerprint {}",
            features.sample_rate,
            features.n_fft,
            features.hop_length,
            features.n_mels,
            features.f_min,
            features.f_max,
            index.fingerprint
        )?;
        for difference in &index.source.preset_differences {
            write!(out, "\nwarning   {difference}")?;
        }
        Ok(())
    }
}
