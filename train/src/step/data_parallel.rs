//! One training step on several devices: each processes a part of the batch, and the gradients are summed on the first.
//!
//! The sum is the gradient of the mean loss over the whole batch. Only batch norm differs, as in PyTorch's
//! `DistributedDataParallel`: each device normalizes with the mean and variance of its own part, and those of the first
//! device update the running statistics. Weights and gradients are copied from device to device. Burn 0.22's collective
//! operations would overlap these copies with the backward pass, but exist for its GPU backends only and cannot be
//! tested on a CPU. The copies are 2.5 MB a step for the models of paper 1 and 60 MB for VGG16.

use crate::loader::BatchBuffer;
use crate::models::Model;
use crate::step::batch::{TrainingStep, Uploader};
use crate::step::objective::Objective;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use std::ops::Range;
use std::panic::resume_unwind;

/// Like [`TrainingStep::train`], with one part of the batch for each of `uploaders`. `model` must be on the first one's
/// device. Returns the logits of the parts in the order of the batch.
pub fn train(
    model: Model,
    optimizer: &mut ModuleOptimizer,
    step: &TrainingStep,
    uploaders: &[Uploader<'_>],
    batch: &BatchBuffer,
) -> (Model, Vec<Tensor<2>>) {
    let parts = parts(batch.clips(), uploaders.len());
    let parts = &parts;
    let work: Vec<_> = uploaders.iter().zip(parts).collect();
    let [(first, first_part), others @ ..] = work.as_slice() else {
        unreachable!("a run has a device and a batch has clips");
    };
    // The penalty is added once per batch, not once per part.
    let unpenalized = step.objective.without_penalties();
    let (mut total, logits) = std::thread::scope(|scope| {
        let running: Vec<_> = others
            .iter()
            .map(|(uploader, part)| {
                let replica = model.clone().fork(uploader.device);
                let unpenalized = &unpenalized;
                scope.spawn(move || gradients(&replica, unpenalized, uploader, batch, (part, parts)))
            })
            .collect();
        // The first part runs in this thread, because Burn keeps batch norm's running statistics per thread.
        let mut total = GradientsAccumulator::new();
        let (first_gradients, first_logits) = gradients(&model, &step.objective, first, batch, (first_part, parts));
        total.accumulate(&model, first_gradients);
        let mut logits = vec![first_logits];
        for thread in running {
            let (gradients, part_logits) = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            total.accumulate(
                &model,
                gradients.to_device(&first.device.clone().without_autodiff(), &model),
            );
            logits.push(part_logits);
        }
        (total, logits)
    });
    let gradients = total.grads();
    (optimizer.step(step.lr.clone(), model, gradients), logits)
}

/// The gradients of one of the parts, weighted by its fraction of the batch's loss, and its logits.
fn gradients(
    model: &Model,
    objective: &Objective,
    uploader: &Uploader<'_>,
    batch: &BatchBuffer,
    (part, parts): (&Range<usize>, &[Range<usize>]),
) -> (GradientsParams, Tensor<2>) {
    let logits = model.forward(uploader.upload(batch, part.clone()));
    let targets = |part: &Range<usize>| batch.labels.part(part.clone(), logits.dims()[1]);
    // With mixup, the clips of a part are mixed with each other, so the parts' denominators are summed.
    let total: f64 = parts.iter().map(|part| objective.mass(targets(part))).sum();
    let fraction = objective.mass(targets(part)) / total;
    let loss = objective.loss(logits.clone(), targets(part), uploader.device) * fraction;
    let loss = objective.with_penalty(loss, model);
    (GradientsParams::from_grads(loss.backward(), model), logits)
}

/// Splits a batch into `count` parts of nearly equal size, or fewer if there are too few clips.
fn parts(clips: usize, count: usize) -> Vec<Range<usize>> {
    let size = clips.div_ceil(count.max(1)).max(1);
    (0..clips)
        .step_by(size)
        .map(|begin| begin..(begin + size).min(clips))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::run_data::RunData;
    use crate::loader::Labels;
    use crate::models::Penalty;
    use crate::models::{Blueprint, ModelKind, export_weights};
    use crate::settings::Settings;
    use crate::step::compute::Compute;
    use crate::step::optimization::adam;
    use crate::testing;
    use crate::training::epoch_source::epoch_source;
    use burn::tensor::Device;
    use safetensors::SafeTensors;

    #[test]
    fn parts_cover_the_batch_in_order() {
        assert_eq!(parts(8, 2), [0..4, 4..8]);
        assert_eq!(parts(5, 3), [0..2, 2..4, 4..5]);
        assert_eq!(parts(2, 4), [0..1, 1..2]);
    }

    /// Both parts hold the same clips, so they have the mean and variance of the whole batch and even batch norm
    /// agrees. Their labels and class weights differ.
    #[test]
    fn two_devices_take_the_same_step_as_one() {
        compare_one_and_two_devices([1, 1], &[]);
    }

    /// The first clips of both parts have the same label, so the last clip of a part has the same partner in its part and
    /// in the whole batch.
    #[test]
    fn two_devices_take_the_same_step_as_one_with_mixup() {
        compare_one_and_two_devices([0, 0], &[0.7, 0.55]);
    }

    /// `second` are the tracks with the labels of the second part, `lambdas` those of either part.
    fn compare_one_and_two_devices(second: [usize; 2], lambdas: &[f32]) {
        let root = testing::dataset();
        let settings = Settings {
            data: Some(root.path().into()),
            model: Some(ModelKind::Cnn1d),
            batch_size: Some(2),
            dropout: Some(0.0),
            weight_decay: Some(0.0),
            ..Settings::default()
        };
        let mut config = settings.resolve().unwrap();
        let data = RunData::open(&config).unwrap();
        config.classes = data.dataset.classes().to_vec();
        let compute = Compute::new(&config, &data, vec![Device::flex(); 2]).unwrap();
        let source = epoch_source(&config, &data, &compute, 0);
        let mut half = BatchBuffer::default();
        source.fill(0, &mut half, &mut Default::default());
        let labels = |positions: [usize; 2]| {
            let mut labels = Labels::default();
            positions
                .into_iter()
                .for_each(|position| labels.push(&data.dataset, position));
            lambdas.iter().for_each(|&lambda| labels.push_lambda(lambda));
            labels
        };
        half.labels = labels([0, 1]);
        let mut whole = half.clone();
        whole.excerpts.extend(half.excerpts.clone());
        whole.labels.extend(&labels(second));
        whole.plans.extend(half.plans.clone());
        whole.waveform.extend(half.waveform.clone());

        let uploaders = compute.training_uploaders(&data);
        let device = uploaders[0].device;
        let blueprint = Blueprint {
            shape: *data.front_end.shape(),
            classes: 2,
            dropout: 0.0,
        };
        let model = config.model.init(&blueprint, device);
        // Burn draws weights when they are first read, from a generator shared with other tests. Draw them now.
        export_weights(&model).unwrap();
        let step = TrainingStep {
            objective: Objective::weighted(&[3.0, 0.5], vec![Penalty::new("classifier", 0.1)]),
            lr: 0.1.into(),
        };
        let (one, _) = {
            let input = uploaders[0].upload(&whole, 0..4);
            step.train(model.clone(), &mut adam(0.0), input, whole.labels.targets(), device)
        };
        let (two, logits) = train(model, &mut adam(0.0), &step, &uploaders, &whole);
        assert_eq!(
            logits.iter().map(|part| part.dims()).collect::<Vec<_>>(),
            [[2, 2], [2, 2]]
        );
        let (one, two) = (export_weights(&one).unwrap(), export_weights(&two).unwrap());
        let (one, two) = (
            SafeTensors::deserialize(&one).unwrap(),
            SafeTensors::deserialize(&two).unwrap(),
        );
        for name in one.names() {
            // Adam's first step is the learning rate times the sign of the gradient. The gradient of a bias before
            // batch norm is only rounding error, so its sign may differ.
            if name.ends_with("conv.bias") {
                continue;
            }
            let [a, b] = [&one, &two].map(|file| {
                let bytes = file.tensor(name).unwrap().data().to_vec();
                bytemuck::pod_collect_to_vec::<u8, f32>(&bytes)
            });
            let differing = a.iter().zip(&b).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
            assert!(differing * 100 <= a.len(), "{name}: {differing} of {} differ", a.len());
        }
    }
}
