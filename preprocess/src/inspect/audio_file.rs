//! One audio file outside a data set: its format, its tags, and whether a build would keep it.

use super::picture::TrackPicture;
use shared::audio::decode::FileTags;
use shared::audio::extract::{Extractor, MelExtractor};
use shared::audio::validate::{self, Rejection, ValidateConfig, peak};
use shared::audio::waveform::Waveform;
use shared::dataset::manifest::Flag;
use shared::dataset::shard::MelView;
use shared::dataset::statistics::waveform_rms_dbfs;
use shared::dsp::features::FeatureConfig;
use shared::runtime::file_error::FileError;
use shared::runtime::text::{clock, counted, shown, size};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

/// An audio file, decoded and checked as a build does it.
pub struct AudioFile {
    pub path: PathBuf,
    pub bytes: u64,
    pub tags: FileTags,
    /// The decoded file, or why it cannot be decoded.
    pub decoded: Result<DecodedFile, Rejection>,
}

/// The audio of a file.
pub struct DecodedFile {
    pub waveform: Waveform,
    pub seconds: f64,
    pub flags: Vec<Flag>,
    /// Why a build would drop the track.
    pub rejection: Option<Rejection>,
    features: FeatureConfig,
}

impl AudioFile {
    /// Decodes the file. An error means that the file does not exist or cannot be read.
    pub fn read(path: &Path, features: &FeatureConfig, validate: &ValidateConfig) -> Result<Self, FileError> {
        let file = File::open(path).map_err(FileError::at(path))?;
        let bytes = file.metadata().map_err(FileError::at(path))?.len();
        let mut extractor = Extractor::new(features, validate);
        let decoded = extractor
            .read_waveform(path)
            .map(|waveform| DecodedFile::new(waveform, features, validate));
        Ok(Self {
            path: path.to_owned(),
            bytes,
            tags: extractor.read_tags(path),
            decoded,
        })
    }

    /// Why a build would drop the file; `None` if it would keep it.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.decoded {
            Ok(decoded) => decoded.rejection.as_ref(),
            Err(rejection) => Some(rejection),
        }
    }
}

impl DecodedFile {
    fn new(waveform: Waveform, features: &FeatureConfig, validate: &ValidateConfig) -> Self {
        let (samples, decoding) = (&waveform.samples, &waveform.report.decoding);
        let mut flags = validate::flags(decoding, samples, waveform.clipped_samples);
        if validate.is_near_silent(waveform_rms_dbfs(samples)) {
            flags.push(Flag::NearSilent);
        }
        flags.sort_unstable();
        Self {
            seconds: samples.len() as f64 / f64::from(features.sample_rate),
            flags,
            rejection: validate.evaluate(decoding, samples.len(), peak(samples)).err(),
            features: features.clone(),
            waveform,
        }
    }

    /// Its waveform and mel spectrogram as a PNG.
    pub fn png(&self) -> Vec<u8> {
        let (features, samples) = (&self.features, &self.waveform.samples);
        let values = MelExtractor::new(features).extract(samples);
        TrackPicture {
            samples,
            mel: MelView {
                values: &values,
                n_mels: features.n_mels,
                frames: values.len() / features.n_mels,
            },
            features,
        }
        .png()
    }
}

impl fmt::Display for AudioFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "file      {}, {}", shown(&self.path), size(self.bytes))?;
        if let Ok(decoded) = &self.decoded {
            let waveform = &decoded.waveform;
            writeln!(
                f,
                "audio     {}, {}, {} Hz, {}",
                waveform.codec,
                clock(decoded.seconds),
                waveform.source_rate,
                counted(waveform.source_channels as usize, "channel", "channels")
            )?;
            if waveform.report.bad_frames > 0 {
                writeln!(f, "damage    {} frames do not decode", waveform.report.bad_frames)?;
            }
            if !decoded.flags.is_empty() {
                let flags: Vec<&str> = decoded.flags.iter().map(|flag| flag.name()).collect();
                writeln!(f, "flags     {}", flags.join(", "))?;
            }
            let name = |tag: &Option<String>| tag.clone().unwrap_or_else(|| "unknown".into());
            writeln!(f, "artist    {}", name(&self.tags.artist))?;
            writeln!(f, "album     {}", name(&self.tags.album))?;
        }
        match self.rejection() {
            None => write!(f, "build     keeps it with the default settings of `--source folder`"),
            Some(rejection) => write!(
                f,
                "build     drops it with the default settings of `--source folder`, as {}: {rejection}",
                rejection.code()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tone;

    #[test]
    fn near_silent_file_is_flagged() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("tone.mp3");
        for (gain, flags) in [(157, &[Flag::NearSilent][..]), (200, &[])] {
            std::fs::write(&path, tone(5, gain)).unwrap();
            let file = AudioFile::read(&path, &FeatureConfig::default(), &ValidateConfig::default()).unwrap();
            assert_eq!(file.decoded.unwrap().flags, flags, "{gain}");
        }
    }
}
