//! Decodes files in parallel and runs one network on them, in order.

use super::file_decoder::{ClipBatch, Decoded, FileDecoder, InputSetup};
use super::span::ClipVector;
use crate::models::{Model, ModelInput};
use crate::run::calibration::scaled_logits;
use crate::run::predictions::probabilities;
use crate::step::batch::{self, Uploader};
use burn::tensor::{Device, FloatDType, Tensor};
use crossbeam_channel::{Receiver, Sender, bounded};
use shared::audio::validate::Rejection;
use shared::audio::watchdog::{Patience, Stalls, Supervised, TooManyStalled};
use shared::dataset::Task;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Size of the queue of batches, so the device does not wait while all threads are in the middle of a file.
const BATCHES_READY: usize = 2;

/// The result of a network for a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileVector {
    pub decoded: Decoded,
    /// The mean over the clips of the [`ClipOutput`].
    pub values: Vec<f64>,
    /// The clips, in order; empty unless they were asked for.
    pub clips: Vec<ClipVector>,
}

/// The result for each clip. Networks are on the predictor's device, without gradients.
#[derive(Debug)]
pub enum ClipOutput {
    /// The probability of each class or tag, of the logits divided by a temperature.
    Probabilities { model: Model, task: Task, temperature: f64 },
    /// The embeddings.
    Embeddings(Model),
    /// The model's input, statistics of the whole file.
    Statistics,
}

impl ClipOutput {
    fn forward(&self, input: ModelInput) -> Tensor<2> {
        match self {
            Self::Probabilities { model, .. } => model.forward(input),
            Self::Embeddings(model) => model.embed(input),
            Self::Statistics => input.statistics(),
        }
    }

    /// The values of a clip from its row of [`forward`](Self::forward).
    fn values(&self, row: &[f32]) -> Vec<f64> {
        match self {
            Self::Probabilities { task, temperature, .. } => probabilities(*task, &scaled_logits(row, *temperature)),
            Self::Embeddings(_) | Self::Statistics => row.iter().map(|&value| f64::from(value)).collect(),
        }
    }
}

/// A network and what it needs to run on files.
#[derive(Debug)]
pub struct NetworkPredictor {
    pub output: ClipOutput,
    pub device: Device,
    /// Data type of the encoders' activations.
    pub dtype: FloatDType,
    pub setup: Arc<InputSetup>,
    /// How long a decoder may make no progress.
    pub patience: Patience,
}

enum Message {
    Batch {
        file: usize,
        batch: ClipBatch,
    },
    End {
        file: usize,
        decoded: Result<Decoded, Rejection>,
    },
    Broken(TooManyStalled),
}

impl NetworkPredictor {
    /// Decodes `files` with `jobs` threads and passes each result to `each`, in the order of the files. A file that
    /// cannot be decoded only fails its own result, but if more decoders than threads stall, the remaining files
    /// are skipped. `keep_clips` also returns the vector of each clip.
    pub fn predict(
        &self,
        files: &[PathBuf],
        jobs: usize,
        keep_clips: bool,
        mut each: impl FnMut(usize, Result<FileVector, Rejection>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let jobs = jobs.min(files.len()).max(1);
        let (send, messages) = bounded(BATCHES_READY);
        let next = AtomicUsize::new(0);
        let stalls = Stalls::new(jobs, self.patience);
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                let (next, send, stalls) = (&next, send.clone(), Arc::clone(&stalls));
                scope.spawn(move || self.decode(files, next, &send, stalls));
            }
            drop(send);
            let outcome = self.collect(&messages, files.len(), keep_clips, &mut each);
            // Threads stop when nobody receives their batches, and do not start another file.
            next.store(files.len(), Ordering::Relaxed);
            drop(messages);
            outcome
        })
    }

    fn decode(&self, files: &[PathBuf], next: &AtomicUsize, send: &Sender<Message>, stalls: Arc<Stalls>) {
        let setup = Arc::clone(&self.setup);
        let state = move || FileDecoder::new(Arc::clone(&setup));
        let mut supervised = Supervised::new(Arc::clone(&stalls), state);
        loop {
            let file = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(file) else { return };
            let (owned_path, batches) = (path.clone(), send.clone());
            let work = move |decoder: &mut FileDecoder, meter: &_| {
                decoder.decode(&owned_path, meter, |batch| {
                    let message = Message::Batch { file, batch };
                    let sent = meter.wait(|| batches.send(message).is_ok());
                    sent.then_some(()).ok_or_else(|| Rejection::IoError {
                        message: "classification was stopped".into(),
                    })
                })
            };
            let name = path.display().to_string();
            let decoded = supervised.run(&name, work);
            let broken = stalls.check().err();
            // After too many stalls no file is started, and files that were not started have no prediction.
            let started = decoded.is_ok() || broken.as_ref().is_none_or(|broken| broken.what.contains(&name));
            let decoded = decoded.unwrap_or_else(|stalled| Err(stalled.into()));
            if started && send.send(Message::End { file, decoded }).is_err() {
                return;
            }
            if let Some(broken) = broken {
                // The receiver may be gone.
                let _ = send.send(Message::Broken(broken));
                return;
            }
        }
    }

    fn collect(
        &self,
        messages: &Receiver<Message>,
        files: usize,
        keep_clips: bool,
        each: &mut impl FnMut(usize, Result<FileVector, Rejection>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let front_end = self.setup.front_end();
        let uploader = Uploader {
            input: front_end.input(),
            shape: front_end.shape(),
            front_end: None,
            dtype: self.dtype,
            device: &self.device,
        };
        let mut begun: BTreeMap<usize, (Vec<f64>, Vec<ClipVector>)> = BTreeMap::new();
        // Predictions that are waiting for earlier files; about as many as there are threads.
        let mut early = BTreeMap::new();
        let mut turn = 0;
        // The loop counts files instead of waiting for a closed channel, because an abandoned decoder keeps its sender.
        while turn < files {
            match messages.recv()? {
                Message::Broken(broken) => return Err(broken.into()),
                Message::Batch { file, batch } => {
                    let ClipBatch { input, spans } = batch;
                    let rows = batch::to_host(self.output.forward(uploader.upload(&input, 0..spans.len())))?;
                    let width = rows.len() / spans.len();
                    let (sum, clips) = begun.entry(file).or_insert_with(|| (vec![0.0; width], Vec::new()));
                    for (row, span) in rows.chunks_exact(width).zip(spans) {
                        let values = self.output.values(row);
                        sum.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value);
                        if keep_clips {
                            clips.push(ClipVector { span, values });
                        }
                    }
                }
                Message::End { file, decoded } => {
                    let (sum, clips) = begun.remove(&file).unwrap_or_default();
                    let prediction = decoded.map(|decoded| FileVector {
                        values: sum.iter().map(|sum| sum / decoded.clips as f64).collect(),
                        decoded,
                        clips,
                    });
                    early.insert(file, prediction);
                    while let Some(prediction) = early.remove(&turn) {
                        each(turn, prediction)?;
                        turn += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::front_end_record::FrontEndRecord;
    use crate::data::run_data::RunData;
    use crate::models::{Blueprint, ModelKind};
    use crate::settings::RunConfig;
    use crate::testing;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    /// An untrained network; its decoders count as stalled after a second without progress.
    fn predictor() -> NetworkPredictor {
        let root = testing::dataset();
        let config: RunConfig = testing::config(root.path(), ModelKind::Cnn1d);
        let record = FrontEndRecord::new(&RunData::open(&config).unwrap());
        let setup = Arc::new(InputSetup::new(&record, &config));
        let device = Device::flex();
        let blueprint = Blueprint {
            shape: *setup.front_end().shape(),
            classes: 2,
            dropout: 0.0,
        };
        NetworkPredictor {
            output: ClipOutput::Probabilities {
                model: config.model.init(&blueprint, &device),
                task: Task::SingleLabel,
                temperature: 1.0,
            },
            dtype: FloatDType::F32,
            device,
            setup,
            patience: Patience {
                tick: Duration::from_millis(50),
                ticks: 20,
            },
        }
    }

    /// A file on which Symphonia loops for minutes; see `shared/tests/stalled_decoder.rs`.
    fn stalling_file(seeds: &Path) -> Vec<u8> {
        let atom = |kind: &[u8; 4], body: &[u8]| [&(body.len() as u32 + 8).to_be_bytes(), &kind[..], body].concat();
        let run = atom(b"trun", b"\0\0\0\0\xff\xff\xff\xff").repeat(500);
        let header = atom(b"tfhd", b"\0\x02\0\0\0\0\0\x01");
        let fragment = [
            atom(b"mfhd", &[0, 0, 0, 0, 0, 0, 0, 2]),
            atom(b"traf", &[header, run].concat()),
        ];
        let valid = fs::read(seeds.join("fragmented.m4a")).unwrap();
        [valid, atom(b"moof", &fragment.concat())].concat()
    }

    #[test]
    fn one_stalled_decoder_is_tolerated_and_too_many_are_an_error() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/decode_validate");
        let (directory, predictor) = (tempfile::tempdir().unwrap(), predictor());
        let path = |name: &str| directory.path().join(name);
        for name in ["a.m4a", "b.m4a"] {
            fs::write(path(name), stalling_file(&seeds)).unwrap();
        }
        let good = seeds.join("tone.flac");
        let predict = |files: &[PathBuf]| {
            let mut codes = Vec::new();
            let outcome = predictor.predict(files, 1, false, |_, prediction| {
                codes.push(prediction.map_or_else(|rejection| rejection.code(), |_| "decoded"));
                Ok(())
            });
            (outcome.map_err(|error| error.to_string()), codes)
        };
        let (outcome, codes) = predict(&[path("a.m4a"), good.clone()]);
        assert_eq!((outcome, codes), (Ok(()), vec!["decoder_stalled", "decoded"]));
        let (outcome, codes) = predict(&[good.clone(), path("a.m4a"), path("b.m4a"), good]);
        assert!(outcome.unwrap_err().contains("b.m4a"));
        assert_eq!(codes, ["decoded", "decoder_stalled", "decoder_stalled"]);
    }
}
