//! The labels of a batch.

use shared::dataset::{Dataset, Task};
use std::ops::Range;

/// Classes of a single-label batch or tags of a multi-label batch. The other is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    classes: Vec<usize>,
    tags: Vec<f32>,
    /// With mixup, the fraction of each clip itself in its mixture; otherwise empty.
    lambdas: Vec<f32>,
}

/// The labels of some clips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelsView<'a> {
    Classes(&'a [usize]),
    /// `[clips, tags]`, 1 if the clip has the tag, else 0.
    Tags(&'a [f32]),
}

#[cfg(test)]
impl From<LabelsView<'_>> for Labels {
    fn from(labels: LabelsView<'_>) -> Self {
        let mut copy = Self::default();
        match labels {
            LabelsView::Classes(classes) => copy.classes.extend_from_slice(classes),
            LabelsView::Tags(tags) => copy.tags.extend_from_slice(tags),
        }
        copy
    }
}

/// What a model is trained to predict: the labels of some clips, or with mixup the labels of their mixtures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets<'a> {
    /// Each clip's own labels.
    pub labels: LabelsView<'a>,
    /// As [`Labels::lambdas`]; empty without mixup.
    pub lambdas: &'a [f32],
}

impl<'a> From<LabelsView<'a>> for Targets<'a> {
    /// Without mixup.
    fn from(labels: LabelsView<'a>) -> Self {
        Self { labels, lambdas: &[] }
    }
}

impl Targets<'_> {
    /// The fraction of clip `at` in its mixture, and the clip that it is mixed with: the next one, for the last one the
    /// first.
    pub fn mixture(&self, at: usize) -> (f32, usize) {
        match self.lambdas {
            [] => (1.0, at),
            lambdas => (lambdas[at], (at + 1) % lambdas.len()),
        }
    }
}

impl Labels {
    /// Removes all labels and keeps the memory.
    pub fn clear(&mut self) {
        self.classes.clear();
        self.tags.clear();
        self.lambdas.clear();
    }

    /// Appends a track's labels.
    ///
    /// # Panics
    /// Panics if a track of a single-label data set does not have exactly one label.
    pub fn push(&mut self, dataset: &Dataset, position: usize) {
        match dataset.task() {
            Task::SingleLabel => {
                let class = dataset.class(position);
                self.classes
                    .push(class.expect("every track of the run's split has exactly one class"));
            }
            Task::MultiLabel => {
                let begin = self.tags.len();
                self.tags.resize(begin + dataset.classes().len(), 0.0);
                for tag in dataset.tags(position) {
                    self.tags[begin + tag] = 1.0;
                }
            }
        }
    }

    /// Appends a clip's fraction of its mixture. With mixup, every clip has one.
    pub fn push_lambda(&mut self, lambda: f32) {
        self.lambdas.push(lambda);
    }

    pub fn extend(&mut self, other: &Self) {
        self.classes.extend_from_slice(&other.classes);
        self.tags.extend_from_slice(&other.tags);
        self.lambdas.extend_from_slice(&other.lambdas);
    }

    pub fn view(&self) -> LabelsView<'_> {
        if self.tags.is_empty() {
            LabelsView::Classes(&self.classes)
        } else {
            LabelsView::Tags(&self.tags)
        }
    }

    /// Training targets of all clips.
    pub fn targets(&self) -> Targets<'_> {
        Targets {
            labels: self.view(),
            lambdas: self.lambdas(0..self.lambdas.len()),
        }
    }

    /// Training targets of the clips in `part`, for a model with `outputs` outputs.
    pub fn part(&self, part: Range<usize>, outputs: usize) -> Targets<'_> {
        let lambdas = self.lambdas(part.clone());
        let labels = match self.view() {
            LabelsView::Classes(classes) => LabelsView::Classes(&classes[part]),
            LabelsView::Tags(tags) => LabelsView::Tags(&tags[part.start * outputs..part.end * outputs]),
        };
        Targets { labels, lambdas }
    }

    /// The fraction of each clip of `part` in its mixture with the next clip of the part. Empty without mixup and for a
    /// single clip, which is mixed with no other.
    pub fn lambdas(&self, part: Range<usize>) -> &[f32] {
        if self.lambdas.is_empty() || part.len() < 2 {
            &[]
        } else {
            &self.lambdas[part]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_mixed_within_their_part_of_the_batch() {
        let labels = Labels {
            classes: vec![3, 1, 4, 1, 5],
            lambdas: vec![0.9, 0.8, 0.7, 0.6, 0.5],
            ..Labels::default()
        };
        let part = labels.part(1..4, 6);
        assert_eq!(part.labels, LabelsView::Classes(&[1, 4, 1]));
        let mixtures = [0, 1, 2].map(|at| part.mixture(at));
        assert_eq!(mixtures, [(0.8, 1), (0.7, 2), (0.6, 0)]);
        // A single clip stays as it is.
        let single = labels.part(4..5, 6);
        assert_eq!((single.lambdas.len(), single.mixture(0)), (0, (1.0, 0)));
        assert_eq!(Targets::from(labels.view()).mixture(2), (1.0, 2));
        assert_eq!(labels.targets().mixture(4), (0.5, 0));
    }
}
