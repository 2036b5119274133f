//! Judges a model on one set of a split: clips from the middle of its tracks, or all their frames; nothing is drawn at
//! random.

use crate::compute::Compute;
use crate::loader::{BatchBuffer, BatchSource, Batches, Clips, Labels, Prefetch, Target};
use crate::metrics::{RankingError, SetReport, Tally};
use crate::models::{Model, ModelInput};
use crate::predictions::{Prediction, Predictions, probabilities};
use crate::run_data::RunData;
use crate::step::{self, DeviceFailure};
use burn::tensor::Tensor;
use shared::dataset::Task;

/// What a model makes of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// One judgement a track.
    pub tracks: Tally,
    /// One a frame, where tracks were cut into several.
    pub frames: Option<Tally>,
    /// What became of each track, a tag being predicted from a probability of 0.5 on.
    pub predictions: Predictions,
}

impl Judgement {
    /// All figures; see [`Tally::metrics`].
    ///
    /// # Errors
    /// When a tag's score is not a number.
    pub fn report(&self, names: &[String], thresholds: Option<&[f64]>) -> Result<SetReport, RankingError> {
        let frames = self.frames.as_ref();
        Ok(SetReport {
            tracks: self.tracks.metrics(names, thresholds)?,
            frames: frames.map(|frames| frames.metrics(names, thresholds)).transpose()?,
        })
    }
}

/// Runs `forward` over excerpts of `data`, batch by batch and in their order, and hands its result, `[batch, …]` row by
/// row, to `consume`. Stops at its first error.
pub fn infer<E: From<DeviceFailure>>(
    data: &RunData,
    excerpts: &[usize],
    batch_size: usize,
    prefetch: &mut Prefetch,
    compute: &Compute,
    forward: impl Fn(ModelInput) -> Tensor<2>,
    mut consume: impl FnMut(&BatchBuffer, &[f32]) -> Result<(), E>,
) -> Result<(), E> {
    let source = BatchSource {
        dataset: &data.dataset,
        excerpts: &data.excerpts,
        features: &data.features,
        target: Target::ModelInput(&data.front_end),
        batches: Batches::new(excerpts.to_vec(), batch_size),
        clips: Clips::Centre,
    };
    let uploader = compute.uploader(data);
    let numbers = 0..source.batches.len();
    prefetch.run(&source, numbers, |_, batch, _| {
        let result = step::to_host(forward(uploader.upload(batch, 0..batch.clips())))?;
        consume(batch, &result)
    })?;
    Ok(())
}

/// Runs `model`, which must be on `compute.device` and not on its autodiff twin, over excerpts of `data`, those of a track
/// side by side. `keep_on` is asked after each batch; its error ends the work.
pub fn evaluate<E: From<DeviceFailure>>(
    model: &Model,
    data: &RunData,
    excerpts: &[usize],
    batch_size: usize,
    prefetch: &mut Prefetch,
    compute: &Compute,
    keep_on: impl Fn() -> Result<(), E>,
) -> Result<Judgement, E> {
    let (task, outputs) = (data.dataset.task(), data.dataset.classes().len());
    let framed = data.excerpts.first().is_some_and(|excerpt| excerpt.frame.is_some());
    let mut all = Tally::new(task, outputs);
    let mut songs = framed.then(|| Songs::new(task, outputs));
    let mut predictions = Predictions::new(data.dataset.classes().to_vec());
    let forward = |input| model.forward(input);
    infer(
        data,
        excerpts,
        batch_size,
        prefetch,
        compute,
        forward,
        |batch, logits| {
            all.add(logits, batch.labels.view());
            for (&excerpt, logits) in batch.excerpts.iter().zip(logits.chunks_exact(outputs)) {
                let position = data.excerpts[excerpt].position;
                match &mut songs {
                    Some(songs) => songs.add(data, position, logits),
                    None => predictions.tracks.push(prediction(data, position, logits)),
                }
            }
            keep_on()
        },
    )?;
    Ok(match songs {
        None => Judgement {
            tracks: all,
            frames: None,
            predictions,
        },
        Some(songs) => {
            let (tracks, of_songs) = songs.finish(data);
            predictions.tracks = of_songs;
            Judgement {
                tracks,
                frames: Some(all),
                predictions,
            }
        }
    })
}

/// A track's row of `predictions.csv`.
fn prediction(data: &RunData, position: usize, logits: &[f32]) -> Prediction {
    let labels = data.dataset.tags(position).collect();
    let track_id = data.dataset.tracks()[position].track_id;
    Prediction::new(data.dataset.task(), track_id, labels, logits)
}

/// Averages the probabilities of each track's frames.
struct Songs {
    task: Task,
    tally: Tally,
    predictions: Vec<Prediction>,
    /// The track under way, the sum of its probabilities, and how many there are.
    position: Option<usize>,
    sums: Vec<f64>,
    frames: usize,
}

impl Songs {
    fn new(task: Task, outputs: usize) -> Self {
        Self {
            task,
            tally: Tally::new(task, outputs),
            predictions: Vec::new(),
            position: None,
            sums: vec![0.0; outputs],
            frames: 0,
        }
    }

    fn add(&mut self, data: &RunData, position: usize, logits: &[f32]) {
        if self.position != Some(position) {
            self.close(data);
            self.position = Some(position);
        }
        let probabilities = probabilities(self.task, logits);
        self.sums.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += p);
        self.frames += 1;
    }

    /// Enters the track under way into the tally: the logarithms of mean probabilities are logits of these.
    fn close(&mut self, data: &RunData) {
        let Some(position) = self.position.take() else { return };
        // Below the least positive f32 a probability would have an infinite logarithm.
        let mean = |sum: &f64| (sum / self.frames as f64).max(f64::from(f32::MIN_POSITIVE));
        let logits: Vec<f32> = match self.task {
            Task::SingleLabel => self.sums.iter().map(|sum| mean(sum).ln() as f32).collect(),
            Task::MultiLabel => {
                let logit = |p: f64| (p / (1.0 - p).max(f64::from(f32::MIN_POSITIVE))).ln() as f32;
                self.sums.iter().map(|sum| logit(mean(sum))).collect()
            }
        };
        let mut labels = Labels::default();
        labels.push(&data.dataset, position);
        self.tally.add(&logits, labels.view());
        self.predictions.push(prediction(data, position, &logits));
        self.sums.fill(0.0);
        self.frames = 0;
    }

    fn finish(mut self, data: &RunData) -> (Tally, Vec<Prediction>) {
        self.close(data);
        (self.tally, self.predictions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunConfig;
    use crate::metrics::SetMetrics;
    use crate::models::ModelKind;
    use crate::testing;

    #[test]
    fn a_songs_scores_are_the_mean_of_its_frames() {
        let root = testing::dataset();
        let config = RunConfig {
            frame_seconds: Some(5.0),
            ..testing::config(root.path(), ModelKind::Cnn2d)
        };
        let data = RunData::open(&config).unwrap();
        // Track 0 is Folk, track 1 is Rock.
        let mut songs = Songs::new(Task::SingleLabel, 2);
        let ln = |p: f64| p.ln() as f32;
        for (position, p) in [(0, 0.9), (0, 0.2), (1, 0.4)] {
            songs.add(&data, position, &[7.0 + ln(p), 7.0 + ln(1.0 - p)]);
        }
        let (tally, predictions) = songs.finish(&data);
        let SetMetrics::Classes(metrics) = tally.metrics(&["Folk", "Rock"].map(String::from), None).unwrap() else {
            unreachable!()
        };
        // (0.9 + 0.2) / 2 for the first, 0.6 for the second.
        assert_eq!((metrics.samples, metrics.top1), (2, 1.0));
        assert!(
            (metrics.loss + (0.55f64.ln() + 0.6f64.ln()) / 2.0).abs() < 1e-6,
            "{}",
            metrics.loss
        );
        let ids: Vec<_> = predictions.iter().map(|track| track.track_id).collect();
        assert_eq!(ids, [10, 20], "a row per track, not per frame");
        let folk: Vec<_> = predictions.iter().map(|track| track.probabilities[0]).collect();
        assert!(
            (folk[0] - 0.55).abs() < 1e-6 && (folk[1] - 0.4).abs() < 1e-6,
            "{folk:?}"
        );
        assert_eq!(
            (&predictions[1].labels[..], &predictions[1].predicted[..]),
            (&[1][..], &[1][..])
        );
    }
}
