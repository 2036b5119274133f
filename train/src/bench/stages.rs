//! The measurements.

use super::{Measurement, Stage};
use crate::data::run_data::RunData;
use crate::frontend::HostScratch;
use crate::loader::{BatchBuffer, BatchSource, Batches, Prefetch, PrefetchReport};
use crate::metrics::Tally;
use crate::models::{Model, freeze};
use crate::settings::RunConfig;
use crate::step::batch::TrainingStep;
use crate::step::compute::Compute;
use crate::step::objective::Objective;
use crate::step::optimization::adam;
use crate::step::trainer::Trainer;
use crate::training::epoch_source::epoch_source;
use crate::training::start::blueprint;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use shared::dataset::split::Set;
use std::convert::Infallible;
use std::time::Instant;

/// Batches before the first one that counts: kernels are compiled and chosen, memory is got from the system, buffers are
/// filled.
const WARM_UP: usize = 3;

/// A measurement that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The training set is missing.
    #[error(transparent)]
    Data(#[from] crate::data::error::RunDataError),
    #[error("the device failed: {0}")]
    Device(String),
    #[error("a training step failed: {0:#}")]
    Step(anyhow::Error),
}

/// Measures all stages over `steps` batches each, at least one.
pub fn measure(
    config: &RunConfig,
    data: &RunData,
    compute: &Compute,
    steps: usize,
) -> Result<Vec<Measurement>, BenchError> {
    let buffers = config.loader_threads + config.prefetch;
    let source = source(config, data, compute, WARM_UP + steps + buffers + 1)?;
    let mut measurements = host_stages(&source, compute, steps);
    measurements.extend(device_stages(config, data, compute, &source, steps)?);
    measurements.push(loader(config, &source));
    measurements.push(together(config, data, compute, &source, steps)?);
    Ok(measurements)
}

/// The training set, over and over until it fills `batches` batches.
fn source<'a>(
    config: &RunConfig,
    data: &'a RunData,
    compute: &Compute,
    batches: usize,
) -> Result<BatchSource<'a>, BenchError> {
    data.tracks(Set::Train)?;
    let first = epoch_source(config, data, compute, 0);
    let wanted = batches * config.batch_size;
    let order = first.batches.order().iter().copied().cycle().take(wanted).collect();
    Ok(BatchSource {
        batches: Batches::new(order, config.batch_size),
        ..first
    })
}

fn host_stages(source: &BatchSource<'_>, compute: &Compute, steps: usize) -> Vec<Measurement> {
    let (mut buffer, mut scratch) = (BatchBuffer::default(), HostScratch::default());
    let mut times = [const { Vec::new() }; 3];
    for number in 0..WARM_UP + steps {
        source.fill(number, &mut buffer, &mut scratch);
        if number >= WARM_UP {
            let stages = [buffer.times.read, buffer.times.augment, buffer.times.front_end];
            for (times, stage) in times.iter_mut().zip(stages) {
                times.push(stage.as_secs_f64());
            }
        }
    }
    let [read, augment, front_end] = times;
    let mut measurements = vec![alone(Stage::Read, read)];
    if !compute.has_front_end() {
        measurements.extend([alone(Stage::Augment, augment), alone(Stage::FrontEnd, front_end)]);
    }
    measurements
}

fn device_stages(
    config: &RunConfig,
    data: &RunData,
    compute: &Compute,
    source: &BatchSource<'_>,
    steps: usize,
) -> Result<Vec<Measurement>, BenchError> {
    let device = compute.training_device();
    let uploaders = compute.training_uploaders(data);
    let uploader = uploaders[0];
    let (mut buffer, mut scratch) = (BatchBuffer::default(), HostScratch::default());
    source.fill(0, &mut buffer, &mut scratch);
    let (mut upload, mut forward, mut backward, mut optimize, mut whole) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut model = new_model(config, data, device);
    let mut optimizer = adam(config.weight_decay);
    let rule = rule(config, data)?;
    for number in 0..WARM_UP + steps {
        let (input, uploading) = synced(device, || uploader.upload(&buffer, 0..config.batch_size))?;
        let (logits, forwarding) = synced(device, || model.forward(input.clone()))?;
        let (loss, losing) = synced(device, || rule.objective.loss(logits, buffer.labels.view(), device))?;
        let (gradients, backing) = synced(device, || GradientsParams::from_grads(loss.backward(), &model))?;
        let (changed, optimizing) = synced(device, || optimizer.step(rule.lr.clone(), model, gradients))?;
        let (result, stepping) = synced(device, || {
            rule.train(changed, &mut optimizer, input, buffer.labels.view(), device)
        })?;
        model = result.0;
        if number >= WARM_UP {
            upload.push(uploading);
            forward.push(forwarding + losing);
            backward.push(backing);
            optimize.push(optimizing);
            whole.push(stepping);
        }
    }
    let upload_stage = if compute.has_front_end() {
        Stage::FrontEnd
    } else {
        Stage::Upload
    };
    Ok(vec![
        alone(upload_stage, upload),
        alone(Stage::Forward, forward),
        alone(Stage::Backward, backward),
        alone(Stage::Optimizer, optimize),
        alone(Stage::Step, whole),
    ])
}

/// All loader threads, without anybody who trains.
fn loader(config: &RunConfig, source: &BatchSource<'_>) -> Measurement {
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let mut run = |numbers| {
        let report = prefetch.run(source, numbers, |_, _, _| Ok::<(), Infallible>(()));
        report.unwrap_or_else(|never| match never {})
    };
    run(0..WARM_UP);
    let report = run(0..source.batches.len());
    Measurement {
        stage: Stage::Loader,
        seconds: report.elapsed.as_secs_f64() / report.batches.max(1) as f64,
        wait_share: None,
    }
}

/// As `fit` does it, without what it does between epochs.
fn together(
    config: &RunConfig,
    data: &RunData,
    compute: &Compute,
    source: &BatchSource<'_>,
    steps: usize,
) -> Result<Measurement, BenchError> {
    let model = new_model(config, data, compute.training_device());
    let mut trainer = Trainer::new(
        config.seed,
        compute,
        data,
        rule(config, data)?,
        model,
        adam(config.weight_decay),
    );
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let mut tally = Tally::new(data.dataset.task(), config.classes.len());
    // From one moment at which the buffers are full to another: the loader's threads have batches to make beyond the
    // last one that counts, so that what is trained on is made in the same time.
    let (mut begun, mut ended) = (PrefetchReport::default(), PrefetchReport::default());
    let end = WARM_UP + steps;
    let outcome = prefetch.run(source, 0..source.batches.len(), |number, batch, so_far| {
        if number == WARM_UP || number == end {
            trainer.settle(&mut tally).map_err(Stop::Failed)?;
            *(if number == end { &mut ended } else { &mut begun }) = *so_far;
        }
        if number == end {
            return Err(Stop::Enough);
        }
        trainer.step(number as u64, batch, &mut tally).map_err(Stop::Failed)
    });
    if let Err(Stop::Failed(error)) = outcome {
        return Err(BenchError::Step(error));
    }
    // The wait for the batch at either end lies before its moment.
    let elapsed = (ended.elapsed - begun.elapsed).as_secs_f64();
    Ok(Measurement {
        stage: Stage::Fit,
        seconds: elapsed / steps as f64,
        wait_share: Some((ended.waited - begun.waited).as_secs_f64() / elapsed.max(f64::MIN_POSITIVE)),
    })
}

/// Why [`together`] stopped.
enum Stop {
    Enough,
    Failed(anyhow::Error),
}

fn rule(config: &RunConfig, data: &RunData) -> Result<TrainingStep, BenchError> {
    Ok(TrainingStep {
        objective: Objective::new(config.balance, &config.l2, data),
        lr: config.lr.into(),
    })
}

fn new_model(config: &RunConfig, data: &RunData, device: &Device) -> Model {
    device.seed(config.seed);
    let model = config.model.init(&blueprint(config, data), device);
    freeze(model, |name| config.freezes(name)).0
}

/// Runs `work` to its end on the device; its result and the seconds it took.
fn synced<T>(device: &Device, work: impl FnOnce() -> T) -> Result<(T, f64), BenchError> {
    let began = Instant::now();
    let result = work();
    device
        .sync()
        .map_err(|error| BenchError::Device(format!("{error:?}")))?;
    Ok((result, began.elapsed().as_secs_f64()))
}

fn alone(stage: Stage, mut seconds: Vec<f64>) -> Measurement {
    seconds.sort_by(f64::total_cmp);
    Measurement {
        stage,
        seconds: seconds.get(seconds.len() / 2).copied().unwrap_or(0.0),
        wait_share: None,
    }
}
