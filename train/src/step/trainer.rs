//! The model in training: takes one batch after the other.
//!
//! A step's logits are fetched only when the next step is on its way, so that a GPU always has work queued while the
//! host prepares more.

use crate::data::run_data::RunData;
use crate::frontend::timed;
use crate::loader::{BatchBuffer, Labels};
use crate::metrics::Tally;
use crate::models::Model;
use crate::step::batch::{self, TrainingStep, Uploader};
use crate::step::compute::Compute;
use crate::step::data_parallel;
use crate::step::pace::DeviceTimes;
use anyhow::bail;
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use rand::RngExt;
use shared::runtime::rng::{Purpose, stream};

/// Model and optimizer, changed by every step.
pub struct Trainer<'a> {
    seed: u64,
    rule: TrainingStep,
    uploaders: Vec<Uploader<'a>>,
    /// None only within a step, which consumes the model and gives back another.
    model: Option<Model>,
    /// Its state belongs to the model's parameters.
    pub optimizer: ModuleOptimizer,
    /// Where this thread's time went.
    pub times: DeviceTimes,
    running: Option<Running>,
}

/// A step whose logits have not been looked at.
struct Running {
    number: u64,
    /// Of each device's part of the batch, in its order.
    logits: Vec<Tensor<2>>,
    labels: Labels,
}

impl<'a> Trainer<'a> {
    /// `model` must be on the training device. Dropout's masks are drawn from `seed`.
    pub fn new(
        seed: u64,
        compute: &'a Compute,
        data: &'a RunData,
        rule: TrainingStep,
        model: Model,
        optimizer: ModuleOptimizer,
    ) -> Self {
        Self {
            seed,
            rule,
            uploaders: compute.training_uploaders(data),
            model: Some(model),
            optimizer,
            times: DeviceTimes::default(),
            running: None,
        }
    }

    /// The model as it is after the last step.
    pub fn model(&self) -> &Model {
        self.model.as_ref().expect("every step puts the model back")
    }

    /// Takes step `number` of the run, and enters the one before into `tally`.
    pub fn step(&mut self, number: u64, batch: &BatchBuffer, tally: &mut Tally) -> anyhow::Result<()> {
        for (place, uploader) in self.uploaders.iter().enumerate() {
            // Dropout's masks, too, are a function of the step's number.
            let seed = stream(self.seed, 1 + number, place as u64, Purpose::Model).random();
            uploader.device.seed(seed);
        }
        let model = self.model.take().expect("every step puts the model back");
        let (rule, optimizer, times) = (&self.rule, &mut self.optimizer, &mut self.times);
        let (changed, logits) = match self.uploaders.as_slice() {
            [only] => {
                let input = timed(&mut times.upload, || only.upload(batch, 0..batch.clips()));
                let train = || rule.train(model, optimizer, input, batch.labels.view(), only.device);
                let (changed, logits) = timed(&mut times.device, train);
                (changed, vec![logits])
            }
            several => timed(&mut times.device, || {
                data_parallel::train(model, optimizer, rule, several, batch)
            }),
        };
        self.model = Some(changed);
        let mut labels = self.settle(tally)?;
        labels.clear();
        labels.extend(&batch.labels);
        self.running = Some(Running { number, logits, labels });
        Ok(())
    }

    /// Waits for the last step and enters it into `tally`. Gives back the memory of its labels.
    pub fn settle(&mut self, tally: &mut Tally) -> anyhow::Result<Labels> {
        let Some(Running { number, logits, labels }) = self.running.take() else {
            return Ok(Labels::default());
        };
        let parts = logits.into_iter().map(batch::to_host);
        let parts = timed(&mut self.times.device, || parts.collect::<Result<Vec<_>, _>>())?;
        tally.add(&parts.concat(), labels.view());
        if !tally.loss().is_finite() {
            bail!(
                "the loss is not finite any more at step {}; try a lower --lr",
                number + 1
            );
        }
        Ok(labels)
    }
}
