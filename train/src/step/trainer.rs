//! Trains the model one batch at a time.
//!
//! The logits of a step are fetched only after the next step was queued, so a GPU always has work while the host
//! prepares more.

use crate::data::run_data::RunData;
use crate::frontend::timed;
use crate::loader::{BatchBuffer, Labels};
use crate::metrics::Tally;
use crate::models::Model;
use crate::step::averaging::Averaging;
use crate::step::batch::{self, TrainingStep, Uploader};
use crate::step::compute::Compute;
use crate::step::data_parallel;
use crate::step::pace::DeviceTimes;
use anyhow::bail;
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use rand::RngExt;
use shared::runtime::rng::{Purpose, stream};

/// Model and optimizer during training.
pub struct Trainer<'a> {
    seed: u64,
    step: TrainingStep,
    uploaders: Vec<Uploader<'a>>,
    /// `None` only during a step, which consumes the model and returns the updated one.
    model: Option<Model>,
    pub optimizer: ModuleOptimizer,
    pub averaging: Averaging,
    /// How this thread's time was spent.
    pub times: DeviceTimes,
    running: Option<Running>,
}

/// A step whose logits were not fetched yet.
struct Running {
    number: u64,
    /// One tensor per device and micro batch, in the order of the batch.
    logits: Vec<Tensor<2>>,
    labels: Labels,
}

impl<'a> Trainer<'a> {
    /// `model` must be on the training device. Dropout's masks are drawn from `seed`.
    pub fn new(
        seed: u64,
        compute: &'a Compute,
        data: &'a RunData,
        step: TrainingStep,
        model: Model,
        optimizer: ModuleOptimizer,
        averaging: Averaging,
    ) -> Self {
        Self {
            seed,
            step,
            uploaders: compute.training_uploaders(data),
            model: Some(model),
            optimizer,
            averaging,
            times: DeviceTimes::default(),
            running: None,
        }
    }

    /// The model after the last step.
    pub fn model(&self) -> &Model {
        self.model.as_ref().expect("every step puts the model back")
    }

    /// Changes the model between two steps.
    pub fn change_model(&mut self, change: impl FnOnce(Model) -> Model) {
        self.model = self.model.take().map(change);
    }

    /// Takes step `number` of the run with the learning rates times `factor`, and adds the previous step to `tally`.
    pub fn step(&mut self, number: u64, factor: f64, batch: &BatchBuffer, tally: &mut Tally) -> anyhow::Result<()> {
        for (place, uploader) in self.uploaders.iter().enumerate() {
            // Dropout masks depend only on the seed and the step number, so a resumed run draws the same ones.
            let seed = stream(self.seed, 1 + number, place as u64, Purpose::Model).random();
            uploader.device.seed(seed);
        }
        let model = self.model.take().expect("every step puts the model back");
        let initial = self.averaging.initial_weights(&model);
        let (step, optimizer, times) = (&self.step, &mut self.optimizer, &mut self.times);
        let (updated, logits) = match self.uploaders.as_slice() {
            [only] if step.micro_batch_size.is_none_or(|size| size >= batch.clips()) => {
                let input = timed(&mut times.upload, || only.upload(batch, 0..batch.clips()));
                let train = || step.train(model, optimizer, input, batch.labels.targets(), only.device, factor);
                let (updated, logits) = timed(&mut times.device, train);
                (updated, vec![logits])
            }
            several => timed(&mut times.device, || {
                data_parallel::train(model, optimizer, step, several, batch, factor)
            }),
        };
        timed(&mut self.times.device, || {
            self.averaging.add_step(initial, &updated, number + 1)
        });
        self.model = Some(updated);
        let mut labels = self.settle(tally)?;
        labels.clear();
        labels.extend(&batch.labels);
        self.running = Some(Running { number, logits, labels });
        Ok(())
    }

    /// Waits for the last step and adds it to `tally`. Returns the labels, so their memory can be reused.
    pub fn settle(&mut self, tally: &mut Tally) -> anyhow::Result<Labels> {
        let Some(Running { number, logits, labels }) = self.running.take() else {
            return Ok(Labels::default());
        };
        let mut begin = 0;
        for part in logits {
            let [clips, outputs] = part.dims();
            let logits = timed(&mut self.times.device, || batch::to_host(part))?;
            tally.add(&logits, labels.part(begin..begin + clips, outputs));
            begin += clips;
        }
        if !tally.loss().is_finite() {
            bail!("the loss is not finite at step {}; try a lower --lr", number + 1);
        }
        Ok(labels)
    }
}
