//! Dry runs compared with the builds that follow them.

use super::*;
use crate::build::pipeline;
use crate::testing::{Crash, NoProgress, contents, mixed, three_tracks, tone};
use shared::dataset::manifest::Flag;
use shared::dataset::shard::DATA_START;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn dry_run_predicts_the_build_and_writes_nothing() {
    let collection = mixed();
    let config = collection.config("out");
    let predicted = dry_run(&config).unwrap();
    assert!(!config.out.exists());
    let built = collection.build("out").unwrap();
    let mut reasons = predicted.reasons.clone();
    for (code, count) in &predicted.sample_reasons {
        *reasons.entry(code.clone()).or_default() += count;
    }
    assert_eq!(reasons, built.reasons);
    for known in ["empty_file", "missing_file", "unlabelled", "unlisted"] {
        assert_eq!(
            predicted.reasons.get(known),
            built.reasons.get(known),
            "{known}: {:?}",
            predicted.reasons
        );
    }
    let dropped: usize = predicted.sample_reasons.values().sum();
    // Every track is in the sample, so nothing is estimated.
    assert_eq!((predicted.sample, predicted.before), (predicted.tracks, 0));
    assert_eq!(predicted.sample - dropped, built.index.kept);
    assert_eq!(predicted.classes.values().sum::<usize>(), predicted.tracks);
    let shards = built
        .index
        .shards
        .iter()
        .map(|shard| shard.waveform.bytes + shard.mel.bytes - 2 * DATA_START as u64);
    let ([low, high], shards) = (predicted.bytes, shards.sum::<u64>() as f64);
    // With the tables, but without the headers, which are small except in a test.
    assert!(low == high && (1.0..1.2).contains(&(low / shards)), "{low} {shards}");
    let [fast, slow] = predicted.seconds;
    assert!(0.0 < fast && fast < slow, "{fast} {slow}");
}

#[test]
fn dry_run_counts_near_silent_tracks_that_the_build_drops() {
    let collection = mixed();
    let mut config = collection.config("out");
    assert_eq!(dry_run(&config).unwrap().sample_reasons.get("near_silent"), None);
    config.drop = vec![Flag::NearSilent];
    let predicted = dry_run(&config).unwrap();
    let built = pipeline::build(&config, &mut NoProgress).unwrap();
    assert_eq!(predicted.sample_reasons.get("near_silent"), Some(&1));
    assert_eq!(built.reasons.get("near_silent"), Some(&1));
    let dropped: usize = predicted.sample_reasons.values().sum();
    assert_eq!(predicted.sample - dropped, built.index.kept);
}

#[test]
fn finished_and_growing_data_sets_are_counted_and_unchanged() {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    let config = collection.config("out");
    let before = contents(&config.out);
    let complete = dry_run(&config).unwrap();
    assert_eq!((complete.before, complete.tracks, complete.sample), (3, 0, 0));
    collection.track(6, "Blues", &tone(7, 195)).track(9, "Blues", b"");
    let config = collection.config("out");
    let growing = dry_run(&config).unwrap();
    assert_eq!((growing.before, growing.tracks, growing.sample), (3, 1, 1));
    assert_eq!(growing.classes, [("Blues".to_owned(), 1)].into());
    assert_eq!(growing.reasons, [("empty_file".to_owned(), 1)].into());
    assert_eq!(contents(&config.out), before);
}

#[test]
fn interrupted_build_is_counted_or_refused_as_by_the_build() {
    let mut collection = three_tracks();
    for id in 2000..2600 {
        collection.track(id, "Folk", &tone(4, 200));
    }
    let config = collection.config("out");
    let crash = AssertUnwindSafe(|| pipeline::build(&config, &mut Crash(580)));
    assert!(catch_unwind(crash).is_err());
    let before = contents(&config.out);
    let predicted = dry_run(&config).unwrap();
    let built = {
        let mut other = config.clone();
        other.validate.min_samples += 1;
        let error = dry_run(&other).unwrap_err().to_string();
        assert_eq!(error, pipeline::build(&other, &mut NoProgress).unwrap_err().to_string());
        assert_eq!(contents(&config.out), before);
        collection.build("out").unwrap()
    };
    assert_eq!((predicted.before, predicted.tracks), (built.resumed, built.processed));
    assert!(predicted.before > 0 && predicted.sample <= SAMPLE);
}

#[test]
fn directory_with_other_files_is_refused() {
    let collection = three_tracks();
    let config = collection.config("out");
    fs::create_dir(&config.out).unwrap();
    fs::write(config.out.join("thesis.txt"), "x").unwrap();
    let error = dry_run(&config).unwrap_err().to_string();
    assert!(error.contains("is not empty and contains no data set"), "{error}");
}
