//! Feature sets of small data sets.

use super::*;
use crate::build::feature_sets::FEATURES_DIRECTORY;
use crate::build::pipeline::{self, BuildConfig};
use crate::split;
use crate::testing::{Collection, NoProgress, contents, mixed, split_at_random, three_tracks, tone};
use shared::dataset::shard::{MAX_TRACKS, ShardKind};
use shared::dataset::split::{Split, names};
use shared::dataset::{Dataset, INDEX_FILE};
use shared::dsp::features::FeatureConfig;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

fn features() -> FeatureConfig {
    FeatureConfig {
        n_mels: 64,
        n_fft: 2048,
        ..FeatureConfig::default()
    }
}

fn config(dataset: PathBuf) -> ExtendConfig {
    ExtendConfig {
        dataset,
        name: None,
        features: features(),
        jobs: 2,
    }
}

fn run(dataset: PathBuf) -> ExtendReport {
    extend(&config(dataset), &mut NoProgress).unwrap()
}

fn problems(root: &Path) -> Vec<String> {
    let report = crate::verify::verify(root, &NoProgress).unwrap();
    report.problems.into_iter().map(|problem| problem.file).collect()
}

/// All files except the index, which records how they were made.
fn comparable(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = contents(root).into_iter();
    all.filter(|(path, _)| path != Path::new(INDEX_FILE)).collect()
}

#[test]
fn feature_set_equals_a_build_with_its_settings() {
    let collection = mixed();
    collection.build("out").unwrap();
    let before = contents(&collection.out("out"));
    let report = run(collection.out("out"));
    assert_eq!((report.made, report.index.kept), (6, 6));
    assert!(report.path.ends_with("features/mel-64-2048-1024"));
    let built = BuildConfig {
        features: features(),
        ..collection.config("built")
    };
    let index = pipeline::build(&built, &mut NoProgress).unwrap().index;
    assert_eq!(comparable(&report.path), comparable(&built.out));
    assert_eq!(
        (&report.index.shards, &report.index.files),
        (&index.shards, &index.files)
    );
    // The data set is unchanged, and its waveforms are on disk only once.
    let after = contents(&collection.out("out"));
    let own: Vec<_> = after
        .into_iter()
        .filter(|(path, _)| !path.starts_with(FEATURES_DIRECTORY))
        .collect();
    assert_eq!(own, before);
    let inode = |root: &Path| fs::metadata(root.join(ShardKind::Waveform.path(0))).unwrap().ino();
    assert_eq!(inode(&collection.out("out")), inode(&report.path));
    assert_eq!(run(collection.out("out")).made, 0);
    assert_eq!(problems(&collection.out("out")), [""; 0]);
}

#[test]
fn splits_made_before_and_after_extend_are_copied() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split_at_random(&root, 1);
    let set = run(root.clone());
    assert_eq!(set.splits, ["random-1"]);
    split_at_random(&root, 2);
    let (own, other) = (Dataset::open(&root).unwrap(), Dataset::open(&set.path).unwrap());
    let (split, carried) = (
        Split::read(&root, own.index(), None).unwrap(),
        Split::read(&set.path, other.index(), None).unwrap(),
    );
    assert_eq!(
        (split.index.name.as_str(), &split.tracks),
        ("random-2", &carried.tracks)
    );
    assert_eq!(carried.normalization.mel_mean.len(), 64);
    assert_eq!(problems(&root), [""; 0]);
    assert_eq!(split::prune(&root).unwrap(), ["random-1"]);
    assert_eq!(names(&set.path).unwrap(), ["random-2"]);
    // A flipped bit is reported in the file of the feature set.
    let path = set.path.join(ShardKind::Mel.path(0));
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(
        problems(&root),
        ["features/mel-64-2048-1024/shards/mel-00000.safetensors"]
    );
}

#[test]
fn feature_set_gets_the_tracks_added_to_its_data_set() {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split_at_random(&root, 1);
    let first = run(root.clone());
    let shard = fs::metadata(first.path.join(ShardKind::Mel.path(0))).unwrap().ino();
    collection.track(1, "Blues", &tone(7, 195));
    collection.build("out").unwrap();
    split_at_random(&root, 5);
    assert_eq!(names(&first.path).unwrap(), ["random-1"]);
    let second = run(root.clone());
    assert_eq!((second.made, second.index.kept), (1, 4));
    assert_eq!(second.splits, ["random-1", "random-5-grown-1"]);
    assert_eq!(
        fs::metadata(second.path.join(ShardKind::Mel.path(0))).unwrap().ino(),
        shard
    );
    assert_eq!(problems(&root), [""; 0]);
    let dataset = Dataset::open(&second.path).unwrap();
    let ids: Vec<u64> = dataset.tracks().iter().map(|row| row.track_id).collect();
    assert_eq!(ids, [1, 2, 5, 1003]);
    assert!(Split::read(&second.path, dataset.index(), Some("random-1")).is_ok());
}

#[test]
fn feature_set_keeps_several_shard_pairs() {
    let mut collection = Collection::new();
    for id in 0..MAX_TRACKS as u64 + 8 {
        collection.track(id, "Folk", &tone(3 + id as usize % 5, 180));
    }
    collection.build("out").unwrap();
    let report = run(collection.out("out"));
    assert_eq!(report.index.shards.len(), 2);
    assert_eq!(problems(&report.path), [""; 0]);
}

#[test]
fn invalid_feature_sets_are_refused() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    run(root.clone());
    let refused = |change: fn(&mut ExtendConfig)| {
        let mut config = config(root.clone());
        change(&mut config);
        extend(&config, &mut NoProgress).unwrap_err().to_string()
    };
    assert!(refused(|config| config.features = FeatureConfig::default()).contains("already has these features"));
    assert!(refused(|config| config.features.sample_rate = 22_050).contains("44100 Hz"));
    assert!(refused(|config| config.name = Some("../x".into())).contains("is not a valid name"));
    let taken = refused(|config| {
        config.name = Some("mel-64-2048-1024".into());
        config.features.n_mels = 32;
    });
    assert!(taken.contains("another --name"), "{taken}");
    // A damaged waveform is refused.
    let shard = root.join(ShardKind::Waveform.path(0));
    let mut bytes = fs::read(&shard).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::remove_file(&shard).unwrap();
    fs::write(&shard, bytes).unwrap();
    let damaged = refused(|config| config.name = Some("other".into()));
    assert!(damaged.contains("track 1003 does not match its checksum"), "{damaged}");
    assert!(!root.join("features/other").exists());
}

#[test]
fn build_into_a_feature_set_is_refused() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let path = run(collection.out("out")).path;
    let before = contents(&path);
    let config = BuildConfig {
        out: path.clone(),
        features: features(),
        ..collection.config("out")
    };
    let error = pipeline::build(&config, &mut NoProgress).unwrap_err().to_string();
    assert!(error.contains("mel-64-2048-1024 is a feature set"), "{error}");
    assert_eq!(contents(&path), before);
}
