//! Arguments of `preprocess build`, and how they are resolved to a configuration.

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
use shared::runtime::atomic_file;
use shared::runtime::outcome::UsageError;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = r"Examples:
  # Build from your own music, in directories class/artist/album
  preprocess build --source folder --audio music --out data/mine

  # Count its tracks and estimate size and time first, without writing anything
  preprocess build --source folder --audio music --out data/mine --dry-run

  # Add tracks that are new in the music directory
  preprocess build --out data/mine

  # Build from your own table with the columns path and label
  preprocess build --source csv --metadata music/table.csv --out data/mine

  # Build FMA small
  preprocess build --source fma --preset fma_small --audio fma_small \
      --metadata fma_metadata/tracks.csv --out data/fma_small

  # Build GTZAN
  preprocess build --source gtzan --preset gtzan --audio genres \
      --out data/gtzan

  # Build MagnaTagATune
  preprocess build --source magnatagatune --preset magnatagatune \
      --audio mp3 --metadata annotations_final.csv --out data/mtat

If --out has a data set, options that are not given are taken from it, except
--metadata. An interrupted build is resumed; a finished data set gains the new
tracks of the source. Feature settings default to the preset's, or else to those
of fma_small.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    /// FMA, the Free Music Archive data set
    Fma,
    /// MagnaTagATune: clips with several tags
    #[value(name = "magnatagatune")]
    MagnaTagATune,
    /// GTZAN: ten genres, one directory each
    Gtzan,
    /// Your own music: class/artist/album/track; artist and album are optional
    Folder,
    /// Your own table: columns path and label, optional artist, album, split
    Csv,
}

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Droppable {
    /// Tracks with the same samples as a track with a lower id
    Duplicates,
    /// Nearly silent tracks
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

/// Missing options are taken from the build recorded in `out`, or else from the preset or the defaults.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Source of the tracks
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Data")]
    pub source: Option<SourceName>,
    /// Directory of the audio files [default for csv: that of the table]
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub audio: Option<PathBuf>,
    /// tracks.csv of fma, annotations_final.csv of magnatagatune, or your table
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub metadata: Option<PathBuf>,
    /// Use the settings of a known data set
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Data")]
    pub preset: Option<PresetName>,
    /// Subset of fma [default: small]
    #[arg(long, value_name = "NAME", value_enum, help_heading = "Data")]
    pub subset: Option<Subset>,
    /// Tags of magnatagatune to use [default: all]
    #[arg(long, value_name = "TAG,...", value_delimiter = ',', action = ArgAction::Append, help_heading = "Data")]
    pub tags: Vec<String>,
    #[command(flatten)]
    pub features: FeatureArgs,
    /// Minimum track length [default: one clip]
    #[arg(long, value_name = "SECONDS", help_heading = "Selection")]
    pub min_seconds: Option<f64>,
    /// Maximum track length [default: 900; folder and csv: 3600]
    #[arg(long, value_name = "SECONDS", help_heading = "Selection")]
    pub max_seconds: Option<f64>,
    /// Minimum fraction of a file that must decode [default: 0.9]
    #[arg(long, value_name = "N", help_heading = "Selection")]
    pub min_decoded_share: Option<f64>,
    /// Drop flagged tracks
    #[arg(
        long,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        action = ArgAction::Append,
        help_heading = "Selection"
    )]
    pub drop: Vec<Droppable>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Hardware")]
    pub jobs: Option<NonZeroUsize>,
    /// Build part I of N; see `preprocess merge`
    #[arg(long, value_name = "I/N", help_heading = "Hardware")]
    pub part: Option<Part>,
    /// Data set to write or to add tracks to
    #[arg(long, value_name = "DATASET", help_heading = "Output")]
    pub out: PathBuf,
    /// Count tracks, estimate size and time, and write nothing
    #[arg(long, help_heading = "Output")]
    pub dry_run: bool,
}

/// Default maximum length of a track in seconds. One's own music may include recordings of whole concerts.
const MAX_SECONDS: f64 = 15.0 * 60.0;
const MAX_SECONDS_OF_OWN_MUSIC: f64 = 60.0 * 60.0;

/// The requirements of tracks if no option and no preset sets them.
pub(super) fn default_requirements(source: &Source, features: &FeatureConfig) -> ValidateConfig {
    let max_seconds = match source {
        Source::Folder | Source::Csv { .. } => MAX_SECONDS_OF_OWN_MUSIC,
        Source::Fma { .. } | Source::MagnaTagATune { .. } | Source::Gtzan => MAX_SECONDS,
    };
    ValidateConfig {
        min_samples: features.clip_samples as u64,
        max_samples: (max_seconds * f64::from(features.sample_rate)).round() as u64,
        ..ValidateConfig::default()
    }
}

impl BuildArgs {
    /// The complete configuration. Missing options are taken from the build `recorded` in `--out`. The build itself
    /// checks that given options agree with the recorded ones.
    pub fn resolve(self, recorded: Option<&Recorded>) -> Result<BuildConfig, UsageError> {
        let name = self.source_name(recorded)?;
        // Nothing is taken from a build of another source: the build then reports the difference.
        let recorded = recorded.filter(|recorded| recorded.source_name() == Some(name));
        let plan = recorded.map(|recorded| &recorded.plan);
        let typed_preset = self.preset.map(PresetName::preset);
        let source = self.source(name, typed_preset.as_ref(), plan)?;
        if let Some(preset) = &typed_preset
            && preset.source != source.name()
        {
            return Err(UsageError(format!(
                "--preset {} is for --source {}, so --source {} contradicts it",
                preset.name,
                preset.source,
                source.name()
            )));
        }
        let preset = typed_preset.or_else(|| Preset::named(plan?.preset.as_deref()?));
        let preset_features = preset.as_ref().and_then(|preset| preset.features.as_ref());
        let features = self
            .features
            .resolve(plan.map(|plan| &plan.features).or(preset_features))?;
        let validate = self.validate(&source, preset.as_ref(), plan, &features)?;
        let audio = self
            .audio
            .or_else(|| recorded?.audio.clone())
            .or_else(|| directory_of_table(&source));
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
            SourceName::Csv => (Some("a table with the columns path and label"), ""),
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
            SourceName::Csv => Source::Csv { table },
        })
    }

    /// Checks that `--subset` and `--tags` apply to the source and agree with the preset.
    fn check_selection(&self, source: SourceName, name: &str, preset: Option<&Preset>) -> Result<(), UsageError> {
        let fail = |sentence: String| Err(UsageError(sentence));
        if self.subset.is_some() && source != SourceName::Fma {
            return fail(format!("--subset is for fma; --source {name} has no subsets"));
        }
        if !self.tags.is_empty() && source != SourceName::MagnaTagATune {
            return fail(format!("--tags is for magnatagatune; --source {name} has no tags"));
        }
        if self.tags.iter().any(|tag| tag.trim().is_empty()) {
            return fail("--tags: a tag cannot be empty; write them as guitar,techno".into());
        }
        let Some(preset) = preset else { return Ok(()) };
        if let (Some(known), Some(subset)) = (preset.subset, self.subset)
            && known != subset
        {
            return fail(format!(
                "--preset {} is for --subset {known}, so --subset {subset} contradicts it",
                preset.name
            ));
        }
        if !self.tags.is_empty() && !preset.tags.is_empty() && self.tags != preset.tags {
            return fail(
                "--preset magnatagatune sets the tags, so --tags contradicts it; leave one of them out".into(),
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
                // The preset counts samples, at the sample rate of its features.
                let known = preset.filter(|preset| preset.features.as_ref().is_none_or(|known| known == features));
                let defaults = default_requirements(source, features);
                ValidateConfig {
                    min_samples: known
                        .and_then(|preset| preset.min_samples)
                        .unwrap_or(defaults.min_samples),
                    ..defaults
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

/// The directory of one's own table, whose paths are relative to it unless `--audio` is given.
fn directory_of_table(source: &Source) -> Option<PathBuf> {
    match source {
        Source::Csv { table } => Some(atomic_file::parent(table).to_owned()),
        _ => None,
    }
}

/// The error for a required option that is not recorded in `out` either.
fn not_given(option: &str, out: &Path) -> UsageError {
    UsageError(format!(
        "{option} is needed, because {} has no earlier build to take it from",
        out.display()
    ))
}

#[cfg(test)]
mod tests;
