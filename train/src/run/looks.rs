//! Which epochs' weights have been judged on which set: `looks.csv`. A test set that is looked at after many epochs, until
//! one pleases, is a validation set.

use crate::run::directory::{RunDirectory, RunError};
use serde::{Deserialize, Serialize};
use shared::dataset::split::Set;

/// The file in a run.
pub const LOOKS_FILE: &str = "looks.csv";

/// One judgement of an epoch's weights; judging them again shows nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub set: Set,
    /// The epoch, counted from 1.
    pub best_epoch: usize,
}

/// All looks of a run, the first one first.
pub fn read(run: &RunDirectory) -> Result<Vec<Look>, RunError> {
    let Some(bytes) = run.read(LOOKS_FILE)? else {
        return Ok(Vec::new());
    };
    let rows: Result<Vec<Look>, csv::Error> = csv::Reader::from_reader(&bytes[..]).into_deserialize().collect();
    rows.map_err(|error| RunError::Damaged {
        path: run.path(LOOKS_FILE),
        detail: error.to_string(),
    })
}

/// Notes a look, unless it is noted already.
pub fn note(run: &RunDirectory, look: Look) -> Result<(), RunError> {
    let mut looks = read(run)?;
    if looks.contains(&look) {
        return Ok(());
    }
    looks.push(look);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for look in &looks {
        writer.serialize(look).expect("writing into memory cannot fail");
    }
    run.write(
        LOOKS_FILE,
        &writer.into_inner().expect("writing into memory cannot fail"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_is_noted_once() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        assert_eq!(read(&run).unwrap(), []);
        let look = |set, best_epoch| Look { set, best_epoch };
        for (set, epoch) in [(Set::Test, 3), (Set::Test, 3), (Set::Train, 3), (Set::Test, 8)] {
            note(&run, look(set, epoch)).unwrap();
        }
        assert_eq!(
            read(&run).unwrap(),
            [look(Set::Test, 3), look(Set::Train, 3), look(Set::Test, 8)]
        );
        let text = String::from_utf8(run.read(LOOKS_FILE).unwrap().unwrap()).unwrap();
        assert_eq!(text, "set,best_epoch\ntest,3\ntrain,3\ntest,8\n");
        run.write(LOOKS_FILE, b"set,best_epoch\nexam,3\n").unwrap();
        assert!(matches!(note(&run, look(Set::Test, 1)), Err(RunError::Damaged { .. })));
    }
}
