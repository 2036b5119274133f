//! Temperature scaling, Guo et al. (2017): divides all logits by the one number that gives the validation set the
//! lowest loss.
//!
//! The loss is that of the tracks' probabilities, which are means over clips, as evaluations compute it.

use crate::classical::golden_section;
use crate::data::run_data::RunData;
use crate::evaluation::embeddings::EmbeddingTable;
use crate::run::calibration::TEMPERATURE_RANGE;
use shared::dataset::Task;

/// Steps of equal ratio between the lowest and the highest temperature. The mean over clips can have several minima, so
/// the search starts at the best of these. Even, so 1 is one of them.
const GRID: usize = 46;
/// A minimum nearer to an end of the range, as a ratio, is at the end.
const AT_END: f64 = 1e-3;

/// A set to which no temperature can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemperatureError {
    #[error("the validation set has no tracks")]
    NoTracks,
    #[error("the loss of the validation set is not finite; train with a lower --lr")]
    NotFinite,
    /// Also of logits that are all 0.
    #[error(
        "the loss of the validation set is lowest at the smallest temperature, {}, as if all its tracks are predicted \
         correctly; use a larger validation set",
        TEMPERATURE_RANGE[0]
    )]
    Lowest,
    #[error(
        "the loss of the validation set is lowest at the largest temperature, {}, as if guessing is better than the model; \
         train it for more epochs",
        TEMPERATURE_RANGE[1]
    )]
    Highest,
}

/// The logits of the clips of labelled tracks.
#[derive(Clone, Debug)]
pub struct LabelledLogits {
    task: Task,
    outputs: usize,
    tracks: Vec<Track>,
}

#[derive(Clone, Debug)]
struct Track {
    /// The class, or the tags.
    labels: Vec<usize>,
    /// `[clips, outputs]`, row by row.
    logits: Vec<f32>,
}

impl LabelledLogits {
    /// Of a table with the logits of each clip.
    pub fn new(data: &RunData, table: &EmbeddingTable) -> Self {
        let outputs = data.dataset.classes().len();
        let mut rows = table.values.as_slice();
        let track = |clips: &[crate::loader::Excerpt]| {
            let logits;
            (logits, rows) = rows.split_at(clips.len() * outputs);
            Track {
                labels: data.dataset.tags(clips[0].position).collect(),
                logits: logits.to_vec(),
            }
        };
        let tracks = table.clips.chunk_by(|a, b| a.position == b.position).map(track);
        Self {
            task: data.dataset.task(),
            outputs,
            tracks: tracks.collect(),
        }
    }

    /// Mean loss per track, or per track and tag if multi-label, of the logits divided by `temperature`.
    pub fn loss(&self, temperature: f64) -> f64 {
        let per_track = match self.task {
            Task::SingleLabel => 1,
            Task::MultiLabel => self.outputs,
        };
        let sum: f64 = self
            .tracks
            .iter()
            .map(|track| self.track_loss(track, temperature))
            .sum();
        sum / (self.tracks.len() * per_track) as f64
    }

    /// In logarithms, because probabilities of low temperatures underflow.
    fn track_loss(&self, track: &Track, temperature: f64) -> f64 {
        let scaled = |logit: f32| f64::from(logit) / temperature;
        match self.task {
            Task::SingleLabel => {
                let class = track.labels[0];
                let log_softmax = |row: &[f32]| {
                    let highest = scaled(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
                    let sum: f64 = row.iter().map(|&logit| (scaled(logit) - highest).exp()).sum();
                    scaled(row[class]) - highest - sum.ln()
                };
                -log_mean_exp(track.logits.chunks_exact(self.outputs).map(log_softmax))
            }
            Task::MultiLabel => {
                let of_tag = |tag: usize| {
                    let sign = if track.labels.contains(&tag) { 1.0 } else { -1.0 };
                    let log_sigmoid = |&logit: &f32| {
                        let signed = sign * scaled(logit);
                        signed.min(0.0) - (-signed.abs()).exp().ln_1p()
                    };
                    -log_mean_exp(track.logits.iter().skip(tag).step_by(self.outputs).map(log_sigmoid))
                };
                (0..self.outputs).map(of_tag).sum()
            }
        }
    }

    /// The temperature with the lowest loss: the best of a grid, then golden-section search around it.
    ///
    /// # Errors
    /// If the loss is lowest at an end of [`TEMPERATURE_RANGE`], or is not finite.
    pub fn fit(&self) -> Result<f64, TemperatureError> {
        if self.tracks.is_empty() {
            return Err(TemperatureError::NoTracks);
        }
        let [low, high] = TEMPERATURE_RANGE.map(f64::ln);
        let place = |at: usize| low + (high - low) * at as f64 / GRID as f64;
        let loss = |log: f64| self.loss(log.exp());
        let losses: Vec<f64> = (0..=GRID).map(|at| loss(place(at))).collect();
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Err(TemperatureError::NotFinite);
        }
        let lower = |best: usize, at: usize| if losses[at] < losses[best] { at } else { best };
        let best = (0..=GRID).fold(0, lower);
        let found = golden_section([place(best.saturating_sub(1)), place((best + 1).min(GRID))], loss);
        // The loss may be 0 in a whole part of the range.
        let is_better = |end: usize| loss(found) < losses[end];
        if found - low < AT_END || (best == 0 && !is_better(0)) {
            return Err(TemperatureError::Lowest);
        }
        if high - found < AT_END || (best == GRID && !is_better(GRID)) {
            return Err(TemperatureError::Highest);
        }
        Ok(found.exp())
    }
}

/// The logarithm of the mean of the exponentials.
fn log_mean_exp(logs: impl Iterator<Item = f64>) -> f64 {
    let (mut highest, mut sum, mut count) = (f64::NEG_INFINITY, 0.0, 0u64);
    for log in logs {
        if log > highest {
            sum = sum * (highest - log).exp() + 1.0;
            highest = log;
        } else {
            sum += (log - highest).exp();
        }
        count += 1;
    }
    highest + (sum / count as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use shared::runtime::rng::{Purpose, stream};

    /// Tracks whose labels are drawn with the probabilities of logits, which are then multiplied by `factor`. All clips
    /// of a track have the same logits.
    fn drawn(task: Task, outputs: usize, clips: usize, factor: f32) -> LabelledLogits {
        let mut random = stream(7, 0, 0, Purpose::Shuffle);
        let track = |_| {
            let logits: Vec<f32> = (0..outputs).map(|_| random.random_range(-2.0..2.0)).collect();
            let labels = match task {
                Task::SingleLabel => {
                    let total: f32 = logits.iter().map(|logit| logit.exp()).sum();
                    let mut left = random.random_range(0.0..total);
                    let reached = |&class: &usize| {
                        left -= logits[class].exp();
                        left <= 0.0
                    };
                    vec![(0..outputs).find(reached).unwrap_or(outputs - 1)]
                }
                Task::MultiLabel => {
                    let is_present = |&tag: &usize| random.random_range(0.0..1.0) < 1.0 / (1.0 + (-logits[tag]).exp());
                    (0..outputs).filter(is_present).collect()
                }
            };
            let scaled: Vec<f32> = logits.iter().map(|logit| logit * factor).collect();
            Track {
                labels,
                logits: scaled.repeat(clips),
            }
        };
        LabelledLogits {
            task,
            outputs,
            tracks: (0..20_000).map(track).collect(),
        }
    }

    fn few(task: Task, rows: &[(&[usize], &[f32])]) -> LabelledLogits {
        let track = |&(labels, logits): &(&[usize], &[f32])| Track {
            labels: labels.into(),
            logits: logits.into(),
        };
        LabelledLogits {
            task,
            outputs: 2,
            tracks: rows.iter().map(track).collect(),
        }
    }

    #[test]
    fn a_known_temperature_is_recovered() {
        for task in [Task::SingleLabel, Task::MultiLabel] {
            for (factor, clips) in [(0.3, 1), (1.0, 2), (8.0, 3)] {
                let logits = drawn(task, 4, clips, factor);
                let found = logits.fit().unwrap();
                // Twenty thousand drawn labels determine it to about two percent.
                assert!(
                    (found / f64::from(factor) - 1.0).abs() < 0.05,
                    "{task:?} {factor}: {found}"
                );
                for other in [0.99, 1.01] {
                    assert!(logits.loss(found) < logits.loss(found * other), "{task:?} {factor}");
                }
            }
        }
    }

    #[test]
    fn loss_is_that_of_the_mean_over_clips() {
        let logits = few(
            Task::SingleLabel,
            &[(&[0], &[2.0, 0.0, -1.0, 1.0]), (&[1], &[0.5, 1.5])],
        );
        // -mean(log([mean(softmax([2, 0] / 2)[0], softmax([-1, 1] / 2)[0]), softmax([.5, 1.5] / 2)[1]]))
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let expected = -(f64::midpoint(sigmoid(1.0), sigmoid(-1.0)).ln() + sigmoid(0.5).ln()) / 2.0;
        assert!((logits.loss(2.0) - expected).abs() < 1e-12);
        let logits = few(Task::MultiLabel, &[(&[1], &[2.0, 0.0, -1.0, 1.0])]);
        let expected = -((1.0 - f64::midpoint(sigmoid(1.0), sigmoid(-0.5))).ln()
            + f64::midpoint(sigmoid(0.0), sigmoid(0.5)).ln())
            / 2.0;
        assert!((logits.loss(2.0) - expected).abs() < 1e-12);
    }

    #[test]
    fn sets_without_a_best_temperature_are_refused() {
        let right = few(Task::SingleLabel, &[(&[0], &[2.0, 0.0]), (&[1], &[-1.0, 1.0])]);
        assert_eq!(right.fit(), Err(TemperatureError::Lowest));
        let wrong = few(Task::SingleLabel, &[(&[1], &[2.0, 0.0]), (&[0], &[-1.0, 1.0])]);
        assert_eq!(wrong.fit(), Err(TemperatureError::Highest));
        let diverged = few(Task::MultiLabel, &[(&[1], &[f32::NAN, 0.0])]);
        assert_eq!(diverged.fit(), Err(TemperatureError::NotFinite));
        assert_eq!(few(Task::MultiLabel, &[]).fit(), Err(TemperatureError::NoTracks));
    }
}
