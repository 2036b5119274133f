//! `preprocess build`: its arguments as typed, and the configuration that they are resolved to.

use super::{UsageError, jobs};
use crate::part::Part;
use crate::pipeline::BuildConfig;
use crate::preset::Preset;
use crate::source::Source;
use crate::source::fma::Subset;
use clap::{ArgAction, Args, ValueEnum};
use shared::audio::validate::ValidateConfig;
use shared::features::FeatureConfig;
use shared::manifest::Flag;
use std::num::NonZeroUsize;
use std::path::PathBuf;

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

/// `preprocess build`, as typed.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Where the tracks come from
    #[arg(long, value_enum)]
    pub source: SourceName,
    /// Directory of the audio files, the one that holds 000/000002.mp3, or the directories of genres, and so on
    #[arg(long, value_name = "DIR")]
    pub audio: PathBuf,
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
    /// Least share of a file's frames that must decode, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = ValidateConfig::default().min_decoded_share)]
    pub min_decoded_share: f64,
    /// Drops such tracks instead of only flagging them
    #[arg(long, value_enum, value_delimiter = ',', action = ArgAction::Append)]
    pub drop: Vec<Droppable>,
}

/// Feature settings, as typed. What is left out is the preset's, or else that of [`FeatureConfig::default`].
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Features, by default the preset's or the data set's, or else fma_small's")]
pub struct FeatureArgs {
    /// Samples per second of stored waveforms
    #[arg(long, value_name = "HZ")]
    pub sample_rate: Option<u32>,
    /// Samples in a clip, what a model sees at once; a multiple of the hop length
    #[arg(long, value_name = "N")]
    pub clip_samples: Option<usize>,
    /// Window and FFT length in samples
    #[arg(long, value_name = "N")]
    pub n_fft: Option<usize>,
    /// Samples between two frames
    #[arg(long, value_name = "N")]
    pub hop_length: Option<usize>,
    /// Mel bands
    #[arg(long, value_name = "N")]
    pub n_mels: Option<usize>,
    /// Lower edge of the first band
    #[arg(long, value_name = "HZ")]
    pub f_min: Option<f32>,
    /// Upper edge of the last band [default: half the sample rate]
    #[arg(long, value_name = "HZ")]
    pub f_max: Option<f32>,
    /// Decibels kept below a clip's maximum
    #[arg(long, value_name = "DB")]
    pub top_db: Option<f32>,
}

/// Longest track by default, in seconds: long enough for what is published in pieces, and for a folder, which may hold
/// whole concerts.
const MAX_SECONDS: f64 = 15.0 * 60.0;
const MAX_SECONDS_IN_FOLDERS: f64 = 60.0 * 60.0;

impl BuildArgs {
    /// A complete configuration.
    pub fn resolve(self) -> Result<BuildConfig, UsageError> {
        let preset = self.preset.map(PresetName::preset);
        let source = self.source(preset.as_ref())?;
        if let Some(preset) = &preset
            && preset.source != source.name()
        {
            return Err(UsageError(format!(
                "--preset {} is about the source {}, so --source {} contradicts it",
                preset.name,
                preset.source,
                source.name()
            )));
        }
        let features = self
            .features
            .resolve(preset.as_ref().and_then(|preset| preset.features.as_ref()))?;
        let validate = self.validate(&source, preset.as_ref(), &features)?;
        let flag = |droppable: &Droppable| match droppable {
            Droppable::Duplicates => Flag::Duplicate,
            Droppable::NearSilent => Flag::NearSilent,
        };
        Ok(BuildConfig {
            audio: self.audio,
            source,
            out: self.out,
            part: self.part,
            preset,
            features,
            validate,
            drop: self.drop.iter().map(flag).collect(),
            jobs: jobs(self.jobs),
        })
    }

    fn source(&self, preset: Option<&Preset>) -> Result<Source, UsageError> {
        let fail = |sentence: String| Err(UsageError(sentence));
        let name = self
            .source
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned());
        let (needed, reason) = match self.source {
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
        if self.subset.is_some() && self.source != SourceName::Fma {
            return fail(format!("--subset is about fma, and --source {name} has no subsets"));
        }
        if !self.tags.is_empty() && self.source != SourceName::MagnaTagATune {
            return fail(format!(
                "--tags is about magnatagatune, and --source {name} has no tags"
            ));
        }
        if self.tags.iter().any(|tag| tag.trim().is_empty()) {
            return fail("--tags: a tag cannot be empty; write them as guitar,techno".into());
        }
        if let (Some(preset), Some(known), Some(subset)) =
            (preset, preset.and_then(|preset| preset.subset), self.subset)
            && known != subset
        {
            return fail(format!(
                "--preset {} is about the subset {known}, so --subset {subset} contradicts it",
                preset.name
            ));
        }
        let preset_tags = preset.map_or(&[][..], |preset| &preset.tags);
        if !self.tags.is_empty() && !preset_tags.is_empty() && self.tags != preset_tags {
            return fail(
                "--preset magnatagatune has tags of its own, so --tags contradicts it; leave one of them out".into(),
            );
        }
        Ok(match self.source {
            SourceName::Fma => Source::Fma {
                table,
                subset: self
                    .subset
                    .or_else(|| preset.and_then(|preset| preset.subset))
                    .unwrap_or(Subset::Small),
            },
            SourceName::MagnaTagATune => Source::MagnaTagATune {
                annotations: table,
                tags: if self.tags.is_empty() {
                    preset_tags.to_vec()
                } else {
                    self.tags.clone()
                },
            },
            SourceName::Gtzan => Source::Gtzan,
            SourceName::Folder => Source::Folder,
        })
    }

    fn validate(
        &self,
        source: &Source,
        preset: Option<&Preset>,
        features: &FeatureConfig,
    ) -> Result<ValidateConfig, UsageError> {
        let samples = |flag: &str, seconds: f64| {
            if !(seconds.is_finite() && seconds >= 0.0) {
                return Err(UsageError(format!("{flag} must be a number of seconds, not {seconds}")));
            }
            Ok((seconds * f64::from(features.sample_rate)).round() as u64)
        };
        // Counted in the preset's samples, for the preset's clips.
        let known = preset.filter(|preset| preset.features.as_ref().is_none_or(|own| own == features));
        let default_min = known
            .and_then(|preset| preset.min_samples)
            .unwrap_or(features.clip_samples as u64);
        let default_max = if *source == Source::Folder {
            MAX_SECONDS_IN_FOLDERS
        } else {
            MAX_SECONDS
        };
        let validate = ValidateConfig {
            min_samples: self
                .min_seconds
                .map_or(Ok(default_min), |seconds| samples("--min-seconds", seconds))?,
            max_samples: samples("--max-seconds", self.max_seconds.unwrap_or(default_max))?,
            min_decoded_share: self.min_decoded_share,
            ..ValidateConfig::default()
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

impl FeatureArgs {
    pub(super) fn resolve(&self, preset: Option<&FeatureConfig>) -> Result<FeatureConfig, UsageError> {
        let base = preset.cloned().unwrap_or_default();
        let sample_rate = self.sample_rate.unwrap_or(base.sample_rate);
        // The upper edge that goes with one sample rate means nothing at another.
        let f_max = if sample_rate == base.sample_rate {
            base.f_max
        } else {
            sample_rate as f32 / 2.0
        };
        let features = FeatureConfig {
            sample_rate,
            clip_samples: self.clip_samples.unwrap_or(base.clip_samples),
            n_fft: self.n_fft.unwrap_or(base.n_fft),
            hop_length: self.hop_length.unwrap_or(base.hop_length),
            n_mels: self.n_mels.unwrap_or(base.n_mels),
            f_min: self.f_min.unwrap_or(base.f_min),
            f_max: self.f_max.unwrap_or(f_max),
            top_db: self.top_db.unwrap_or(base.top_db),
        };
        features.validate().map_err(|error| UsageError(error.to_string()))?;
        Ok(features)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command};
    use super::*;
    use clap::Parser;

    const BUILD: &str = "build --source fma --audio a --metadata m.csv --out o";

    fn build(more: &str) -> Result<BuildConfig, String> {
        resolve(&format!("{BUILD} {more}"))
    }

    #[test]
    fn a_build_has_its_defaults_and_its_preset() {
        let config = build("").unwrap();
        let fma = |subset| Source::Fma {
            table: "m.csv".into(),
            subset,
        };
        assert_eq!((config.source, config.preset), (fma(Subset::Small), None));
        assert_eq!(config.validate, ValidateConfig::default());
        assert_eq!(config.features, FeatureConfig::default());
        let config = build("--preset fma_small --drop duplicates,near-silent --jobs 3").unwrap();
        assert_eq!(config.drop, [Flag::Duplicate, Flag::NearSilent]);
        assert_eq!((config.jobs, config.preset), (3, Some(Preset::fma_small())));
        assert_eq!(build("--subset large").unwrap().source, fma(Subset::Large));
    }

    fn resolve(line: &str) -> Result<BuildConfig, String> {
        let words = std::iter::once("preprocess").chain(line.split_whitespace());
        match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::Build(args) => args.resolve().map_err(|error| error.to_string()),
            other => panic!("{other:?}"),
        }
    }

    const TAGGED: &str = "build --source magnatagatune --audio a --metadata m.csv --out o";
    const GENRES: &str = "build --source gtzan --audio a --out o";
    const FOLDER: &str = "build --source folder --audio a --out o";

    #[test]
    fn each_source_has_its_settings() {
        let tagged = |tags: Vec<String>| Source::MagnaTagATune {
            annotations: "m.csv".into(),
            tags,
        };
        assert_eq!(resolve(TAGGED).unwrap().source, tagged(Vec::new()));
        let config = resolve(&format!("{TAGGED} --tags guitar,piano")).unwrap();
        assert_eq!(config.source, tagged(vec!["guitar".into(), "piano".into()]));
        let config = resolve(&format!("{TAGGED} --preset magnatagatune")).unwrap();
        let preset = Preset::magnatagatune();
        assert_eq!(config.source, tagged(preset.tags));
        assert_eq!(config.features, preset.features.unwrap());
        assert_eq!(config.validate.min_samples, 460_800);
        assert_eq!(config.validate.max_samples, 15 * 60 * 16_000);
        let config = resolve(&format!("{GENRES} --preset gtzan")).unwrap();
        assert_eq!((config.source, config.features.n_mels), (Source::Gtzan, 96));
        assert_eq!(config.validate.min_samples, 349_696);
        let config = resolve(FOLDER).unwrap();
        assert_eq!(
            (config.source, config.validate.max_samples),
            (Source::Folder, 3600 * 44_100)
        );
    }

    #[test]
    fn features_are_typed_or_the_presets_and_the_upper_edge_follows_the_rate() {
        let config = resolve(&format!(
            "{FOLDER} --sample-rate 16000 --clip-samples 32768 --min-seconds 0.5 --max-seconds 9"
        ));
        let config = config.unwrap();
        assert_eq!((config.features.sample_rate, config.features.f_max), (16_000, 8_000.0));
        assert_eq!(
            (config.validate.min_samples, config.validate.max_samples),
            (8_000, 144_000)
        );
        let all = "--sample-rate 8000 --clip-samples 4096 --n-fft 512 --hop-length 128 --n-mels 40 --f-min 20 --f-max 3000 \
                   --top-db 60";
        assert_eq!(
            resolve(&format!("{FOLDER} {all}")).unwrap().features,
            FeatureConfig {
                sample_rate: 8_000,
                clip_samples: 4096,
                n_fft: 512,
                hop_length: 128,
                n_mels: 40,
                f_min: 20.0,
                f_max: 3_000.0,
                top_db: 60.0,
            }
        );
        let config = resolve(&format!("{GENRES} --preset gtzan --n-mels 64 --sample-rate 22050")).unwrap();
        assert_eq!((config.features.n_mels, config.features.hop_length), (64, 256));
        assert_eq!(config.features.f_max, 11_025.0);
    }

    #[test]
    fn what_a_source_lacks_or_does_not_take_is_a_sentence() {
        let without_table = TAGGED.replace("--metadata m.csv", "");
        for (line, expected) in [
            (
                BUILD.replace("--metadata m.csv", ""),
                "--source fma needs --metadata, the tracks.csv",
            ),
            (
                without_table,
                "--source magnatagatune needs --metadata, its annotations_final.csv",
            ),
            (
                format!("{GENRES} --metadata m.csv"),
                "--source gtzan takes no --metadata",
            ),
            (
                format!("{FOLDER} --metadata m.csv"),
                "--source folder takes no --metadata",
            ),
            (format!("{FOLDER} --subset small"), "--source folder has no subsets"),
            (format!("{BUILD} --tags rock"), "--source fma has no tags"),
            (format!("{TAGGED} --tags rock,,pop"), "cannot be empty"),
            (
                format!("{TAGGED} --tags rock --preset magnatagatune"),
                "--tags contradicts it",
            ),
            (format!("{GENRES} --preset fma_small"), "--source gtzan contradicts it"),
            (
                format!("{FOLDER} --hop-length 1000"),
                "clip_samples must be a multiple of hop_length",
            ),
            (format!("{FOLDER} --f-max 30000"), "f_max 30000"),
            (format!("{FOLDER} --min-seconds=-1"), "--min-seconds"),
            (
                format!("{FOLDER} --max-seconds nan"),
                "--max-seconds must be a number of seconds",
            ),
            (format!("{FOLDER} --max-seconds 3"), "no track can be kept"),
        ] {
            let error = resolve(&line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn contradictions_are_sentences() {
        for (more, expected) in [
            ("--preset fma_small --subset large", "--subset large contradicts"),
            ("--min-decoded-share 1.5", "between 0 and 1"),
            ("--jobs 0", "--jobs"),
            ("--drop silent", "duplicates, near-silent"),
        ] {
            let error = build(more).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
        }
    }
}
