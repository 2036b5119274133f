//! Measures each stage.

use super::{Measurement, Stage};
use crate::data::error::RunDataError;
use crate::data::run_data::RunData;
use crate::frontend::HostScratch;
use crate::loader::{BatchBuffer, BatchSource, Batches, Prefetch, PrefetchReport};
use crate::metrics::Tally;
use crate::models::{Model, freeze};
use crate::settings::RunConfig;
use crate::step::averaging::Averaging;
use crate::step::batch::TrainingStep;
use crate::step::compute::Compute;
use crate::step::objective::Objective;
use crate::step::optimization::optimizer;
use crate::step::trainer::Trainer;
use crate::training::epoch_source::epoch_source;
use crate::training::start::blueprint;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use shared::dataset::split::Set;
use std::convert::Infallible;
use std::time::Instant;

/// Batches before the first measured one: kernels are compiled and tuned, memory is allocated, buffers are filled.
const WARM_UP: usize = 3;

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The training set is missing.
    #[error(transparent)]
    Data(#[from] RunDataError),
    #[error("the device failed: {0}")]
    Device(String),
    #[error("a training step failed: {0:#}")]
    Step(anyhow::Error),
}

/// Measures all stages over `steps` batches each; `steps` must be at least 1.
pub fn measure(
    config: &RunConfig,
    data: &RunData,
    compute: &Compute,
    steps: usize,
) -> Result<Vec<Measurement>, BenchError> {
    let buffers = config.loader_threads + config.prefetch;
    let source = repeated_training_set(config, data, compute, WARM_UP + steps + buffers + 1)?;
    let mut measurements = host_stages(&source, compute, steps);
    measurements.extend(device_stages(config, data, compute, &source, steps)?);
    measurements.push(loader(config, &source));
    measurements.push(fit(config, data, compute, &source, steps)?);
    Ok(measurements)
}

/// The training set, repeated to fill `batches` batches.
pub(super) fn repeated_training_set<'a>(
    config: &RunConfig,
    data: &'a RunData,
    compute: &Compute,
    batches: usize,
) -> Result<BatchSource<'a>, RunDataError> {
    data.tracks(Set::Train)?;
    let first = epoch_source(config, data, compute, 0);
    let clips = batches * config.batch_size;
    let order = first.batches.order().iter().copied().cycle().take(clips).collect();
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
    let mut measurements = vec![median(Stage::Read, read)];
    if !compute.has_front_end() {
        measurements.extend([median(Stage::Augment, augment), median(Stage::FrontEnd, front_end)]);
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
    let (mut upload, mut forward, mut backward, mut optimize, mut step) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut model = new_model(config, data, device);
    let mut optimizer = optimizer(config);
    let training_step = training_step(config, data)?;
    for number in 0..WARM_UP + steps {
        let (input, uploading) = synced(device, || uploader.upload(&buffer, 0..config.batch_size))?;
        let (logits, forwarding) = synced(device, || model.forward(input.clone()))?;
        let (loss, losing) = synced(device, || {
            training_step.objective.loss(logits, buffer.labels.targets(), device)
        })?;
        let (gradients, backing) = synced(device, || GradientsParams::from_grads(loss.backward(), &model))?;
        let (changed, optimizing) = synced(device, || training_step.update(model, &mut optimizer, gradients, 1.0))?;
        let (result, stepping) = synced(device, || {
            training_step.train(changed, &mut optimizer, input, buffer.labels.targets(), device, 1.0)
        })?;
        model = result.0;
        if number >= WARM_UP {
            upload.push(uploading);
            forward.push(forwarding + losing);
            backward.push(backing);
            optimize.push(optimizing);
            step.push(stepping);
        }
    }
    let upload_stage = if compute.has_front_end() {
        Stage::FrontEnd
    } else {
        Stage::Upload
    };
    Ok(vec![
        median(upload_stage, upload),
        median(Stage::Forward, forward),
        median(Stage::Backward, backward),
        median(Stage::Optimizer, optimize),
        median(Stage::Step, step),
    ])
}

/// All loader threads, without training.
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

/// Training as in `train fit`, without the work between epochs.
fn fit(
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
        training_step(config, data)?,
        model,
        optimizer(config),
        Averaging::new(config),
    );
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let mut tally = Tally::new(data.dataset.task(), config.classes.len());
    // The buffers are full at the start and at the end of the measured time: the loader also makes batches after the
    // last measured one. So the loader makes as many batches in this time as are trained on.
    let (mut first, mut last) = (PrefetchReport::default(), PrefetchReport::default());
    let end = WARM_UP + steps;
    let outcome = prefetch.run(source, 0..source.batches.len(), |number, batch, so_far| {
        if number == WARM_UP || number == end {
            trainer.settle(&mut tally).map_err(Stop::Failed)?;
            *(if number == end { &mut last } else { &mut first }) = *so_far;
        }
        if number == end {
            return Err(Stop::Enough);
        }
        trainer
            .step(number as u64, 1.0, batch, &mut tally)
            .map_err(Stop::Failed)
    });
    if let Err(Stop::Failed(error)) = outcome {
        return Err(BenchError::Step(error));
    }
    // Each time is taken after the wait for its batch.
    let elapsed = (last.elapsed - first.elapsed).as_secs_f64();
    Ok(Measurement {
        stage: Stage::Fit,
        seconds: elapsed / steps as f64,
        wait_share: Some((last.waited - first.waited).as_secs_f64() / elapsed.max(f64::MIN_POSITIVE)),
    })
}

/// Why [`fit`] stopped.
enum Stop {
    Enough,
    Failed(anyhow::Error),
}

fn training_step(config: &RunConfig, data: &RunData) -> Result<TrainingStep, BenchError> {
    let objective = Objective::new(config, data);
    Ok(TrainingStep::new(config, objective, config.lr.into()))
}

fn new_model(config: &RunConfig, data: &RunData, device: &Device) -> Model {
    device.seed(config.seed);
    let model = config.model.init(&blueprint(config, data), device);
    freeze(model, |name| config.freezes(name)).0
}

/// Runs `work` and waits for the device; returns the result and the seconds.
fn synced<T>(device: &Device, work: impl FnOnce() -> T) -> Result<(T, f64), BenchError> {
    let began = Instant::now();
    let result = work();
    device
        .sync()
        .map_err(|error| BenchError::Device(format!("{error:?}")))?;
    Ok((result, began.elapsed().as_secs_f64()))
}

fn median(stage: Stage, mut seconds: Vec<f64>) -> Measurement {
    seconds.sort_by(f64::total_cmp);
    Measurement {
        stage,
        seconds: seconds.get(seconds.len() / 2).copied().unwrap_or(0.0),
        wait_share: None,
    }
}
