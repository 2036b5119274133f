//! Evaluates a model on one set of a split. The probabilities of a track are the mean over its clips, which are at
//! fixed positions, so the result is deterministic.

use crate::data::run_data::RunData;
use crate::evaluation::embeddings::EmbeddingTable;
use crate::loader::{BatchBuffer, BatchSource, Batches, Clips, Excerpt, Labels, Prefetch, Target};
use crate::metrics::{RankingError, ReliabilityCurve, SetReport, Tally};
use crate::models::{Model, ModelInput};
use crate::run::calibration::scaled_logits;
use crate::run::embedding_map::EmbeddingMap;
use crate::run::predictions::{Prediction, Predictions, logits, probabilities};
use crate::step::batch::{self, DeviceFailure};
use crate::step::compute::Compute;
use burn::tensor::Tensor;
use shared::dataset::Task;

/// The result of evaluating a model on a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// One sample per track.
    pub tracks: Tally,
    /// One sample per clip.
    pub clips: Tally,
    /// One row per track. A tag is predicted at a probability of 0.5 or above.
    pub predictions: Predictions,
    /// Where tracks are by their embeddings, if these were collected.
    pub map: Option<EmbeddingMap>,
}

impl Evaluation {
    /// All metrics; see [`Tally::metrics`].
    ///
    /// # Errors
    /// If a tag's score is NaN.
    pub fn report(&self, names: &[String], thresholds: Option<&[f64]>) -> Result<SetReport, RankingError> {
        let has_several_clips = self.clips.samples() > self.tracks.samples();
        let per_clip = has_several_clips.then(|| self.clips.metrics(names, thresholds));
        Ok(SetReport {
            tracks: self.tracks.metrics(names, thresholds)?,
            ece: self.reliability().ece(),
            clips: self.clips.samples(),
            per_clip: per_clip.transpose()?,
        })
    }

    /// Calibration of the tracks' probabilities.
    pub fn reliability(&self) -> ReliabilityCurve {
        self.predictions.reliability(match self.tracks {
            Tally::Classes(_) => Task::SingleLabel,
            Tally::Tags(_) => Task::MultiLabel,
        })
    }
}

/// Runs `forward` on excerpts of `data`, batch by batch in order, and passes each result `[batch, …]`, row by row, to
/// `consume`. Stops at its first error.
pub fn infer<E: From<DeviceFailure>>(
    data: &RunData,
    excerpts: &[Excerpt],
    batch_size: usize,
    prefetch: &mut Prefetch,
    compute: &Compute,
    forward: impl Fn(ModelInput) -> Tensor<2>,
    mut consume: impl FnMut(&BatchBuffer, &[f32]) -> Result<(), E>,
) -> Result<(), E> {
    let source = BatchSource {
        dataset: &data.dataset,
        excerpts,
        features: &data.features,
        target: Target::ModelInput(&data.front_end),
        batches: Batches::new((0..excerpts.len()).collect(), batch_size),
        clips: Clips::Evaluation,
    };
    let uploader = compute.uploader(data);
    let numbers = 0..source.batches.len();
    prefetch.run(&source, numbers, |_, batch, _| {
        let result = batch::to_host(forward(uploader.upload(batch, 0..batch.clips())))?;
        consume(batch, &result)
    })?;
    Ok(())
}

/// Evaluates `model` on `clips`. It must be on `compute.device`, without autodiff, and the clips of a track must be
/// consecutive. `check_stop` is called after each batch; its error ends the evaluation.
pub fn evaluate<E: From<DeviceFailure>>(
    model: &Model,
    data: &RunData,
    clips: &[Excerpt],
    batch_size: usize,
    prefetch: &mut Prefetch,
    compute: &Compute,
    check_stop: impl Fn() -> Result<(), E>,
) -> Result<Evaluation, E> {
    let (task, outputs) = (data.dataset.task(), data.dataset.classes().len());
    let mut clip_tally = Tally::new(task, outputs);
    let mut tracks = TrackMeans::new(task, outputs);
    let forward = |input| model.forward(input);
    infer(data, clips, batch_size, prefetch, compute, forward, |batch, logits| {
        clip_tally.add(logits, batch.labels.view());
        for (&clip, logits) in batch.excerpts.iter().zip(logits.chunks_exact(outputs)) {
            tracks.add(data, clips[clip].position, logits);
        }
        check_stop()
    })?;
    Ok(tracks.evaluation(data, clip_tally))
}

/// The same result from a table with the logits of each clip, which are divided by `temperature`.
pub fn evaluate_logits(data: &RunData, table: &EmbeddingTable, temperature: f64) -> Evaluation {
    let (task, outputs) = (data.dataset.task(), data.dataset.classes().len());
    let mut clip_tally = Tally::new(task, outputs);
    let mut tracks = TrackMeans::new(task, outputs);
    let mut labels = Labels::default();
    for (clip, logits) in table.clips.iter().zip(table.values.chunks_exact(outputs)) {
        let logits = scaled_logits(logits, temperature);
        labels.clear();
        labels.push(&data.dataset, clip.position);
        clip_tally.add(&logits, labels.view());
        tracks.add(data, clip.position, &logits);
    }
    tracks.evaluation(data, clip_tally)
}

/// Averages the probabilities of each track's clips.
struct TrackMeans {
    task: Task,
    tally: Tally,
    predictions: Vec<Prediction>,
    /// The current track, the logits of its last clip, the sum of its probabilities, and its number of clips.
    position: Option<usize>,
    last: Vec<f32>,
    sums: Vec<f64>,
    clips: usize,
}

impl TrackMeans {
    fn new(task: Task, outputs: usize) -> Self {
        Self {
            task,
            tally: Tally::new(task, outputs),
            predictions: Vec::new(),
            position: None,
            last: Vec::new(),
            sums: vec![0.0; outputs],
            clips: 0,
        }
    }

    fn add(&mut self, data: &RunData, position: usize, logits: &[f32]) {
        if self.position != Some(position) {
            self.close(data);
            self.position = Some(position);
        }
        let probabilities = probabilities(self.task, logits);
        self.sums.iter_mut().zip(probabilities).for_each(|(sum, p)| *sum += p);
        self.last.clear();
        self.last.extend_from_slice(logits);
        self.clips += 1;
    }

    /// Adds the current track to the tally.
    fn close(&mut self, data: &RunData) {
        let Some(position) = self.position.take() else { return };
        let logits = match self.clips {
            1 => self.last.clone(),
            clips => logits(self.task, self.sums.iter().map(|sum| sum / clips as f64)),
        };
        let mut labels = Labels::default();
        labels.push(&data.dataset, position);
        self.tally.add(&logits, labels.view());
        let labels = data.dataset.tags(position).collect();
        let track_id = data.dataset.tracks()[position].track_id;
        self.predictions
            .push(Prediction::new(self.task, track_id, labels, &logits));
        self.sums.fill(0.0);
        self.clips = 0;
    }

    fn evaluation(self, data: &RunData, clips: Tally) -> Evaluation {
        let (tracks, predictions) = self.finish(data);
        Evaluation {
            tracks,
            clips,
            predictions: Predictions {
                classes: data.dataset.classes().to_vec(),
                tracks: predictions,
            },
            map: None,
        }
    }

    fn finish(mut self, data: &RunData) -> (Tally, Vec<Prediction>) {
        self.close(data);
        (self.tally, self.predictions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::SetMetrics;
    use crate::models::ModelKind;
    use crate::testing;

    #[test]
    fn track_probabilities_are_the_mean_over_its_clips() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::Cnn2d)).unwrap();
        // Track 0 is Folk, track 1 is Rock.
        let mut tracks = TrackMeans::new(Task::SingleLabel, 2);
        let ln = |p: f64| p.ln() as f32;
        for (position, p) in [(0, 0.9), (0, 0.2), (1, 0.4)] {
            tracks.add(&data, position, &[7.0 + ln(p), 7.0 + ln(1.0 - p)]);
        }
        let (tally, predictions) = tracks.finish(&data);
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
        assert_eq!(ids, [10, 20], "one row per track, not per clip");
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

    #[test]
    fn diverged_model_has_a_non_finite_loss() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::Cnn2d)).unwrap();
        let mut tracks = TrackMeans::new(Task::SingleLabel, 2);
        for logits in [[f32::NAN, 0.0], [1.0, 0.0]] {
            tracks.add(&data, 0, &logits);
        }
        assert!(!tracks.finish(&data).0.loss().is_finite());
    }
}
