//! What is true of the clips of a batch.

use shared::dataset::{Dataset, Task};
use std::ops::Range;

/// The classes of a batch's clips, or their tags: one of the two is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    classes: Vec<usize>,
    tags: Vec<f32>,
}

/// The labels of some clips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelsView<'a> {
    Classes(&'a [usize]),
    /// `[clips, tags]`, 1 where the tag is there and 0 where it is not.
    Tags(&'a [f32]),
}

impl Labels {
    /// Forgets all; keeps the memory.
    pub fn clear(&mut self) {
        self.classes.clear();
        self.tags.clear();
    }

    /// Appends a track's labels.
    ///
    /// # Panics
    /// When a track of a single-label data set has not exactly one.
    pub fn push(&mut self, dataset: &Dataset, position: usize) {
        match dataset.task() {
            Task::SingleLabel => {
                let class = dataset.class(position);
                self.classes
                    .push(class.expect("the run was refused if a track of its split has no single class"));
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

    /// Those of the clips `part`, of a model with `outputs` outputs.
    pub fn part(&self, part: Range<usize>, outputs: usize) -> LabelsView<'_> {
        match self.view() {
            LabelsView::Classes(classes) => LabelsView::Classes(&classes[part]),
            LabelsView::Tags(tags) => LabelsView::Tags(&tags[part.start * outputs..part.end * outputs]),
        }
    }
}
