//! `evaluations.csv`: which epochs' weights were evaluated on which set. A test set that is used to choose among epochs
//! is a validation set.

use crate::run::directory::{RunDirectory, RunError};
use serde::{Deserialize, Serialize};
use shared::dataset::split::Set;

/// The file in a run.
pub const EVALUATIONS_FILE: &str = "evaluations.csv";

/// One evaluation of an epoch's weights. Repeating it gives the same metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatedEpoch {
    pub set: Set,
    /// The epoch, counted from 1.
    pub best_epoch: usize,
}

/// All evaluations of a run, oldest first.
pub fn read(run: &RunDirectory) -> Result<Vec<EvaluatedEpoch>, RunError> {
    let Some(bytes) = run.read(EVALUATIONS_FILE)? else {
        return Ok(Vec::new());
    };
    let rows: Result<Vec<EvaluatedEpoch>, csv::Error> =
        csv::Reader::from_reader(&bytes[..]).into_deserialize().collect();
    rows.map_err(|error| RunError::Damaged {
        path: run.path(EVALUATIONS_FILE),
        detail: error.to_string(),
    })
}

/// Adds an evaluation to the file, unless it is already there.
pub fn note(run: &RunDirectory, evaluation: EvaluatedEpoch) -> Result<(), RunError> {
    let mut evaluations = read(run)?;
    if evaluations.contains(&evaluation) {
        return Ok(());
    }
    evaluations.push(evaluation);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for evaluation in &evaluations {
        writer.serialize(evaluation).expect("writing into memory cannot fail");
    }
    run.write(
        EVALUATIONS_FILE,
        &writer.into_inner().expect("writing into memory cannot fail"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_evaluation_is_recorded_once() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        assert_eq!(read(&run).unwrap(), []);
        let evaluated = |set, best_epoch| EvaluatedEpoch { set, best_epoch };
        for (set, epoch) in [(Set::Test, 3), (Set::Test, 3), (Set::Train, 3), (Set::Test, 8)] {
            note(&run, evaluated(set, epoch)).unwrap();
        }
        assert_eq!(
            read(&run).unwrap(),
            [
                evaluated(Set::Test, 3),
                evaluated(Set::Train, 3),
                evaluated(Set::Test, 8)
            ]
        );
        let text = String::from_utf8(run.read(EVALUATIONS_FILE).unwrap().unwrap()).unwrap();
        assert_eq!(text, "set,best_epoch\ntest,3\ntrain,3\ntest,8\n");
        run.write(EVALUATIONS_FILE, b"set,best_epoch\nexam,3\n").unwrap();
        assert!(matches!(
            note(&run, evaluated(Set::Test, 1)),
            Err(RunError::Damaged { .. })
        ));
    }
}
