//! `--verify`: a data set as a run is about to read it enters; the first file that is not what it was leaves, if there is
//! one.
//!
//! Opening has checked the index, the table of tracks and the split. Here every other byte that training reads is held
//! against its checksum too, before work begins.

use crate::process::stop::{StopRequest, Stopped};
use rayon::prelude::*;
use shared::dataset::integrity::{open_checked, rows_by_shard, shard_problems};
use shared::dataset::shard::ShardKind;
use shared::dataset::{Dataset, DatasetError, read_recorded};
use std::path::{Path, PathBuf};

/// A data set that must not be trained on, or work that was stopped.
#[derive(Debug, thiserror::Error)]
pub enum IntegrityError {
    /// A table or the summary.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(
        "shard {} is damaged: {detail}{}; run `preprocess verify --repair {}`", path.display(), more(*others),
        dataset.display()
    )]
    Shard {
        path: PathBuf,
        /// What is wrong with it, and with which track.
        detail: String,
        others: usize,
        dataset: PathBuf,
    },
    /// A copy of a shard that is good.
    #[error("{} is no longer a copy of its shard: {detail}; delete it, and it will be copied again", path.display())]
    Copy {
        path: PathBuf,
        /// What is wrong with it, and with which track.
        detail: String,
    },
    #[error("the data set was not checked to its end")]
    Stopped(#[from] Stopped),
}

fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => ", and one thing more".into(),
        _ => format!(", and {others} things more"),
    }
}

/// Holds the tables, all shards' headers, and the tensors of the `kinds` that are read against their checksums.
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

/// Holds the copies below `directory` of the shards of `kinds` against the same checksums. A copy that is not good may be a
/// true one of a shard that is not.
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
    // The first of the files, however many threads there are.
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
    fn a_flipped_bit_is_found_where_it_is_read() {
        let root = testing::dataset();
        let both = ShardKind::ALL;
        let check = |kinds: &[ShardKind]| verify(&Dataset::open(root.path()).unwrap(), kinds, &|| None);
        check(&both).unwrap();
        let waveform = root.path().join(ShardKind::Waveform.path(0));
        flip(&waveform, DATA_START + 12_345);
        let said = check(&both).unwrap_err().to_string();
        assert!(said.contains("waveform-00000") && said.contains("track 10 "), "{said}");
        // Nobody reads the samples, so nobody need spend the time; the header has been read.
        check(&[ShardKind::Mel]).unwrap();
        flip(&waveform, DATA_START + 12_345);
        // Still a header that can be opened: it only says that it is of something else.
        let bytes = fs::read(&waveform).unwrap();
        let word = bytes.windows(8).position(|window| window == b"waveform").unwrap();
        flip(&waveform, word);
        let said = check(&[ShardKind::Mel]).unwrap_err().to_string();
        assert!(said.contains("header"), "{said}");
        flip(&waveform, word);
        flip(&root.path().join("rejected.csv"), 3);
        assert!(check(&both).unwrap_err().to_string().contains("rejected.csv"));
    }

    #[test]
    fn a_bad_copy_and_a_copy_of_a_bad_shard_are_told_apart() {
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
    fn work_stops_when_it_is_asked_to() {
        let root = testing::dataset();
        let stopped = verify(&Dataset::open(root.path()).unwrap(), &ShardKind::ALL, &|| {
            Some("SIGTERM")
        });
        assert!(matches!(stopped, Err(IntegrityError::Stopped(_))));
    }
}
