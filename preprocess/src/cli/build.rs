//! `preprocess build`: its arguments as typed, and the configuration that they are resolved to.

use super::features::FeatureArgs;
use super::jobs::jobs;
use crate::build::part::Part;
use crate::build::pipeline::BuildConfig;
use crate::build::plan::BuildPlan;
use crate::build::preset::Preset;
use crate::build::recorded::Recorded;
use crate::source::Source;
use crate::source::fma::Subset;
use clap::{ArgAction, Args, ValueEnum};
use shared::audio::validate::ValidateConfig;
use shared::dataset::manifest::Flag;
use shared::dsp::features::FeatureConfig;
use shared::runtime::outcome::UsageError;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "\
Examples:
  preprocess build --source fma --audio fma_small --metadata fma_metadata/tracks.csv --out data/fma_small \\
                   --preset fma_small
  preprocess build --source magnatagatune --audio mp3 --metadata annotations_final.csv --out data/mtat \\
                   --preset magnatagatune
  preprocess build --source gtzan --audio genres --out data/gtzan --preset gtzan --jobs 16
  preprocess build --source folder --audio music --out data/mine --drop duplicates --sample-rate 22050
  preprocess build --out data/mine                                         adds the tracks that music has gained

Where --out holds a finished data set or an interrupted build, settings that are not given are its own. An interrupted
build is resumed; to a finished data set, the tracks that the source has gained are added. Output is the same, byte
by byte, for any number of jobs, and of parts.";

/// Sources that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    /// The Free Music Archive data set
    Fma,
    /// MagnaTagATune: clips with several tags
    #[value(name = "magnatagatune")]
    MagnaTagATune,
    /// GTZAN: ten genres, a directory each
    Gtzan,
    /// Your own music: class/artist/album/track, where artist and album may be missing
    Folder,
}

/// Data sets that are known in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PresetName {
    /// FMA small: 8,000 tracks in 8 genres
    #[value(name = "fma_small")]
    FmaSmall,
    /// MagnaTagATune with its ten most frequent tags
    #[value(name = "magnatagatune")]
    MagnaTagATune,
    /// GTZAN: 1,000 tracks in 10 genres
    Gtzan,
}

impl PresetName {
    fn preset(self) -> Preset {
        match self {
            Self::FmaSmall => Preset::fma_small(),
            Self::MagnaTagATune => Preset::magnatagatune(),
            Self::Gtzan => Preset::gtzan(),
        }
    }
}

/// Tracks that can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Droppable {
    /// Tracks with the same samples as one with a lower id
    Duplicates,
    /// Tracks that are all but inaudible
    NearSilent,
}

impl Recorded {
    fn source_name(&self) -> Option<SourceName> {
        SourceName::from_str(&self.plan.source, false).ok()
    }
}

impl Droppable {
    fn flag(self) -> Flag {
        match self {
            Self::Duplicates => Flag::Duplicate,
            Self::NearSilent => Flag::NearSilent,
        }
    }
}

/// `preprocess build`, as typed. What is left out is as recorded in `out`, or else the preset's or a default.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Where the tracks come from [default: as the data set in --out]
    #[arg(long, value_enum)]
    pub source: Option<SourceName>,
    /// Directory of the audio files, the one that holds 000/000002.mp3, or the directories of genres, and so on
    /// [default: as the finished data set in --out]
    #[arg(long, value_name = "DIR")]
    pub audio: Option<PathBuf>,
    /// The source's table: tracks.csv of fma, annotations_final.csv of magnatagatune
    #[arg(long, value_name = "TABLE")]
    pub metadata: Option<PathBuf>,
    /// Directory of the data set; made if it does not exist
    #[arg(long, value_name = "DATASET")]
    pub out: PathBuf,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Builds the I-th of N parts of the tracks, for one of N machines; `preprocess merge` puts all together
    #[arg(long, value_name = "I/N")]
    pub part: Option<Part>,
    /// Takes the settings of this data set, and compares the result with what is known of it
    #[arg(long, value_enum)]
    pub preset: Option<PresetName>,
    /// Part of fma; medium includes small, large includes medium [default: small, or the preset's]
    #[arg(long, value_enum)]
    pub subset: Option<Subset>,
    /// Tags of magnatagatune that count; clips with none of them are left out [default: the preset's, or all]
    #[arg(long, value_name = "TAG,...", value_delimiter = ',', action = ArgAction::Append)]
    pub tags: Vec<String>,
    /// How mel spectrograms are made
    #[command(flatten)]
    pub features: FeatureArgs,
    /// Shortest track that is kept, in seconds [default: one clip, or the preset's]
    #[arg(long, value_name = "SECONDS")]
    pub min_seconds: Option<f64>,
    /// Longest track that is kept, in seconds [default: 900; 3600 for folder]
    #[arg(long, value_name = "SECONDS")]
    pub max_seconds: Option<f64>,
    /// Least share of a file's frames that must decode, from 0 to 1 [default: 0.9]
    #[arg(long, value_name = "SHARE")]
    pub min_decoded_share: Option<f64>,
    /// Drops such tracks instead of only flagging them
    #[arg(long, value_enum, value_delimiter = ',', action = ArgAction::Append)]
    pub drop: Vec<Droppable>,
}

/// Longest track by default, in seconds: long enough for what is published in pieces, and for a folder, which may hold
/// whole concerts.
const MAX_SECONDS: f64 = 15.0 * 60.0;
const MAX_SECONDS_IN_FOLDERS: f64 = 60.0 * 60.0;

impl BuildArgs {
    /// A complete configuration. Settings that were not given are those `recorded` in `--out`; whether those that were given
    /// agree with them is seen when the build begins.
    pub fn resolve(self, recorded: Option<&Recorded>) -> Result<BuildConfig, UsageError> {
        let name = self.source_name(recorded)?;
        // From another source nothing is taken over; the build is refused and the difference named.
        let recorded = recorded.filter(|recorded| recorded.source_name() == Some(name));
        let plan = recorded.map(|recorded| &recorded.plan);
        let typed_preset = self.preset.map(PresetName::preset);
        let source = self.source(name, typed_preset.as_ref(), plan)?;
        if let Some(preset) = &typed_preset
            && preset.source != source.name()
        {
            return Err(UsageError(format!(
                "--preset {} is about the source {}, so --source {} contradicts it",
                preset.name,
                preset.source,
                source.name()
            )));
        }
        let preset = typed_preset.or_else(|| Preset::named(plan?.preset.as_deref()?));
        let of_preset = preset.as_ref().and_then(|preset| preset.features.as_ref());
        let features = self.features.resolve(plan.map(|plan| &plan.features).or(of_preset))?;
        let validate = self.validate(&source, preset.as_ref(), plan, &features)?;
        let audio = self.audio.or_else(|| recorded?.audio.clone());
        let drop = match plan {
            Some(plan) if self.drop.is_empty() => plan.flags_that_drop(),
            _ => self.drop.iter().map(|droppable| droppable.flag()).collect(),
        };
        Ok(BuildConfig {
            audio: audio.ok_or_else(|| not_given("--audio", &self.out))?,
            source,
            part: self.part.or_else(|| plan?.part),
            out: self.out,
            preset,
            features,
            validate,
            drop,
            jobs: jobs(self.jobs),
        })
    }

    fn source_name(&self, recorded: Option<&Recorded>) -> Result<SourceName, UsageError> {
        self.source
            .or_else(|| recorded?.source_name())
            .ok_or_else(|| not_given("--source", &self.out))
    }

    fn source(
        &self,
        source: SourceName,
        preset: Option<&Preset>,
        plan: Option<&BuildPlan>,
    ) -> Result<Source, UsageError> {
        let fail = |sentence: String| Err(UsageError(sentence));
        let name = source
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned());
        let (needed, reason) = match source {
            SourceName::Fma => (Some("the tracks.csv of fma_metadata.zip"), ""),
            SourceName::MagnaTagATune => (Some("its annotations_final.csv"), ""),
            SourceName::Gtzan => (None, "its genres are the names of its directories"),
            SourceName::Folder => (None, "its classes are the names of its directories"),
        };
        let table = match (needed, &self.metadata) {
            (Some(table), None) => return fail(format!("--source {name} needs --metadata, {table}")),
            (None, Some(_)) => return fail(format!("--source {name} takes no --metadata: {reason}")),
            (_, table) => table.clone().unwrap_or_default(),
        };
        self.check_selection(source, &name, preset)?;
        let preset_tags = preset.map_or(&[][..], |preset| &preset.tags);
        let recorded_subset = || Subset::from_str(&plan?.subset, false).ok();
        let recorded_tags = plan.map(BuildPlan::tags).unwrap_or_default();
        let tags = [&self.tags[..], &recorded_tags, preset_tags];
        Ok(match source {
            SourceName::Fma => Source::Fma {
                table,
                subset: self
                    .subset
                    .or_else(recorded_subset)
                    .or_else(|| preset.and_then(|preset| preset.subset))
                    .unwrap_or(Subset::Small),
            },
            SourceName::MagnaTagATune => Source::MagnaTagATune {
                annotations: table,
                tags: tags
                    .into_iter()
                    .find(|tags| !tags.is_empty())
                    .unwrap_or_default()
                    .to_vec(),
            },
            SourceName::Gtzan => Source::Gtzan,
            SourceName::Folder => Source::Folder,
        })
    }

    /// Whether `--subset` and `--tags` belong to the source and agree with the preset.
    fn check_selection(&self, source: SourceName, name: &str, preset: Option<&Preset>) -> Result<(), UsageError> {
        let fail = |sentence: String| Err(UsageError(sentence));
        if self.subset.is_some() && source != SourceName::Fma {
            return fail(format!("--subset is about fma, and --source {name} has no subsets"));
        }
        if !self.tags.is_empty() && source != SourceName::MagnaTagATune {
            return fail(format!(
                "--tags is about magnatagatune, and --source {name} has no tags"
            ));
        }
        if self.tags.iter().any(|tag| tag.trim().is_empty()) {
            return fail("--tags: a tag cannot be empty; write them as guitar,techno".into());
        }
        let Some(preset) = preset else { return Ok(()) };
        if let (Some(known), Some(subset)) = (preset.subset, self.subset)
            && known != subset
        {
            return fail(format!(
                "--preset {} is about the subset {known}, so --subset {subset} contradicts it",
                preset.name
            ));
        }
        if !self.tags.is_empty() && !preset.tags.is_empty() && self.tags != preset.tags {
            return fail(
                "--preset magnatagatune has tags of its own, so --tags contradicts it; leave one of them out".into(),
            );
        }
        Ok(())
    }

    fn validate(
        &self,
        source: &Source,
        preset: Option<&Preset>,
        plan: Option<&BuildPlan>,
        features: &FeatureConfig,
    ) -> Result<ValidateConfig, UsageError> {
        let samples = |flag: &str, seconds: f64| {
            if !(seconds.is_finite() && seconds >= 0.0) {
                return Err(UsageError(format!("{flag} must be a number of seconds, not {seconds}")));
            }
            Ok((seconds * f64::from(features.sample_rate)).round() as u64)
        };
        let base = match plan {
            Some(plan) => plan.validate.clone(),
            None => {
                // Counted in the preset's samples, for the preset's clips.
                let known = preset.filter(|preset| preset.features.as_ref().is_none_or(|own| own == features));
                let max_seconds = if *source == Source::Folder {
                    MAX_SECONDS_IN_FOLDERS
                } else {
                    MAX_SECONDS
                };
                ValidateConfig {
                    min_samples: known
                        .and_then(|preset| preset.min_samples)
                        .unwrap_or(features.clip_samples as u64),
                    max_samples: samples("--max-seconds", max_seconds)?,
                    ..ValidateConfig::default()
                }
            }
        };
        let given = |flag, seconds: Option<f64>, default| seconds.map_or(Ok(default), |seconds| samples(flag, seconds));
        let validate = ValidateConfig {
            min_samples: given("--min-seconds", self.min_seconds, base.min_samples)?,
            max_samples: given("--max-seconds", self.max_seconds, base.max_samples)?,
            min_decoded_share: self.min_decoded_share.unwrap_or(base.min_decoded_share),
            ..base
        };
        validate
            .check()
            .map_err(|problem| UsageError(format!("--min-decoded-share: {problem}")))?;
        if validate.min_samples > validate.max_samples {
            return Err(UsageError(format!(
                "no track can be kept: the shortest may have {} samples and the longest {}; change --min-seconds, \
                 --max-seconds or --clip-samples",
                validate.min_samples, validate.max_samples
            )));
        }
        Ok(validate)
    }
}

/// A required option that was not given and is not recorded in `out`.
fn not_given(option: &str, out: &Path) -> UsageError {
    UsageError(format!(
        "{option} is needed: {} has no record of it from an earlier build",
        out.display()
    ))
}

#[cfg(test)]
mod tests;
