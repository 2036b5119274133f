//! `--verify`: checks the data set before training and reports the first damaged file.
//!
//! Opening a data set already checks the index, the table of tracks and the split. This module compares every other
//! byte that training reads with its checksum.

use crate::process::stop::{StopRequest, Stopped};
use rayon::prelude::*;
use shared::dataset::integrity::{open_checked, rows_by_shard, shard_problems};
use shared::dataset::shard::ShardKind;
use shared::dataset::{Dataset, DatasetError, read_recorded};
use std::path::{Path, PathBuf};

/// A damaged data set, or a check that was stopped.
#[derive(Debug, thiserror::Error)]
pub enum IntegrityError {
    /// A damaged table or summary.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(
        "shard {} is damaged: {detail}{}; run `preprocess verify --repair {}`", path.display(), more(*others),
        dataset.display()
    )]
    Shard {
        path: PathBuf,
        /// The problem and the affected track.
        detail: String,
        /// Number of further problems in the shard.
        others: usize,
        dataset: PathBuf,
    },
    /// A damaged copy of an undamaged shard.
    #[error("{} is a damaged copy of its shard: {detail}; delete it, and it will be copied again", path.display())]
    Copy {
        path: PathBuf,
        /// The problem and the affected track.
        detail: String,
    },
    #[error("the check of the data set was interrupted")]
    Stopped(#[from] Stopped),
}

fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => ", and 1 more problem".into(),
        _ => format!(", and {others} more problems"),
    }
}

/// Checks the tables, the headers of all shards, and the tensors of the shards of `kinds`.
pub fn verify(dataset: &Dataset, kinds: &[ShardKind], stop: StopRequest<'_>) -> Result<(), IntegrityError> {
    let (root, index) = (dataset.root(), dataset.index());
    for file in index.files.keys() {
        read_recorded(root, index, file)?;
    }
    let rows = rows_by_shard(dataset.tracks(), index.shards.len());
    each_shard(dataset, &ShardKind::ALL, stop, |kind, number| {
        let path = root.join(kind.path(number));
        let problems = if kinds.contains(&kind) {
            shard_problems(&path, index, &rows[number], kind, number, &|_| {})
        } else {
            let problem = open_checked(&path, index, kind, number).err();
            problem.into_iter().collect()
        };
        as_error(problems, |detail, others| IntegrityError::Shard {
            path,
            detail,
            others,
            dataset: root.to_owned(),
        })
    })
}

/// Checks the copies of the shards of `kinds` in `directory`. If a copy is damaged, its original is checked too,
/// because the damage may have been copied from it.
pub fn verify_copies(
    dataset: &Dataset,
    kinds: &[ShardKind],
    directory: &Path,
    stop: StopRequest<'_>,
) -> Result<(), IntegrityError> {
    let rows = rows_by_shard(dataset.tracks(), dataset.index().shards.len());
    each_shard(dataset, kinds, stop, |kind, number| {
        let path = directory.join(kind.path(number));
        let problems = |path: &Path| shard_problems(path, dataset.index(), &rows[number], kind, number, &|_| {});
        let Some(detail) = problems(&path).into_iter().next() else {
            return Ok(());
        };
        let original = dataset.root().join(kind.path(number));
        as_error(problems(&original), |detail, others| IntegrityError::Shard {
            path: original,
            detail,
            others,
            dataset: dataset.root().to_owned(),
        })?;
        Err(IntegrityError::Copy { path, detail })
    })
}

fn each_shard(
    dataset: &Dataset,
    kinds: &[ShardKind],
    stop: StopRequest<'_>,
    check: impl Fn(ShardKind, usize) -> Result<(), IntegrityError> + Sync,
) -> Result<(), IntegrityError> {
    let numbers = 0..dataset.index().shards.len();
    let jobs: Vec<_> = numbers
        .flat_map(|number| kinds.iter().map(move |&kind| (kind, number)))
        .collect();
    let outcomes: Vec<_> = jobs
        .par_iter()
        .map(|&(kind, number)| {
            Stopped::check(stop)?;
            check(kind, number)
        })
        .collect();
    // In file order, so the error does not depend on the threads.
    outcomes.into_iter().collect()
}

fn as_error(problems: Vec<String>, error: impl FnOnce(String, usize) -> IntegrityError) -> Result<(), IntegrityError> {
    let others = problems.len().saturating_sub(1);
    match problems.into_iter().next() {
        None => Ok(()),
        Some(detail) => Err(error(detail, others)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use shared::dataset::shard::DATA_START;
    use std::fs;

    fn flip(path: &Path, at: usize) {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 16;
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn flipped_bit_in_a_file_that_training_reads_is_found() {
        let root = testing::dataset();
        let both = ShardKind::ALL;
        let check = |kinds: &[ShardKind]| verify(&Dataset::open(root.path()).unwrap(), kinds, &|| None);
        check(&both).unwrap();
        let waveform = root.path().join(ShardKind::Waveform.path(0));
        flip(&waveform, DATA_START + 12_345);
        let message = check(&both).unwrap_err().to_string();
        assert!(
            message.contains("waveform-00000") && message.contains("track 10 "),
            "{message}"
        );
        // The samples of waveforms are not checked if only spectrograms are read.
        check(&[ShardKind::Mel]).unwrap();
        flip(&waveform, DATA_START + 12_345);
        // The header can still be parsed, but its content changed.
        let bytes = fs::read(&waveform).unwrap();
        let word = bytes.windows(8).position(|window| window == b"waveform").unwrap();
        flip(&waveform, word);
        let message = check(&[ShardKind::Mel]).unwrap_err().to_string();
        assert!(message.contains("header"), "{message}");
        flip(&waveform, word);
        flip(&root.path().join("rejected.csv"), 3);
        assert!(check(&both).unwrap_err().to_string().contains("rejected.csv"));
    }

    #[test]
    fn damaged_copy_and_damaged_original_are_distinguished() {
        let (root, copies) = (testing::dataset(), tempfile::tempdir().unwrap());
        fs::create_dir(copies.path().join("shards")).unwrap();
        let file = ShardKind::Mel.path(0);
        let (original, copy) = (root.path().join(&file), copies.path().join(&file));
        fs::copy(&original, &copy).unwrap();
        let check = || {
            let dataset = Dataset::open(root.path()).unwrap();
            verify_copies(&dataset, &[ShardKind::Mel], copies.path(), &|| None)
        };
        check().unwrap();
        flip(&copy, DATA_START + 5);
        assert!(matches!(check(), Err(IntegrityError::Copy { path, .. }) if path == copy));
        flip(&original, DATA_START + 5);
        assert!(matches!(check(), Err(IntegrityError::Shard { path, .. }) if path == original));
    }

    #[test]
    fn verify_stops_after_a_signal() {
        let root = testing::dataset();
        let stopped = verify(&Dataset::open(root.path()).unwrap(), &ShardKind::ALL, &|| {
            Some("SIGTERM")
        });
        assert!(matches!(stopped, Err(IntegrityError::Stopped(_))));
    }
}
