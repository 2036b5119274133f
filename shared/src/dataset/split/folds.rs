//! The folds of k-fold cross-validation: ordinary splits `NAME-1` to `NAME-K`, each with another part of the tracks as
//! its test set.

use super::error::SplitError;
use super::files::{SPLITS_DIRECTORY, check_name, names};
use super::index::{SplitIndex, read_split_index};
use std::path::Path;

/// The names of the splits that are the folds of the set `name`, in the order of their numbers.
///
/// # Errors
/// There are no such folds, one of them is missing, or a `split.json` cannot be read.
pub fn folds(dataset: &Path, name: &str) -> Result<Vec<String>, SplitError> {
    check_name(name)?;
    let problem = |problem: String, options: String| SplitError::Folds {
        dataset: dataset.to_owned(),
        name: name.to_owned(),
        problem,
        options,
    };
    let splits = names(dataset)?;
    let below = |split: &str| Path::new(SPLITS_DIRECTORY).join(split);
    let is_numbered = |split: &str| {
        let number = split.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| number.parse::<usize>().is_ok())
    };
    for split in splits.iter().filter(|split| is_numbered(split)) {
        let index = read_split_index(dataset, &below(split))?;
        let Some(fold) = index.fold.as_ref().filter(|fold| fold.name == name) else {
            continue;
        };
        let mut found = Vec::new();
        for fold in fold.all() {
            let split = fold.split_name();
            if !splits.contains(&split) {
                let (number, of) = (fold.number, fold.of);
                let missing = format!("lacks fold {number} of {of} of `{name}`, the split `{split}`");
                return Err(problem(missing, options(&index, of)));
            }
            if read_split_index(dataset, &below(&split))?.fold.as_ref() != Some(&fold) {
                let other = format!("has a split `{split}` that is not a fold of `{name}`");
                return Err(problem(other, options(&index, fold.of)));
            }
            found.push(split);
        }
        return Ok(found);
    }
    Err(problem(format!("has no folds `{name}`"), "--folds K".into()))
}

/// The options of `preprocess split` that made the folds.
fn options(index: &SplitIndex, folds: usize) -> String {
    let group_by = index.group_by.iter().map(|by| format!(" --group-by {by}"));
    let seed = index.seed.iter().map(|seed| format!(" --seed {seed}"));
    let more: String = group_by.chain(seed).collect();
    format!("--folds {folds} --strategy {}{more}", index.strategy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::split::Fold;
    use crate::dataset::split::tests::write_fold;
    use std::fs;

    fn fold(number: usize) -> Option<Fold> {
        Some(Fold {
            name: "mine".into(),
            number,
            of: 10,
        })
    }

    #[test]
    fn folds_are_sorted_by_number() {
        let root = tempfile::tempdir().unwrap();
        write_fold(&root, "mine-0", None);
        write_fold(&root, "mine-first", None);
        for number in 1..=10 {
            write_fold(&root, &format!("mine-{number}"), fold(number));
        }
        let found = folds(root.path(), "mine").unwrap();
        assert_eq!(found.len(), 10);
        assert_eq!((found[1].as_str(), found[9].as_str()), ("mine-2", "mine-10"));
    }

    #[test]
    fn missing_and_incomplete_folds_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let refused = |name: &str| folds(root.path(), name).unwrap_err().to_string();
        assert!(refused("mine").contains("has no folds `mine`; make all folds with `preprocess split"));
        assert!(refused("../mine").contains("is not a valid name"));
        for number in 1..=10 {
            write_fold(&root, &format!("mine-{number}"), fold(number));
        }
        fs::remove_dir_all(root.path().join("splits/mine-7")).unwrap();
        let error = refused("mine");
        assert!(
            error.contains("lacks fold 7 of 10 of `mine`") && error.contains(" --folds 10 --strategy "),
            "{error}"
        );
        write_fold(&root, "mine-7", fold(6));
        assert!(refused("mine").contains("has a split `mine-7` that is not a fold of `mine`"));
        // A split that only has the name of a fold is not a fold.
        write_fold(&root, "other-1", None);
        assert!(refused("other").contains("has no folds `other`"));
    }
}
