use super::*;
use crate::split::testing::row;
use crate::testing::{NoProgress, excerpt, mixed, split_at_random};
use crate::{extend, testing};
use shared::dsp::features::FeatureConfig;

/// A group of excerpts of one recording, given as track ids and ranges of steps.
fn group(excerpts: &[(u64, std::ops::Range<u32>)]) -> RecordingGroup {
    let rows: Vec<TrackRow> = excerpts.iter().map(|(id, _)| row(*id, "Pop")).collect();
    let summaries: Vec<TrackSummary> = excerpts
        .iter()
        .map(|(id, steps)| excerpt(*id, 1, steps.clone()))
        .collect();
    let grid = PeakGrid::new(&FeatureConfig::default());
    let summary_of = summaries.iter().map(|summary| (summary.track_id, summary)).collect();
    RecordingGroup::new(
        excerpts[0].0,
        &rows.iter().collect::<Vec<_>>(),
        &HashMap::new(),
        &summary_of,
        &grid,
    )
}

#[test]
fn offset_is_computed_through_a_track_that_overlaps_both() {
    // The last does not overlap with the first.
    let group = group(&[(1, 1000..2000), (2, 2100..3000), (3, 400..1700), (4, 1500..2600)]);
    let step = PeakGrid::new(&FeatureConfig::default()).step_seconds();
    let steps: Vec<f64> = group
        .tracks
        .iter()
        .map(|track| (track.offset_seconds.unwrap() / step).round())
        .collect();
    assert_eq!(steps, [0.0, 1100.0, -600.0, 500.0]);
    assert_eq!(group.tracks[0].score, None);
    assert!(
        group.tracks[1..].iter().all(|track| track.score > Some(0.95)),
        "{group:?}"
    );
}

#[test]
fn unmatched_track_is_listed_without_a_position() {
    let group = group(&[(1, 0..1000), (2, 5000..6000)]);
    assert_eq!((group.tracks[1].offset_seconds, group.tracks[1].score), (None, None));
    assert!(
        group.tracks[1].to_string().ends_with("position unknown"),
        "{}",
        group.tracks[1]
    );
}

#[test]
fn copies_labels_and_sets_are_listed() {
    let mut collection = mixed();
    collection.track(20, "Folk", &testing::tone(5, 190));
    collection.build("out").unwrap();
    let root = collection.out("out");
    let report = DuplicateReport::read(&root).unwrap();
    assert_eq!((report.tracks, report.recordings, report.groups.len()), (7, 5, 1));
    let group = &report.groups[0];
    assert_eq!((group.recording, group.several_labels), (5, true));
    let listed: Vec<_> = group
        .tracks
        .iter()
        .map(|track| (track.track_id, track.offset_seconds, track.score))
        .collect();
    assert_eq!(
        listed,
        [
            (5, Some(0.0), None),
            (14, Some(0.0), Some(1.0)),
            (20, Some(0.0), Some(1.0))
        ]
    );
    assert!(group.sets.is_empty() && report.split.is_none());
    let text = report.to_string();
    assert!(text.contains("recording 5: 3 tracks, different labels"), "{text}");

    // Some seed puts the copies into different sets.
    let separated = (0..20).find_map(|seed| {
        split_at_random(&root, seed);
        let report = DuplicateReport::read(&root).unwrap();
        (report.groups[0].sets.len() > 1).then_some(report)
    });
    let separated = separated.unwrap();
    let text = separated.to_string();
    assert!(text.contains("1 in several sets of the split"), "{text}");
    for track in &separated.groups[0].tracks {
        assert!(separated.groups[0].sets.contains(&track.set.unwrap()));
    }
}

#[test]
fn feature_set_has_the_recordings_of_its_data_set() {
    let collection = mixed();
    collection.build("out").unwrap();
    let config = extend::ExtendConfig {
        dataset: collection.out("out"),
        name: None,
        features: FeatureConfig {
            n_mels: 32,
            ..FeatureConfig::default()
        },
        jobs: 1,
    };
    let extended = extend::extend(&config, &mut NoProgress).unwrap();
    let (own, parent) = (
        DuplicateReport::read(&extended.path).unwrap(),
        DuplicateReport::read(&config.dataset).unwrap(),
    );
    assert_eq!(own, parent);
    assert_eq!(own.groups.len(), 1);
}
