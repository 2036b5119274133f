//! Decodes an audio file and makes batches of model input while decoding.

use super::cutter::{ClipCutter, CutClip};
use super::span::Span;
use crate::augment::ClipPlan;
use crate::data::front_end_record::FrontEndRecord;
use crate::frontend::StatisticsKind;
use crate::frontend::{ClipOutput, HostFrontEnd, HostScratch, Track, VectorScaler};
use crate::loader::{BatchBuffer, ClipGrid};
use crate::settings::RunConfig;
use half::f16;
use shared::audio::decode::Meter;
use shared::audio::extract::MelExtractor;
use shared::audio::validate::{Rejection, ValidateConfig, peak};
use shared::audio::waveform::{Waveform, WaveformReader};
use shared::dataset::shard::MelView;
use shared::dataset::statistics::{CHROMA_STATISTICS, MFCC_STATISTICS};
use shared::dsp::features::FeatureConfig;
use shared::dsp::track_statistics::{TrackStatistics, TrackStatisticsScratch};
use std::path::Path;
use std::sync::Arc;

/// Clips per batch. A batch has clips of one file only, so predictions do not depend on other files or the order of
/// threads.
const CLIPS_AT_ONCE: usize = 8;

/// More samples than a decoder's packet and a resampler's block produce at a time.
const LONGEST_BLOCK: usize = 1 << 22;

/// The decoded parts of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decoded {
    pub seconds: f64,
    pub clips: usize,
    /// Whether the file is shorter than a clip and was padded with silence.
    pub padded: bool,
}

/// A batch with clips of one file.
#[derive(Debug, Default)]
pub struct ClipBatch {
    pub input: BatchBuffer,
    /// Where the clips are in the file.
    pub spans: Vec<Span>,
}

/// The settings that turn files into a run's model input; shared by all threads.
#[derive(Debug)]
pub struct InputSetup {
    features: FeatureConfig,
    grid: ClipGrid,
    front_end: HostFrontEnd,
    /// Whether to compute the mel spectrogram like the stored one of the data set, from which evaluation cuts clips.
    uses_stored_mel: bool,
    statistics: Option<(VectorScaler, Vec<StatisticsKind>)>,
}

impl InputSetup {
    pub fn new(record: &FrontEndRecord, config: &RunConfig) -> Self {
        let input = config.model.description().input;
        let scaler = record.statistics.as_ref().and_then(|parts| parts.scaler());
        Self {
            features: record.features.clone(),
            grid: record.clip_grid(config),
            front_end: record.front_end(config),
            uses_stored_mel: input.is_cut_from_stored_mel(&record.features) && !config.pcm8,
            statistics: scaler.map(|scaler| (scaler, config.statistics.clone())),
        }
    }

    pub fn front_end(&self) -> &HostFrontEnd {
        &self.front_end
    }

    /// Whether the input is computed from whole files instead of clips.
    pub fn takes_whole_files(&self) -> bool {
        self.statistics.is_some()
    }
}

/// Decodes files one after another and reuses its buffers.
pub struct FileDecoder {
    setup: Arc<InputSetup>,
    validate: ValidateConfig,
    reader: WaveformReader,
    mel: MelExtractor,
    statistics: TrackStatistics,
    statistics_scratch: TrackStatisticsScratch,
    scratch: HostScratch,
}

/// A clip with its margins, in the form of a track from which the front end cuts the clip.
struct ClipTrack<'a> {
    samples: &'a [i16],
    mel: &'a [f16],
    n_mels: usize,
    frames: usize,
}

impl Track for ClipTrack<'_> {
    fn waveform(&self) -> &[i16] {
        self.samples
    }

    fn mel(&self) -> MelView<'_> {
        MelView {
            values: self.mel,
            n_mels: self.n_mels,
            frames: self.frames,
        }
    }
}

impl FileDecoder {
    pub fn new(setup: Arc<InputSetup>) -> Self {
        // Files of any length are accepted; damaged and silent ones are rejected.
        let validate = ValidateConfig {
            min_samples: 1,
            ..ValidateConfig::default()
        };
        let rate = setup.features.sample_rate;
        let most = match ClipCutter::new(setup.grid, &setup.features).max_pending() {
            Some(pending) if setup.statistics.is_none() => pending.saturating_add(LONGEST_BLOCK) as u64,
            // Track statistics need the whole file, and so does a number of clips that are spread over it.
            _ => validate.max_samples,
        };
        Self {
            reader: WaveformReader::new(rate, most),
            mel: MelExtractor::new(&setup.features),
            statistics: TrackStatistics::new(rate),
            statistics_scratch: TrackStatisticsScratch::default(),
            scratch: HostScratch::default(),
            validate,
            setup,
        }
    }

    /// Decodes a file and passes batches of model input to `send`, which must report to the meter while it waits. If
    /// the file turns out to be damaged, discard the batches that were sent.
    pub fn decode(
        &mut self,
        path: &Path,
        meter: &Arc<Meter>,
        send: impl FnMut(ClipBatch) -> Result<(), Rejection>,
    ) -> Result<Decoded, Rejection> {
        if self.setup.statistics.is_some() {
            self.decode_whole(path, meter, send)
        } else {
            self.decode_clips(path, meter, send)
        }
    }

    fn decode_clips(
        &mut self,
        path: &Path,
        meter: &Arc<Meter>,
        send: impl FnMut(ClipBatch) -> Result<(), Rejection>,
    ) -> Result<Decoded, Rejection> {
        let setup = Arc::clone(&self.setup);
        let Self {
            reader, mel, scratch, ..
        } = self;
        let mut cutter = ClipCutter::new(setup.grid, &setup.features);
        let mut batches = Batches {
            setup: &setup,
            mel,
            scratch,
            batch: ClipBatch::default(),
            send,
        };
        let (mut highest, mut checked) = (0, 0);
        let waveform = reader.read_in_pieces(path, meter, |pending| {
            let new = cutter.seen(pending) - checked;
            highest = highest.max(peak(&pending[pending.len() - new..]));
            checked += new;
            cutter.cut(pending, |clip| batches.add(clip))
        })?;
        let samples = cutter.seen(&waveform.samples);
        self.validate.evaluate(&waveform.report.decoding, samples, highest)?;
        cutter.finish(&waveform.samples, |clip| batches.add(clip))?;
        batches.flush()?;
        Ok(Decoded {
            seconds: samples as f64 / f64::from(setup.features.sample_rate),
            clips: cutter.clips(),
            padded: samples < setup.features.clip_samples,
        })
    }

    fn decode_whole(
        &mut self,
        path: &Path,
        meter: &Arc<Meter>,
        mut send: impl FnMut(ClipBatch) -> Result<(), Rejection>,
    ) -> Result<Decoded, Rejection> {
        let Waveform { samples, report, .. } = self.reader.read(path, meter)?;
        self.validate
            .evaluate(&report.decoding, samples.len(), peak(&samples))?;
        let (mut mfcc, mut chroma) = (vec![0.0; MFCC_STATISTICS], vec![0.0; CHROMA_STATISTICS]);
        self.statistics
            .compute(&samples, &mut self.statistics_scratch, &mut mfcc, &mut chroma);
        let mut batch = BatchBuffer::default();
        batch.reset(1, self.setup.front_end.shape());
        batch.excerpts.push(0);
        let (scaler, kinds) = self
            .setup
            .statistics
            .as_ref()
            .expect("the input of this model is track statistics");
        let mut statistics = Vec::new();
        for kind in kinds {
            statistics.extend_from_slice(match kind {
                StatisticsKind::Mfcc => &mfcc,
                StatisticsKind::Chroma => &chroma,
            });
        }
        scaler.apply(&mut statistics).map_err(|error| Rejection::IoError {
            message: error.to_string(),
        })?;
        batch.statistics = statistics.into();
        let seconds = samples.len() as f64 / f64::from(self.setup.features.sample_rate);
        send(ClipBatch {
            input: batch,
            spans: vec![Span {
                start: 0.0,
                end: seconds,
            }],
        })?;
        Ok(Decoded {
            seconds,
            clips: 1,
            padded: false,
        })
    }
}

/// A batch that is being filled with a file's clips.
struct Batches<'a, F> {
    setup: &'a InputSetup,
    mel: &'a mut MelExtractor,
    scratch: &'a mut HostScratch,
    batch: ClipBatch,
    send: F,
}

impl<F: FnMut(ClipBatch) -> Result<(), Rejection>> Batches<'_, F> {
    fn add(&mut self, cut: CutClip<'_>) -> Result<(), Rejection> {
        let features = &self.setup.features;
        let mel = if self.setup.uses_stored_mel {
            self.mel.extract(cut.samples)
        } else {
            Vec::new()
        };
        let track = ClipTrack {
            samples: cut.samples,
            mel: &mel,
            n_mels: features.n_mels,
            frames: features.track_frames(cut.samples.len()),
        };
        let plan = ClipPlan {
            hop: cut.lead,
            ..ClipPlan::default()
        };
        let front_end = &self.setup.front_end;
        let shape = front_end.shape();
        let spectrogram = shape.spectrogram[0] * shape.spectrogram[1];
        let batch = &mut self.batch.input;
        let clip = batch.clips();
        batch.excerpts.push(clip);
        batch.waveform.resize((clip + 1) * shape.samples);
        batch.spectrogram.resize((clip + 1) * spectrogram);
        let out = ClipOutput {
            waveform: (shape.samples > 0).then(|| &mut batch.waveform[clip * shape.samples..]),
            spectrogram: (spectrogram > 0).then(|| &mut batch.spectrogram[clip * spectrogram..]),
            statistics: None,
        };
        front_end.run_track(&track, &plan, self.scratch, out);
        let seconds = |hops: usize| (hops * features.hop_length) as f64 / f64::from(features.sample_rate);
        self.batch.spans.push(Span {
            start: seconds(cut.hop),
            end: seconds(cut.hop + self.setup.grid.hops),
        });
        if self.batch.input.clips() == CLIPS_AT_ONCE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Rejection> {
        if self.batch.input.clips() == 0 {
            return Ok(());
        }
        (self.send)(std::mem::take(&mut self.batch))
    }
}
