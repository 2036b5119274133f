//! The labels of a batch.

use shared::dataset::{Dataset, Task};
use std::ops::Range;

/// Classes of a single-label batch or tags of a multi-label batch. The other is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    classes: Vec<usize>,
    tags: Vec<f32>,
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

impl Labels {
    /// Removes all labels and keeps the memory.
    pub fn clear(&mut self) {
        self.classes.clear();
        self.tags.clear();
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

    pub fn extend(&mut self, other: &Self) {
        self.classes.extend_from_slice(&other.classes);
        self.tags.extend_from_slice(&other.tags);
    }

    pub fn view(&self) -> LabelsView<'_> {
        if self.tags.is_empty() {
            LabelsView::Classes(&self.classes)
        } else {
            LabelsView::Tags(&self.tags)
        }
    }

    /// Labels of the clips in `part`, for a model with `outputs` outputs.
    pub fn part(&self, part: Range<usize>, outputs: usize) -> LabelsView<'_> {
        match self.view() {
            LabelsView::Classes(classes) => LabelsView::Classes(&classes[part]),
            LabelsView::Tags(tags) => LabelsView::Tags(&tags[part.start * outputs..part.end * outputs]),
        }
    }
}
