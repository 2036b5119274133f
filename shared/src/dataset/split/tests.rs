use super::*;
use crate::dataset::DatasetIndex;
use crate::dataset::statistics::Normalization;
use crate::dsp::features::FeatureConfig;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub(super) fn dataset_index() -> DatasetIndex {
    let features = FeatureConfig {
        n_mels: 2,
        ..FeatureConfig::default()
    };
    DatasetIndex {
        checksum: "abc".into(),
        features,
        ..DatasetIndex::default()
    }
}

pub(super) fn write(root: &TempDir, name: &str, ids: [Vec<u64>; 3]) -> Result<(), SplitError> {
    write_split(root, name, None, ids)
}

pub(super) fn write_fold(root: &TempDir, name: &str, fold: Option<Fold>) {
    write_split(root, name, fold, [vec![1], vec![2], vec![3]]).unwrap();
}

fn write_split(root: &TempDir, name: &str, fold: Option<Fold>, ids: [Vec<u64>; 3]) -> Result<(), SplitError> {
    let rows = Set::ALL
        .into_iter()
        .zip(ids)
        .map(|(set, ids)| {
            let row = |track_id| SplitRow {
                track_id,
                labels: vec!["Rock".into()],
            };
            (set, ids.into_iter().map(row).collect())
        })
        .collect();
    let index = SplitIndex {
        format_version: FORMAT_VERSION,
        name: name.into(),
        dataset: "abc".into(),
        seed: Some(1),
        fold,
        ..SplitIndex::default()
    };
    let normalization = Normalization {
        tracks: 1,
        waveform_mean: 0.0,
        waveform_std: 0.1,
        mel_mean: vec![-40.0, -80.0],
        mel_std: vec![10.0, 1.0],
        constant_bands: vec![1],
    };
    Split::write(root.path(), index, &rows, &normalization)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn split_round_trips(ids in prop::collection::btree_set(any::<u64>(), 0..40), cut in any::<(u8, u8)>()) {
        let root = tempfile::tempdir().unwrap();
        let mut sets = [Vec::new(), Vec::new(), Vec::new()];
        for id in ids {
            sets[usize::from(id as u8 > cut.0) + usize::from((id >> 8) as u8 > cut.1)].push(id);
        }
        write(&root, "first", sets.clone()).unwrap();
        let split = Split::read(root.path(), &dataset_index(), Some("first")).unwrap();
        prop_assert_eq!(split.tracks.into_values().collect::<Vec<_>>(), sets);
    }
}

#[test]
fn current_split_is_the_one_set_last() {
    let root = tempfile::tempdir().unwrap();
    let index = dataset_index();
    assert!(matches!(
        Split::read(root.path(), &index, None),
        Err(SplitError::NoSplit { .. })
    ));
    write(&root, "first", [vec![1], vec![2], vec![3]]).unwrap();
    set_current(root.path(), "first").unwrap();
    write(&root, "second", [vec![3], vec![2], vec![1]]).unwrap();
    assert_eq!(Split::read(root.path(), &index, None).unwrap().index.name, "first");
    set_current(root.path(), "second").unwrap();
    assert_eq!(Split::read(root.path(), &index, None).unwrap().tracks[&Set::Train], [3]);
    assert_eq!(names(root.path()).unwrap(), ["first", "second"]);
}

#[test]
fn copy_does_not_change_with_the_original() {
    let root = tempfile::tempdir().unwrap();
    let run = tempfile::tempdir().unwrap();
    let index = dataset_index();
    write(&root, "exp", [vec![1], vec![2], vec![3]]).unwrap();
    let split = Split::read(root.path(), &index, Some("exp")).unwrap();
    let exp = root.path().join("splits/exp");
    split.copy_files(&exp, &run.path().join("split")).unwrap();
    fs::remove_dir_all(&exp).unwrap();
    let copy = || Split::read_files(run.path(), Path::new("split"), &index);
    assert_eq!(copy().unwrap(), split);
    write(&root, "exp", [vec![3], vec![2], vec![1]]).unwrap();
    assert_eq!(copy().unwrap(), split);
    // The split that was read has been replaced, so it cannot be copied.
    let error = split.copy_files(&exp, &run.path().join("other")).unwrap_err();
    assert!(error.to_string().contains("replaced while it was read"), "{error}");
    fs::write(run.path().join("split/test.csv"), "track_id,labels\n4,Rock\n").unwrap();
    assert!(copy().unwrap_err().to_string().contains("split/test.csv"));
}

#[cfg(unix)]
#[test]
fn link_out_of_the_data_set_is_not_a_split() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&elsewhere, "there", [vec![1], vec![2], vec![3]]).unwrap();
    write(&root, "here", [vec![1], vec![2], vec![3]]).unwrap();
    let splits = root.path().join(SPLITS_DIRECTORY);
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, splits.join(name)).unwrap();
    link(&elsewhere.path().join("splits/there"), "linked");
    link(Path::new("here"), "alias");
    let read = |name: &str| Split::read(root.path(), &dataset_index(), Some(name));
    assert!(read("alias").is_ok());
    let error = read("linked").unwrap_err().to_string();
    assert!(error.contains("leads out of the data set"), "{error}");
    fs::write(elsewhere.path().join("secret"), b"secret").unwrap();
    link(&elsewhere.path().join("secret"), CURRENT_FILE);
    let error = Split::read(root.path(), &dataset_index(), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("splits/current") && !error.contains("no split `"),
        "{error}"
    );
}

#[test]
fn invalid_splits_are_refused_with_the_cause() {
    let root = tempfile::tempdir().unwrap();
    let index = dataset_index();
    for name in ["", "../x", ".hidden", "a/b", "current"] {
        assert!(
            matches!(directory(root.path(), name), Err(SplitError::BadName(_))),
            "{name}"
        );
    }
    write(&root, "twice", [vec![1], vec![1], vec![]]).unwrap();
    let error = Split::read(root.path(), &index, Some("twice")).unwrap_err().to_string();
    assert!(error.contains("val.csv") && error.contains("twice"), "{error}");
    write(&root, "seeded", [vec![1], vec![2], vec![3]]).unwrap();
    let path = root.path().join("splits/seeded/split.json");
    let changed = fs::read_to_string(&path).unwrap().replace("\"seed\": 1", "\"seed\": 3");
    fs::write(&path, changed).unwrap();
    let error = Split::read(root.path(), &index, Some("seeded"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("split.json") && error.contains("checksum"), "{error}");
    fs::remove_dir_all(root.path().join("splits/seeded")).unwrap();
    write(&root, "good", [vec![1], vec![2], vec![3]]).unwrap();
    assert!(write(&root, "good", [vec![1], vec![2], vec![]]).is_err());
    let error = Split::read(root.path(), &index, Some("best")).unwrap_err().to_string();
    assert!(error.contains("good, twice"), "{error}");
    let stale = DatasetIndex {
        checksum: "other".into(),
        ..index.clone()
    };
    assert!(matches!(
        Split::read(root.path(), &stale, Some("good")),
        Err(SplitError::Stale { .. })
    ));
    fs::write(root.path().join("splits/good/test.csv"), "track_id,labels\n4,Rock\n").unwrap();
    let error = Split::read(root.path(), &index, Some("good")).unwrap_err().to_string();
    assert!(error.contains("test.csv") && error.contains("checksum"), "{error}");
    fs::remove_file(root.path().join("splits/good/normalization.json")).unwrap();
    let error = Split::read(root.path(), &index, Some("good")).unwrap_err().to_string();
    assert!(
        error.contains("test.csv") || error.contains("normalization.json"),
        "{error}"
    );
}
