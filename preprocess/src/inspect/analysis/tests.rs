//! The analysis of small data sets, compared with values computed from their shards in another way.

use super::*;
use crate::cli::progress::{ByteProgress, Style};
use crate::testing::{Collection, three_tracks, tone};
use shared::dataset::Dataset;
use std::fs;

fn analyse(root: &Path, sample_tracks: SampleTracks) -> Result<Analysis, InspectError> {
    let config = AnalysisConfig {
        dataset: root.to_owned(),
        sample_tracks,
        pictures: true,
        audio: false,
    };
    Analysis::run(&config, &ByteProgress::new(Style::Quiet))
}

fn at_most(tracks: usize) -> SampleTracks {
    SampleTracks::AtMost(tracks.try_into().unwrap())
}

#[test]
fn chosen_tracks_are_evenly_spaced() {
    let all: Vec<usize> = (10..20).collect();
    assert_eq!(at_most(4).choose(&all), [10, 12, 15, 17]);
    assert_eq!(at_most(10).choose(&all), all);
    assert_eq!(at_most(99).choose(&all), all);
    assert_eq!(SampleTracks::All.choose(&all), all);
    assert_eq!(at_most(3).choose(&[]), [0usize; 0]);
}

#[test]
fn analysis_equals_values_computed_from_the_tensors() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let analysis = analyse(&root, SampleTracks::All).unwrap();
    let dataset = Dataset::open(&root).unwrap();
    assert_eq!((analysis.tracks, analysis.band_hz.len()), (3, 128));
    for class in analysis.classes.iter().chain([&analysis.all]) {
        let own = |row: &&TrackRow| class.name == "all tracks" || row.labels[0] == class.name;
        let positions = dataset
            .tracks()
            .iter()
            .filter(own)
            .map(|row| dataset.position(row.track_id).unwrap());
        let positions: Vec<usize> = positions.collect();
        let samples: Vec<f64> = (positions.iter())
            .flat_map(|position| dataset.waveform(*position))
            .map(|sample| f64::from(*sample))
            .collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let variance = samples.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / samples.len() as f64;
        let found = class.samples.as_ref().unwrap();
        assert_eq!((found.tracks, class.tracks), (positions.len(), positions.len()));
        assert_eq!(found.samples, samples.len() as u64);
        assert!((found.variance - variance).abs() < 1e-6 * variance, "{}", class.name);
        let loud = samples
            .iter()
            .filter(|sample| **sample >= 256.0 && **sample < 512.0)
            .count();
        assert_eq!(found.counts[129], loud as u64);
        let band = |position: &usize, band: usize| -> f64 {
            let mel = dataset.mel(*position);
            let values: Vec<f64> = mel.values.iter().map(|value| f64::from(value.to_f32())).collect();
            let top = values.iter().copied().fold(f64::MIN, f64::max);
            let own = &values[band * mel.frames..][..mel.frames];
            own.iter().map(|value| (value - top).max(-80.0)).sum::<f64>() / mel.frames as f64
        };
        for at in [0, 40, 127] {
            let mean = positions.iter().map(|position| band(position, at)).sum::<f64>() / positions.len() as f64;
            let found = class.spectrum.as_ref().unwrap().mean_db[at];
            assert!((found - mean).abs() < 1e-4, "{} {at}: {found} {mean}", class.name);
        }
    }
    // Two examples of the class with two tracks, one of the class with one.
    assert_eq!(
        analysis
            .classes
            .iter()
            .map(|class| class.examples.len())
            .collect::<Vec<_>>(),
        [2, 1]
    );
    for projected in [&analysis.mel_projection, &analysis.mfcc_projection] {
        let Projected::Made(projection) = projected else {
            panic!("{projected:?}");
        };
        assert_eq!(projection.track_ids, [2, 5, 1003]);
        // Three points are always in a plane.
        assert!((projection.pca.explained_variance_ratio.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn analysis_does_not_depend_on_the_number_of_threads() {
    let mut collection = Collection::new();
    for id in 1..=9 {
        collection.track(id, if id % 3 == 0 { "Folk" } else { "Rock" }, &tone(4, 180 + id as u8));
    }
    collection.build("out").unwrap();
    let root = collection.out("out");
    let first = analyse(&root, at_most(2)).unwrap();
    assert_eq!(first.all.samples.as_ref().unwrap().tracks, 4);
    assert_eq!(
        first.classes.iter().map(|class| class.tracks).collect::<Vec<_>>(),
        [3, 6]
    );
    for jobs in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build().unwrap();
        assert_eq!(pool.install(|| analyse(&root, at_most(2))).unwrap(), first);
    }
}

#[test]
fn data_sets_with_one_track_or_none_are_analysed() {
    let mut one = Collection::new();
    one.track(2, "Folk", &tone(4, 200));
    one.build("out").unwrap();
    let analysis = analyse(&one.out("out"), SampleTracks::default()).unwrap();
    assert_eq!((analysis.classes.len(), analysis.classes[0].examples.len()), (1, 1));
    assert!(matches!(&analysis.mel_projection, Projected::Missing { reason } if reason.contains("three")));
    let mut none = Collection::new();
    none.track(2, "Folk", b"");
    none.build("out").unwrap();
    let analysis = analyse(&none.out("out"), SampleTracks::default()).unwrap();
    assert_eq!(
        (analysis.tracks, analysis.all.samples, analysis.all.spectrum),
        (0, None, None)
    );
}

#[test]
fn shard_without_its_track_is_an_error() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let shard = root.join("shards/waveform-00000.safetensors");
    let bytes = fs::read(&shard).unwrap();
    let header = String::from_utf8_lossy(&bytes[8..4096]).into_owned();
    let at = 8 + header.find("\"1003\"").unwrap();
    let mut renamed = bytes.clone();
    renamed[at + 1..at + 5].copy_from_slice(b"1004");
    fs::write(&shard, renamed).unwrap();
    let error = analyse(&root, SampleTracks::All).unwrap_err().to_string();
    assert!(
        error.contains("track 1003") && error.contains("waveform-00000"),
        "{error}"
    );
    fs::write(&shard, &bytes[..bytes.len() - 2]).unwrap();
    let error = analyse(&root, SampleTracks::All).unwrap_err().to_string();
    assert!(error.contains("should have"), "{error}");
}
