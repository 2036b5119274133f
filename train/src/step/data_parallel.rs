//! One training step in parts: each device processes a part of the batch, in micro batches if it is large, and the
//! gradients are summed on the first device.
//!
//! The sum is the gradient of the mean loss over the whole batch. Only batch norm differs, as in PyTorch's
//! `DistributedDataParallel` and with gradient accumulation: each part is normalized with its own mean and variance, and
//! those of the first device's parts update the running statistics. With mixup, the clips of a part are mixed with each
//! other. Weights and gradients are copied from device to device. Burn 0.22's collective operations would overlap these
//! copies with the backward pass, but exist for its GPU backends only and cannot be tested on a CPU. The copies are 2.5 MB
//! a step for the models of paper 1 and 60 MB for VGG16.

use crate::loader::BatchBuffer;
use crate::models::Model;
use crate::step::batch::{TrainingStep, Uploader};
use crate::step::objective::Objective;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use std::ops::Range;
use std::panic::resume_unwind;

/// Like [`TrainingStep::train`], with one part of the batch for each of `uploaders`, each in micro batches. `model` must
/// be on the first one's device. Returns the logits of the parts in the order of the batch.
pub fn train(
    model: Model,
    optimizer: &mut ModuleOptimizer,
    step: &TrainingStep,
    uploaders: &[Uploader<'_>],
    batch: &BatchBuffer,
    factor: f64,
) -> (Model, Vec<Tensor<2>>) {
    let of_devices = parts(batch.clips(), uploaders.len());
    let micro: Vec<_> = of_devices
        .iter()
        .map(|part| micro_batches(part, step.micro_batch_size))
        .collect();
    let all = micro.concat();
    let work: Vec<_> = uploaders.iter().zip(&micro).collect();
    let [(first, first_parts), others @ ..] = work.as_slice() else {
        unreachable!("a run has a device and a batch has clips");
    };
    // The penalty is added once per batch, not once per part.
    let unpenalized = step.objective.without_penalties();
    let (mut total, logits) = std::thread::scope(|scope| {
        let running: Vec<_> = others
            .iter()
            .map(|(uploader, parts)| {
                let replica = model.clone().fork(uploader.device);
                let (objectives, all) = ([&unpenalized; 2], &all);
                scope.spawn(move || gradients(&replica, objectives, uploader, batch, (parts, all)))
            })
            .collect();
        // The first part runs in this thread, because Burn keeps batch norm's running statistics per thread.
        let objectives = [&step.objective, &unpenalized];
        let (mut total, mut logits) = gradients(&model, objectives, first, batch, (first_parts, &all));
        for thread in running {
            let (mut gradients, part_logits) = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            total.accumulate(
                &model,
                gradients
                    .grads()
                    .to_device(&first.device.clone().without_autodiff(), &model),
            );
            logits.extend(part_logits);
        }
        (total, logits)
    });
    let gradients = total.grads();
    (step.update(model, optimizer, gradients, factor), logits)
}

/// The summed gradients of `parts`, each weighted by its fraction of the loss of `all` parts of the batch, and the logits
/// of each part. The first objective is for the first part, the second for the others.
fn gradients(
    model: &Model,
    [first, others]: [&Objective; 2],
    uploader: &Uploader<'_>,
    batch: &BatchBuffer,
    (parts, all): (&[Range<usize>], &[Range<usize>]),
) -> (GradientsAccumulator<Model>, Vec<Tensor<2>>) {
    let (mut total, mut all_logits) = (GradientsAccumulator::new(), Vec::new());
    for (at, part) in parts.iter().enumerate() {
        let objective = if at == 0 { first } else { others };
        let logits = model.forward(uploader.upload(batch, part.clone()));
        let targets = |part: &Range<usize>| batch.labels.part(part.clone(), logits.dims()[1]);
        let mass: f64 = all.iter().map(|part| objective.mass(targets(part))).sum();
        let fraction = objective.mass(targets(part)) / mass;
        let loss = objective.loss(logits.clone(), targets(part), uploader.device) * fraction;
        let loss = objective.with_penalty(loss, model);
        total.accumulate(model, GradientsParams::from_grads(loss.backward(), model));
        // Without the graph, whose activations would stay in memory.
        all_logits.push(logits.detach());
    }
    (total, all_logits)
}

/// Splits a device's part of the batch into parts of nearly equal size, at most `size`.
fn micro_batches(part: &Range<usize>, size: Option<usize>) -> Vec<Range<usize>> {
    let count = size.map_or(1, |size| part.len().div_ceil(size));
    let micro = parts(part.len(), count).into_iter();
    micro
        .map(|micro| part.start + micro.start..part.start + micro.end)
        .collect()
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
    use crate::loader::{Labels, LabelsView};
    use crate::models::Penalty;
    use crate::models::{Blueprint, ModelKind, export_weights};
    use crate::settings::Settings;
    use crate::step::compute::Compute;
    use crate::step::optimization::adam;
    use crate::testing;
    use crate::training::epoch_source::epoch_source;
    use burn::optim::SgdConfig;
    use burn::tensor::{Device, FloatDType};
    use safetensors::SafeTensors;

    /// The parameters of `model`, one after the other in the order of their names.
    fn values(model: &Model) -> Vec<f32> {
        let bytes = export_weights(model).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors = file.tensors();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        let values = tensors
            .iter()
            .flat_map(|(_, tensor)| bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data()));
        values.collect()
    }

    /// A model without batch norm, so parts give the gradient of the whole batch.
    #[test]
    fn micro_batches_take_the_step_of_the_whole_batch() {
        let device = Device::flex().autodiff();
        let description = ModelKind::MfccDense.description();
        let (shape, classes, clips) = (description.usual_shape, 3, 7);
        let blueprint = Blueprint {
            shape,
            classes,
            dropout: 0.0,
        };
        let model = ModelKind::MfccDense.init(&blueprint, &device);
        let before = values(&model);
        let uploader = Uploader {
            input: description.input,
            shape: &shape,
            front_end: None,
            dtype: FloatDType::F32,
            device: &device,
        };
        let tags: Vec<f32> = (0..clips * classes)
            .map(|at| f32::from(u8::from(at % 4 == 0)))
            .collect();
        let weighted = || Objective::weighted(&[3.0, 0.5, 1.5], vec![Penalty::new("linear1", 0.1)]);
        for (labels, objective) in [
            (LabelsView::Classes(&[0, 2, 1, 1, 0, 2, 2]), weighted()),
            (LabelsView::Classes(&[0, 2, 1, 1, 0, 2, 2]), Objective::plain()),
            (LabelsView::Tags(&tags), weighted()),
        ] {
            let batch = BatchBuffer {
                excerpts: (0..clips).collect(),
                statistics: (0..clips * shape.statistics)
                    .map(|at| (at as f32 * 0.7).sin() * 1.4)
                    .collect(),
                labels: labels.into(),
                ..BatchBuffer::default()
            };
            let step = |micro_batch_size, devices| {
                let step = TrainingStep {
                    objective: objective.clone(),
                    micro_batch_size,
                    ..TrainingStep::plain(1.0)
                };
                // Plain gradient descent: the change is the gradient.
                let mut optimizer = SgdConfig::new().init();
                let uploaders = vec![uploader; devices];
                let (after, logits) = train(model.clone(), &mut optimizer, &step, &uploaders, &batch, 1.0);
                let change: Vec<f32> = before.iter().zip(values(&after)).map(|(a, b)| a - b).collect();
                let clips: Vec<usize> = logits.iter().map(|part| part.dims()[0]).collect();
                (change, clips)
            };
            let (whole, clips) = step(None, 1);
            assert_eq!(clips, [7]);
            assert!(whole.iter().any(|change| change.abs() > 0.01));
            for (micro, devices, expected) in [
                (Some(1), 1, vec![1; 7]),
                (Some(3), 1, vec![3, 3, 1]),
                (Some(4), 1, vec![4, 3]),
                (Some(3), 2, vec![2, 2, 3]),
                (None, 2, vec![4, 3]),
            ] {
                let (parts, clips) = step(micro, devices);
                assert_eq!(clips, expected);
                let differences = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs());
                let worst = differences.fold(0.0, f32::max);
                assert!(worst < 1e-5, "{micro:?} on {devices} devices: {worst}");
            }
        }
    }

    #[test]
    fn parts_cover_the_batch_in_order() {
        assert_eq!(parts(8, 2), [0..4, 4..8]);
        assert_eq!(parts(5, 3), [0..2, 2..4, 4..5]);
        assert_eq!(parts(2, 4), [0..1, 1..2]);
        assert_eq!(micro_batches(&(4..12), Some(3)), [4..7, 7..10, 10..12]);
        assert_eq!(micro_batches(&(4..6), Some(3)), [Range { start: 4, end: 6 }]);
        assert_eq!(micro_batches(&(4..6), None), [Range { start: 4, end: 6 }]);
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
        whole.waveform = [&*half.waveform; 2].concat().into();

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
            ..TrainingStep::plain(0.1)
        };
        let (one, _) = {
            let input = uploaders[0].upload(&whole, 0..4);
            step.train(
                model.clone(),
                &mut adam(0.0),
                input,
                whole.labels.targets(),
                device,
                1.0,
            )
        };
        let (two, logits) = train(model, &mut adam(0.0), &step, &uploaders, &whole, 1.0);
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
