//! The files that evaluating a set writes in addition to its part of `metrics.json`.

use crate::run::directory::{RunDirectory, RunError};
use crate::run::embedding_map::embedding_map_file;
use crate::run::predictions::predictions_file;
use shared::dataset::Task;
use shared::dataset::split::Set;

/// File names of a set's table and picture: the confusion matrix (single-label), or metrics per tag and ranking curves
/// (multi-label). The names of the test set have no suffix.
pub fn set_files(set: Set, task: Task) -> (&'static str, &'static str) {
    match (task, set) {
        (Task::SingleLabel, Set::Train) => ("confusion-train.csv", "confusion-train.svg"),
        (Task::SingleLabel, Set::Val) => ("confusion-val.csv", "confusion-val.svg"),
        (Task::SingleLabel, Set::Test) => ("confusion.csv", "confusion.svg"),
        (Task::MultiLabel, Set::Train) => ("tags-train.csv", "ranking-train.svg"),
        (Task::MultiLabel, Set::Val) => ("tags-val.csv", "ranking-val.svg"),
        (Task::MultiLabel, Set::Test) => ("tags.csv", "ranking.svg"),
    }
}

/// Every file that evaluating a set may write. They belong to the evaluated weights and are removed when better weights
/// replace these.
fn files_of_set(set: Set) -> [&'static str; 6] {
    let (confusion, matrix) = set_files(set, Task::SingleLabel);
    let (tags, ranking) = set_files(set, Task::MultiLabel);
    [
        predictions_file(set),
        embedding_map_file(set),
        confusion,
        matrix,
        tags,
        ranking,
    ]
}

/// Removes the files of all evaluated sets, except `metrics.json`.
pub fn remove_sets(run: &RunDirectory) -> Result<(), RunError> {
    Set::ALL
        .into_iter()
        .flat_map(files_of_set)
        .try_for_each(|file| run.remove(file))
}

/// A set's name in prose.
pub(super) fn set_name(set: Set) -> &'static str {
    match set {
        Set::Train => "training",
        Set::Val => "validation",
        Set::Test => "test",
    }
}
