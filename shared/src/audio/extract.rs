//! Extracts a track from an audio file: its waveform at the data set's sample rate, mel spectrogram, sums, statistics
//! and checksums, or the reason for its rejection. Nothing is written to disk.
//!
//! The file is decoded, downmixed, resampled and quantized block by block; only the 16-bit waveform is held in full.
//! The spectrogram and the statistics are computed from the 16-bit samples, so they can be recomputed from a shard.

use crate::audio::decode::{self, FileTags};
use crate::audio::validate::{self, Rejection, ValidateConfig, peak};
use crate::audio::watchdog::{Patience, Stalls, Supervised};
use crate::audio::waveform::{Waveform, WaveformReader};
use crate::dataset::manifest::Flag;
use crate::dataset::statistics::TrackSummary;
use crate::dsp::decibel::{Reference, power_to_db};
use crate::dsp::features::FeatureConfig;
use crate::dsp::mel::{MelScratch, MelSpectrogram};
use crate::dsp::track_statistics::{TrackStatistics, TrackStatisticsScratch};
use half::f16;
use half::slice::HalfFloatSliceExt;
use ndarray::ArrayViewMut2;
use std::path::Path;
use std::sync::Arc;

/// A track that passed validation.
#[derive(Clone, Debug)]
pub struct ExtractedTrack {
    /// Id of the track.
    pub track_id: u64,
    /// Mono PCM at the data set's rate.
    pub waveform: Vec<i16>,
    /// `[n_mels, frames]` dB, reference 1.0, no floor.
    pub mel: Vec<f16>,
    /// BLAKE3 of the waveform's bytes.
    pub waveform_blake3: String,
    /// BLAKE3 of the spectrogram's bytes.
    pub mel_blake3: String,
    /// Sums and statistics of the track.
    pub summary: TrackSummary,
    /// Sample rate of the file, in Hz.
    pub source_rate: u32,
    /// Channels of the file.
    pub source_channels: u32,
    /// Frames of the file that could not be decoded.
    pub bad_frames: u64,
    /// Samples that did not fit 16 bits.
    pub clipped_samples: u64,
    /// Oddities that do not reject the track.
    pub flags: Vec<Flag>,
}

impl ExtractedTrack {
    /// Memory that the track holds, in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.waveform.as_slice()) + size_of_val(self.mel.as_slice())
    }
}

/// Extracts one track after another and reuses its FFT plans and buffers.
pub struct Extractor {
    features: FeatureConfig,
    validate: ValidateConfig,
    reader: Supervised<WaveformReader>,
    mel: MelExtractor,
    statistics: TrackStatistics,
    statistics_scratch: TrackStatisticsScratch,
}

impl Extractor {
    /// Creates an extractor that allows no stalled decoder: it rejects a file on which the decoder stalls, and every
    /// file after it.
    pub fn new(features: &FeatureConfig, validate: &ValidateConfig) -> Self {
        Self::watched(features, validate, Stalls::new(0, Patience::default()))
    }

    /// Creates an extractor that shares `stalls`, and so the limit of stalled decoders, with others.
    pub fn watched(features: &FeatureConfig, validate: &ValidateConfig, stalls: Arc<Stalls>) -> Self {
        let (rate, max_samples) = (features.sample_rate, validate.max_samples);
        Self {
            features: features.clone(),
            validate: validate.clone(),
            reader: Supervised::new(stalls, move || WaveformReader::new(rate, max_samples)),
            mel: MelExtractor::new(features),
            statistics: TrackStatistics::new(features.sample_rate),
            statistics_scratch: TrackStatisticsScratch::default(),
        }
    }

    /// Extracts a track, or returns the reason for its rejection.
    pub fn extract(&mut self, track_id: u64, path: &Path) -> Result<ExtractedTrack, Rejection> {
        let waveform = self.read_waveform(path)?;
        let samples = waveform.samples;
        self.validate
            .evaluate(&waveform.report.decoding, samples.len(), peak(&samples))?;
        let flags = validate::flags(&waveform.report.decoding, &samples, waveform.clipped_samples);
        let mel = self.mel(&samples);
        let checksum = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
        Ok(ExtractedTrack {
            track_id,
            waveform_blake3: checksum(bytemuck::cast_slice(&samples)),
            mel_blake3: checksum(bytemuck::cast_slice(&mel)),
            summary: self.summary(track_id, &samples, &mel),
            waveform: samples,
            mel,
            source_rate: waveform.source_rate,
            source_channels: waveform.source_channels,
            bad_frames: waveform.report.bad_frames,
            clipped_samples: waveform.clipped_samples,
            flags,
        })
    }

    fn summary(&mut self, track_id: u64, samples: &[i16], mel: &[f16]) -> TrackSummary {
        let mut summary = TrackSummary::new(track_id, samples, mel, &self.features);
        let scratch = &mut self.statistics_scratch;
        self.statistics
            .compute(samples, scratch, &mut summary.mfcc, &mut summary.chroma);
        summary
    }

    /// Decodes a whole file. A decoder that panics or stalls is a rejection.
    pub fn read_waveform(&mut self, path: &Path) -> Result<Waveform, Rejection> {
        let file = path.to_owned();
        let read = move |reader: &mut WaveformReader, meter: &_| reader.read(&file, meter);
        self.reader
            .run(&path.display().to_string(), read)
            .unwrap_or_else(|stalled| Err(stalled.into()))
    }

    /// Reads artist and album from the tags of a file. A parser that panics or stalls gives none.
    pub fn read_tags(&mut self, path: &Path) -> FileTags {
        let file = path.to_owned();
        let read = move |_: &mut WaveformReader, meter: &_| decode::read_tags(&file, meter);
        self.reader.run(&path.display().to_string(), read).unwrap_or_default()
    }

    /// See [`MelExtractor::extract`].
    pub fn mel(&mut self, samples: &[i16]) -> Vec<f16> {
        self.mel.extract(samples)
    }
}

/// Computes mel spectrograms as a data set stores them.
pub struct MelExtractor {
    mel: MelSpectrogram,
    scratch: MelScratch,
    decibels: Vec<f32>,
    n_mels: usize,
}

impl MelExtractor {
    /// Plans the transform for these settings.
    pub fn new(features: &FeatureConfig) -> Self {
        Self {
            mel: MelSpectrogram::new(features),
            scratch: MelScratch::default(),
            decibels: Vec::new(),
            n_mels: features.n_mels,
        }
    }

    /// The mel spectrogram of 16-bit samples, `[n_mels, frames]` dB, reference 1.0, no floor.
    pub fn extract(&mut self, samples: &[i16]) -> Vec<f16> {
        let (n_mels, frames) = (self.n_mels, self.mel.frames(samples.len()));
        self.decibels.resize(n_mels * frames, 0.0);
        let power = ArrayViewMut2::from_shape((n_mels, frames), &mut self.decibels)
            .expect("the buffer was given the size of this shape");
        self.mel.power(samples, &mut self.scratch, power);
        power_to_db(&mut self.decibels, Reference::Value(1.0), None);
        let mut stored = vec![f16::ZERO; self.decibels.len()];
        stored.convert_from_f32_slice(&self.decibels);
        stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::statistics::{CHROMA_STATISTICS, MFCC_STATISTICS};

    /// A mono 16-bit WAV file at 44,100 Hz.
    fn wav(samples: &[i16]) -> Vec<u8> {
        let data: &[u8] = bytemuck::cast_slice(samples);
        let mut file = b"RIFF".to_vec();
        file.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
        file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data");
        file.extend_from_slice(&(data.len() as u32).to_le_bytes());
        file.extend_from_slice(data);
        file
    }

    #[test]
    fn statistics_depend_only_on_the_16_bit_samples() {
        let directory = tempfile::tempdir().unwrap();
        let features = FeatureConfig::default();
        let validate = ValidateConfig {
            min_samples: 1000,
            ..ValidateConfig::default()
        };
        let mut extractor = Extractor::new(&features, &validate);
        // The longest comes first, so the later ones reuse scratch space that is too large.
        for (length, frequency) in [(46_000, 440.0), (10_400, 55.0), (19_600, 3000.0)] {
            let sample = |at: usize| (9000.0 * (at as f64 * frequency * std::f64::consts::TAU / 44_100.0).sin()) as i16;
            let samples: Vec<i16> = (0..length).map(sample).collect();
            let path = directory.path().join("tone.wav");
            std::fs::write(&path, wav(&samples)).unwrap();
            let track = extractor.extract(7, &path).unwrap();
            assert_eq!(track.waveform, samples);
            let (mut mfcc, mut chroma) = ([0.0; MFCC_STATISTICS], [0.0; CHROMA_STATISTICS]);
            let mut scratch = TrackStatisticsScratch::default();
            TrackStatistics::new(44_100).compute(&samples, &mut scratch, &mut mfcc, &mut chroma);
            assert_eq!(
                (&track.summary.mfcc[..], &track.summary.chroma[..]),
                (&mfcc[..], &chroma[..])
            );
            assert!(mfcc.iter().chain(&chroma).all(|value| value.is_finite()));
        }
    }
}
