//! What a trained model makes of audio files: files enter, probabilities of genres or tags leave.
//!
//! Threads decode a file each and make model input of it while it is decoded; the thread that has the device takes their
//! batches as they come. Memory depends on neither the number of files nor their length, but for models of whole tracks'
//! statistics, which hold a file of a quarter of an hour at most.

mod cutter;
mod files;
mod hearing;

pub use files::{FilesError, expand};
pub use hearing::{Heard, HearingSetup};

use crate::loader::BatchBuffer;
use crate::models::Model;
use crate::predictions::probabilities;
use crate::step::{self, Uploader};
use burn::tensor::{Device, FloatDType};
use crossbeam_channel::{Receiver, Sender, bounded};
use hearing::Hearing;
use shared::audio::validate::Rejection;
use shared::audio::watchdog::{Patience, Stalls, Supervised};
use shared::dataset::Task;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Batches that may lie ready, so that the device need not wait while each thread is in the middle of a file.
const BATCHES_READY: usize = 2;

/// What a model makes of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What it heard.
    pub heard: Heard,
    /// Per class its probability, per tag its own; the mean over the frames.
    pub probabilities: Vec<f64>,
}

/// A model that is ready to be asked.
#[derive(Debug)]
pub struct Listener {
    /// The model, on `device`, without gradients.
    pub model: Model,
    /// Where it computes.
    pub device: Device,
    /// Type of its encoders' activations.
    pub dtype: FloatDType,
    /// What turns files into its input.
    pub setup: Arc<HearingSetup>,
    /// What its outputs mean.
    pub task: Task,
    /// How many there are.
    pub outputs: usize,
}

enum Message {
    Batch {
        file: usize,
        batch: BatchBuffer,
    },
    End {
        file: usize,
        heard: Result<Heard, Rejection>,
    },
}

impl Listener {
    /// Hears `files` with `jobs` threads, and hands what the model makes of each to `each`, in their order. A file that
    /// cannot be heard costs its own verdict only.
    pub fn predict(
        &self,
        files: &[PathBuf],
        jobs: usize,
        mut each: impl FnMut(usize, Result<Verdict, Rejection>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let jobs = jobs.min(files.len()).max(1);
        let (send, messages) = bounded(BATCHES_READY);
        let next = AtomicUsize::new(0);
        let stalls = Stalls::new(jobs, Patience::default());
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                let (next, send, stalls) = (&next, send.clone(), Arc::clone(&stalls));
                scope.spawn(move || self.hear(files, next, &send, stalls));
            }
            drop(send);
            let outcome = self.collect(&messages, &mut each);
            // Threads give up when their batches find nobody, and begin no other file.
            next.store(files.len(), Ordering::Relaxed);
            drop(messages);
            outcome
        })
    }

    /// A thread's work.
    fn hear(&self, files: &[PathBuf], next: &AtomicUsize, send: &Sender<Message>, stalls: Arc<Stalls>) {
        let setup = Arc::clone(&self.setup);
        let mut supervised = Supervised::new(stalls, move || Hearing::new(Arc::clone(&setup)));
        loop {
            let file = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = files.get(file) else { return };
            let (own, batches) = (path.clone(), send.clone());
            let work = move |hearing: &mut Hearing, meter: &_| {
                hearing.hear(&own, meter, |batch| {
                    let message = Message::Batch { file, batch };
                    let sent = meter.wait(|| batches.send(message).is_ok());
                    sent.then_some(()).ok_or_else(|| Rejection::IoError {
                        message: "it is not wanted any more".into(),
                    })
                })
            };
            let heard = supervised
                .run(&path.display().to_string(), work)
                .unwrap_or_else(|stalled| {
                    Err(Rejection::DecoderStalled {
                        detail: format!("it did nothing for {} seconds", stalled.seconds),
                    })
                });
            if send.send(Message::End { file, heard }).is_err() {
                return;
            }
        }
    }

    fn collect(
        &self,
        messages: &Receiver<Message>,
        each: &mut impl FnMut(usize, Result<Verdict, Rejection>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let front_end = self.setup.front_end();
        let uploader = Uploader {
            input: front_end.input(),
            shape: front_end.shape(),
            front_end: None,
            dtype: self.dtype,
            device: &self.device,
        };
        let mut sums: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        // Verdicts on files whose turn has not come; as many as there are threads, or hardly more.
        let mut early = BTreeMap::new();
        let mut turn = 0;
        for message in messages {
            match message {
                Message::Batch { file, batch } => {
                    let logits = step::to_host(self.model.forward(uploader.upload(&batch, 0..batch.clips())))?;
                    let sum = sums.entry(file).or_insert_with(|| vec![0.0; self.outputs]);
                    for clip in logits.chunks_exact(self.outputs) {
                        let probabilities = probabilities(self.task, clip);
                        sum.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += p);
                    }
                }
                Message::End { file, heard } => {
                    let sum = sums.remove(&file).unwrap_or_default();
                    let verdict = heard.map(|heard| Verdict {
                        probabilities: sum.iter().map(|sum| sum / heard.frames as f64).collect(),
                        heard,
                    });
                    early.insert(file, verdict);
                    while let Some(verdict) = early.remove(&turn) {
                        each(turn, verdict)?;
                        turn += 1;
                    }
                }
            }
        }
        Ok(())
    }
}
