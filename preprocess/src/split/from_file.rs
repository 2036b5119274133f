//! Makes the split in a file that another build of the same collection exported.

use super::divided::{Description, DividedDataset, Published, divide};
use super::shared_file::SharedSplit;
use super::single::SplitReport;
use super::strategy::Strategy;
use super::warnings;
use anyhow::{anyhow, bail, ensure};
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{self, Set};
use shared::runtime::file_error::FileError;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq)]
pub struct FromFileConfig {
    pub dataset: PathBuf,
    pub file: PathBuf,
    /// The split's name; by default that in the file, or else the file's own.
    pub name: Option<String>,
}

#[derive(Clone, Debug)]
pub struct FromFileReport {
    pub made: SplitReport,
    /// Tracks of the file that the data set does not have.
    pub missing: Vec<u64>,
    /// Tracks of the data set that the file does not have.
    pub left_out: Vec<u64>,
}

/// Makes the split and makes it the current one. Tracks that only the file or only the data set has are left out.
pub fn make_from_file(config: &FromFileConfig) -> anyhow::Result<FromFileReport> {
    let file = config.file.display();
    let bytes = fs::read(&config.file).map_err(FileError::at(&config.file))?;
    let shared = SharedSplit::parse(&bytes).map_err(|problem| anyhow!("{file}{problem}"))?;
    divide(&config.dataset, |dataset| {
        let ids: HashSet<u64> = dataset.tracks.iter().map(|row| row.track_id).collect();
        let missing: Vec<u64> = shared.tracks.keys().filter(|id| !ids.contains(id)).copied().collect();
        let in_file = |row: &TrackRow| shared.tracks.contains_key(&row.track_id);
        let left_out: Vec<u64> = dataset
            .tracks
            .iter()
            .filter(|row| !in_file(row))
            .map(|row| row.track_id)
            .collect();
        let dataset = dataset.only(|id| shared.tracks.contains_key(&id));
        ensure!(
            !dataset.tracks.is_empty(),
            "none of the {} tracks in {file} is in {}; give a split of the same collection",
            shared.tracks.len(),
            dataset.root().display()
        );
        check_paths(&dataset, &shared, &config.file)?;
        let sets: Vec<Set> = dataset
            .tracks
            .iter()
            .map(|row| shared.tracks[&row.track_id].1)
            .collect();
        ensure!(
            sets.contains(&Set::Train),
            "{file} has no training track that is in {}; give a split of the same collection",
            dataset.root().display()
        );
        let default_name = shared.name.clone().unwrap_or_else(|| name_of(&config.file));
        let description = Description {
            name: dataset.name(config.name.as_ref(), default_name),
            strategy: shared.strategy.clone(),
            group_by: shared.group_by.clone(),
            ratios: shared.ratios,
            seed: shared.seed,
            fold: None,
        };
        let split = dataset.split(description, &sets)?;
        let Published { existed, gained } = dataset.publish(std::slice::from_ref(&split))?;
        // Like an official split it cannot be drawn again, so there is no advice.
        let mut warnings = warnings::for_split(&dataset, &Strategy::Official, &split);
        let root = dataset.root().display();
        if !missing.is_empty() {
            let (count, of) = (missing.len(), shared.tracks.len());
            warnings.push(format!(
                "{count} of {of} tracks in {file} are not in {root}: {}",
                list(&missing)
            ));
        }
        if !left_out.is_empty() {
            let (count, of) = (left_out.len(), ids.len());
            warnings.push(format!(
                "{count} of {of} tracks of {root} are not in {file}, so they are in no set: {}",
                list(&left_out)
            ));
        }
        Ok(FromFileReport {
            made: SplitReport {
                split,
                existed,
                gained,
                warnings,
            },
            missing,
            left_out,
        })
    })
}

/// Fails if an id means another track here. Only extensions may differ, as those of two copies of GTZAN do.
fn check_paths(dataset: &DividedDataset<'_>, shared: &SharedSplit, file: &Path) -> anyhow::Result<()> {
    for row in &dataset.tracks {
        let (path, _) = &shared.tracks[&row.track_id];
        let stem = |path: &str| Path::new(path).with_extension("");
        if !path.is_empty() && stem(path) != stem(&row.path) {
            bail!(
                "track {} is {path} in {} and {} in {}; give a split of the same collection",
                row.track_id,
                file.display(),
                row.path,
                dataset.root().display()
            );
        }
    }
    Ok(())
}

/// The file's name without its extension, with the characters that a split may have.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    stem.chars()
        .map(|c| if split::is_allowed_in_name(c) { c } else { '-' })
        .collect()
}

/// The first ids.
fn list(ids: &[u64]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = ids.iter().take(SHOWN).map(u64::to_string).collect();
    shown.join(", ") + if ids.len() > SHOWN { ", …" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{ExportConfig, Method, Ratios, SplitConfig, export, make};
    use crate::testing::{Collection, tone};
    use shared::dataset::Dataset;
    use shared::dataset::split::Split;

    fn collection(tracks: std::ops::Range<u64>) -> Collection {
        let mut collection = Collection::new();
        for id in tracks {
            collection.track(id, ["Folk", "Rock"][id as usize % 2], &tone(3 + id as usize, 200));
        }
        collection
    }

    fn exported(collection: &Collection) -> (Split, PathBuf) {
        collection.build("here").unwrap();
        let config = SplitConfig {
            dataset: collection.out("here"),
            name: None,
            strategy: Strategy::Drawn {
                method: Method::Stratified,
                ratios: Ratios::default(),
                seed: 3,
            },
        };
        let split = make(&config).unwrap().split;
        let file = collection.out("split.csv");
        let config = ExportConfig {
            dataset: config.dataset,
            name: None,
            file: file.clone(),
        };
        let report = export(&config).unwrap();
        assert_eq!((report.name.as_str(), report.sizes[&Set::Train]), ("stratified-3", 16));
        (split, file)
    }

    fn from_file(dataset: PathBuf, file: &Path) -> anyhow::Result<FromFileReport> {
        make_from_file(&FromFileConfig {
            dataset,
            file: file.to_owned(),
            name: None,
        })
    }

    #[test]
    fn another_build_gets_the_same_split() {
        let collection = collection(0..20);
        let (split, file) = exported(&collection);
        let (dataset, other) = (collection.out("here"), collection.out("there"));
        let mut config = collection.config("there");
        config.features.n_mels = 8;
        crate::build::pipeline::build(&config, &mut crate::testing::NoProgress).unwrap();
        let report = from_file(other.clone(), &file).unwrap();
        assert_eq!((report.missing.len(), report.left_out.len()), (0, 0));
        let made = &report.made.split;
        assert!(!report.made.existed);
        assert_eq!(made.tracks, split.tracks);
        assert_eq!(
            (&made.index.strategy, made.index.ratios, made.index.seed),
            (&"stratified".to_owned(), Some([0.8, 0.1, 0.1]), Some(3))
        );
        assert_eq!(made.index.counts, split.index.counts);
        // Where it was made, it is the split that exists.
        assert!(from_file(dataset, &file).unwrap().made.existed);
        let index = Dataset::read_index(&other).unwrap();
        assert_eq!(Split::read(&other, &index, None).unwrap().index.name, "stratified-3");
    }

    #[test]
    fn tracks_of_only_one_side_are_left_out_and_counted() {
        let whole = collection(0..20);
        let (_, file) = exported(&whole);
        let smaller = collection(5..24);
        smaller.build("out").unwrap();
        let report = from_file(smaller.out("out"), &file).unwrap();
        assert_eq!(
            (report.missing, report.left_out),
            ((0..5).collect(), (20..24).collect())
        );
        let all: usize = report.made.split.tracks.values().map(Vec::len).sum();
        assert_eq!(all, 15);
        let warnings = report.made.warnings.join("\n");
        assert!(
            warnings.contains("5 of 20 tracks in") && warnings.contains(": 0, 1, 2, 3, 4"),
            "{warnings}"
        );
        assert!(
            warnings.contains("4 of 19 tracks of") && warnings.contains(": 20, 21, 22, 23"),
            "{warnings}"
        );
    }

    #[test]
    fn split_of_another_collection_is_refused() {
        let collection = collection(0..20);
        let (_, file) = exported(&collection);
        let (dataset, text) = (collection.out("here"), fs::read_to_string(&file).unwrap());
        let without_checksum = |text: &str| -> String {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| format!("{line}\n")).collect()
        };
        let by_hand = collection.out("my split.csv");
        let refused = |text: &str| {
            fs::write(&by_hand, text).unwrap();
            from_file(dataset.clone(), &by_hand).unwrap_err().to_string()
        };
        let error = refused("track_id,set\n77,train\n78,test\n");
        assert!(error.starts_with("none of the 2 tracks in"), "{error}");
        let error = refused("track_id,set\n1,test\n");
        assert!(error.contains("has no training track that is in"), "{error}");
        let error = refused(&without_checksum(&text).replace("000/000004.mp3", "000/000005.mp3"));
        assert!(error.contains("track 4 is 000/000005.mp3 in"), "{error}");
        let error = refused(&text.replace(",train", ",val"));
        assert!(error.contains("my split.csv was changed after its export"), "{error}");
        // Another extension is another copy of the same track.
        fs::write(&by_hand, without_checksum(&text).replace(".mp3", ".au")).unwrap();
        let made = from_file(dataset, &by_hand).unwrap().made.split.index;
        assert_eq!((made.name.as_str(), made.strategy.as_str()), ("my-split", "file"));
    }
}
