//! Arguments of `preprocess inspect`.

use super::build::default_requirements;
use crate::inspect::{AnalysisConfig, SampleTracks};
use crate::source::Source;
use anyhow::bail;
use clap::{ArgGroup, Args};
use shared::audio::validate::ValidateConfig;
use shared::dsp::features::FeatureConfig;
use shared::runtime::outcome::UsageError;
use std::num::NonZeroUsize;
use std::path::PathBuf;

pub(super) const EXAMPLES: &str = r"Examples:
  # Print an overview
  preprocess inspect data/fma_small

  # Write the overview and the data analysis as a web page
  preprocess inspect data/fma_small --html fma_small.html

  # Write the data analysis as pictures and JSON
  preprocess inspect data/fma_small --analysis analysis --sample-tracks all

  # Show a track, by its id or by its file, and plot it
  preprocess inspect data/fma_small --track 2
  preprocess inspect data/fma_small --track 000/000002.mp3 --png track-2.png

  # Decode an audio file, and say whether a build would keep it
  preprocess inspect song.mp3 --png song.png

  # Plot the correlation of labels
  preprocess inspect data/mtat --labels --svg correlation.svg

  # List duplicate recordings
  preprocess inspect data/gtzan --duplicates

The data analysis has histograms and variances of samples, mean spectra,
principal components and typical tracks of each class.";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("written").multiple(true).args(["html", "analysis"]).conflicts_with("subject"))]
pub struct InspectArgs {
    /// Data set or audio file to inspect
    #[arg(value_name = "DATASET|FILE")]
    pub dataset: PathBuf,
    /// Write a web page with the overview and the analysis
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the analysis: analysis.json and SVG pictures
    #[arg(long, value_name = "DIR")]
    pub analysis: Option<PathBuf>,
    /// Tracks per class to analyse, or `all` [default: 100]
    #[arg(long, value_name = "N", value_parser = sample_tracks, requires = "written")]
    pub sample_tracks: Option<SampleTracks>,
    /// Compare the current split's normalization with a file
    #[arg(long, value_name = "FILE", conflicts_with = "subject")]
    pub compare_normalization: Option<PathBuf>,
    /// Add audio of typical tracks to the page, up to 11 MB
    #[arg(long, requires = "html")]
    pub audio: bool,
    /// Threads for the analysis [default: one per core]
    #[arg(long, value_name = "N", requires = "written")]
    pub jobs: Option<NonZeroUsize>,
    /// Show the track with this id or this audio file
    #[arg(long, value_name = "ID|PATH", group = "subject")]
    pub track: Option<String>,
    /// Plot the waveform and mel spectrogram of --track or of an audio file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["labels", "duplicates", "compare_normalization", "written"])]
    pub png: Option<PathBuf>,
    /// Count labels, labels per track and co-occurrences
    #[arg(long, group = "subject")]
    pub labels: bool,
    /// Plot the correlation of labels; needs --labels
    #[arg(long, value_name = "FILE", requires = "labels", conflicts_with_all = ["track", "duplicates"])]
    pub svg: Option<PathBuf>,
    /// List tracks that are the same recording
    #[arg(long, group = "subject")]
    pub duplicates: bool,
}

impl InspectArgs {
    /// Whether the first argument is a file: one audio file instead of a data set.
    pub fn is_audio_file(&self) -> bool {
        self.dataset.is_file()
    }

    /// The default settings of `preprocess build --source folder`.
    pub fn default_settings() -> (FeatureConfig, ValidateConfig) {
        let features = FeatureConfig::default();
        let validate = default_requirements(&Source::Folder, &features);
        (features, validate)
    }

    /// Checks that the first argument exists, and the options that depend on whether it is a data set.
    pub fn check(&self) -> anyhow::Result<()> {
        if matches!(self.dataset.try_exists(), Ok(false)) {
            bail!(
                "{} does not exist; give a data set or an audio file",
                self.dataset.display()
            );
        }
        if !self.is_audio_file() {
            if self.png.is_some() && self.track.is_none() {
                let problem = "--png needs --track, or an audio file instead of the data set";
                bail!(UsageError(problem.into()));
            }
            return Ok(());
        }
        let needs_dataset = [
            ("--html", self.html.is_some()),
            ("--analysis", self.analysis.is_some()),
            ("--compare-normalization", self.compare_normalization.is_some()),
            ("--track", self.track.is_some()),
            ("--labels", self.labels),
            ("--duplicates", self.duplicates),
        ];
        if let Some((option, _)) = needs_dataset.into_iter().find(|(_, is_given)| *is_given) {
            bail!(UsageError(format!(
                "{option} needs a data set, and {} is a file; of an audio file, --png draws a picture",
                self.dataset.display()
            )));
        }
        Ok(())
    }

    /// The configuration of the analysis; `None` if no output was requested.
    pub fn analysis_config(&self) -> Option<AnalysisConfig> {
        let written = self.html.is_some() || self.analysis.is_some();
        written.then(|| AnalysisConfig {
            dataset: self.dataset.clone(),
            sample_tracks: self.sample_tracks.unwrap_or_default(),
            pictures: self.html.is_some(),
            audio: self.audio,
        })
    }
}

fn sample_tracks(word: &str) -> Result<SampleTracks, String> {
    if word == "all" {
        return Ok(SampleTracks::All);
    }
    let number = word.parse().map(SampleTracks::AtMost);
    number.map_err(|_| "must be a whole number from 1, or `all`".into())
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command};
    use super::*;
    use clap::Parser;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<InspectArgs, ErrorKind> {
        let words = ["preprocess", "inspect", "d"]
            .into_iter()
            .chain(line.split_whitespace());
        match Cli::try_parse_from(words).map(|cli| cli.command) {
            Ok(Command::Inspect(args)) => Ok(args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn conflicting_and_incomplete_options_are_refused() {
        for line in [
            "",
            "--labels",
            "--labels --svg f.svg",
            "--duplicates",
            "--track 3",
            "--track a/b.mp3 --png f.png",
            "--png f.png",
            "--html f.html",
            "--html f.html --analysis d --sample-tracks 7 --jobs 2",
            "--analysis d --sample-tracks all",
            "--compare-normalization f.json --html f.html",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in ["--svg f.svg", "--sample-tracks 3", "--jobs 2", "--analysis d --audio"] {
            assert_eq!(parse(line).unwrap_err(), ErrorKind::MissingRequiredArgument, "{line}");
        }
        for line in [
            "--labels --track 3 --png f.png",
            "--duplicates --labels",
            "--compare-normalization f.json --labels",
            "--duplicates --png f.png",
            "--duplicates --svg f.svg",
            "--labels --png f.png",
            "--duplicates --html f.html",
            "--labels --html f.html",
            "--track 3 --png f.png --analysis d",
            "--png f.png --html f.html",
            "--png f.png --compare-normalization f.json",
        ] {
            assert_eq!(parse(line).unwrap_err(), ErrorKind::ArgumentConflict, "{line}");
        }
        for line in ["--html f --sample-tracks 0", "--html f --sample-tracks few"] {
            assert_eq!(parse(line).unwrap_err(), ErrorKind::ValueValidation, "{line}");
        }
    }

    #[test]
    fn options_that_need_a_data_set_are_refused_for_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let check = |path: &std::path::Path, line: &str| {
            let args = InspectArgs {
                dataset: path.to_owned(),
                ..parse(line).unwrap()
            };
            args.check().map_err(|error| error.to_string())
        };
        for line in ["", "--png f.png"] {
            assert_eq!(check(file.path(), line), Ok(()), "{line}");
        }
        for line in ["--html f.html", "--track 3 --png f.png", "--labels", "--duplicates"] {
            let error = check(file.path(), line).unwrap_err();
            assert!(error.contains("needs a data set"), "{line}: {error}");
        }
        let directory = tempfile::tempdir().unwrap();
        let error = check(directory.path(), "--png f.png").unwrap_err();
        assert!(error.contains("--png needs --track"), "{error}");
        let missing = directory.path().join("missing.mp3");
        for line in ["", "--png f.png", "--track 3 --png f.png"] {
            let error = check(&missing, line).unwrap_err();
            let expected = "missing.mp3 does not exist; give a data set or an audio file";
            assert!(error.ends_with(expected), "{line}: {error}");
        }
    }

    #[test]
    fn analysis_needs_an_output() {
        assert!(parse("").unwrap().analysis_config().is_none());
        let config = parse("--html f.html --jobs 3").unwrap().analysis_config().unwrap();
        assert_eq!(config.sample_tracks, SampleTracks::default());
        let config = parse("--analysis d --sample-tracks all")
            .unwrap()
            .analysis_config()
            .unwrap();
        assert_eq!(config.sample_tracks, SampleTracks::All);
    }
}
