//! `preprocess build` of all sources except FMA, and `split` and `inspect` of multi-label data sets.

use predicates::str::contains;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tests::corpus::OfficialSplit;
use tests::harness::{BuiltDataset, Collection, Program, json_line};

/// Mel settings for clips of one second, which make builds fast.
pub const SMALL_FEATURES: &str =
    "--sample-rate 16000 --clip-samples 16384 --n-fft 512 --hop-length 256 --n-mels 32 --top-db 70";

/// The ten tags of the preset `magnatagatune`.
const TEN_TAGS: &str = "guitar,classical,slow,techno,strings,drums,electronic,rock,fast,piano";

fn build(collection: &Collection, more: &[&str]) -> (BuiltDataset, serde_json::Value) {
    let dataset = BuiltDataset::empty();
    let assert = Program::Preprocess
        .command(collection.build_arguments(&dataset.path()))
        .args(SMALL_FEATURES.split(' '))
        .args(more)
        .arg("--json")
        .assert()
        .success();
    (dataset, json_line(&assert))
}

/// A multi-label data set. Read only.
fn tagged() -> &'static BuiltDataset {
    static TAGGED: LazyLock<BuiltDataset> =
        LazyLock::new(|| build(Collection::magnatagatune(), &["--tags", TEN_TAGS]).0);
    &TAGGED
}

fn index(dataset: &BuiltDataset) -> serde_json::Value {
    serde_json::from_str(&dataset.text("dataset.json")).unwrap()
}

fn labels(cell: &str) -> BTreeSet<&str> {
    cell.split('|').filter(|label| !label.is_empty()).collect()
}

#[test]
fn magnatagatune_clips_have_the_requested_tags_of_their_annotations() {
    let (collection, dataset) = (Collection::magnatagatune(), tagged());
    let wanted = labels_of_ten();
    let (mut kept, mut dropped) = (BTreeMap::new(), BTreeMap::new());
    for clip in collection.tracks() {
        let tags: BTreeSet<&str> = clip.labels.iter().copied().filter(|tag| wanted.contains(tag)).collect();
        if tags.is_empty() {
            dropped.insert(clip.id.to_string(), "unlabelled".to_owned());
        } else if clip.damage.is_some() {
            dropped.insert(clip.id.to_string(), "no_frames".to_owned());
        } else {
            kept.insert(clip.id.to_string(), (tags, clip));
        }
    }
    assert!(
        dropped.values().filter(|reason| *reason == "unlabelled").count() >= 3,
        "{dropped:?}"
    );
    assert_eq!(dataset.rejected(), dropped);
    let rows = dataset.table("tracks.csv");
    assert_eq!(rows.len(), kept.len());
    for row in &rows {
        let (tags, clip) = &kept[&row["track_id"]];
        assert_eq!(labels(&row["labels"]), *tags);
        assert_eq!(row["path"], clip.path.strip_prefix("audio/").unwrap());
        assert_eq!(row["artist"], clip.artist_name.to_lowercase().replace(' ', "_"));
        assert!(row["album"].starts_with("volume_"), "{row:?}");
        let set = match clip.split {
            OfficialSplit::Training => "train",
            OfficialSplit::Validation => "val",
            OfficialSplit::Test => "test",
        };
        assert_eq!(row["official_split"], set);
        assert_eq!(
            (row["source_rate"].as_str(), row["source_channels"].as_str()),
            ("16000", "1")
        );
    }
    let index = index(dataset);
    assert_eq!(index["task"], "multi-label");
    assert_eq!(index["source"]["name"], "magnatagatune");
    assert_eq!(index["features"]["f_max"], 8000.0);
    let classes: BTreeSet<&str> = index["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class.as_str().unwrap())
        .collect();
    assert!(classes.is_subset(&wanted) && classes.len() >= 7, "{classes:?}");
    Program::Preprocess
        .command(["verify"])
        .arg(dataset.path())
        .assert()
        .success();
}

fn labels_of_ten() -> BTreeSet<&'static str> {
    TEN_TAGS.split(',').collect()
}

#[test]
fn all_tags_are_used_by_default() {
    let (dataset, summary) = build(Collection::magnatagatune(), &[]);
    assert_eq!(summary["reasons"], serde_json::json!({ "no_frames": 1 }));
    assert!(
        index(&dataset)["classes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|class| class == "harpsichord")
    );
}

#[test]
fn invalid_annotations_are_refused() {
    let collection = Collection::magnatagatune();
    let dataset = BuiltDataset::empty();
    let table = dataset.path().with_file_name("annotations.csv");
    let refused = |content: &str, tags: &str, expected: &str| {
        fs::write(&table, content).unwrap();
        let mut command = Program::Preprocess.command(["build", "--source", "magnatagatune", "--audio"]);
        let command = command.arg(collection.audio()).arg("--metadata").arg(&table);
        let command = command.arg("--out").arg(dataset.path()).args(["--tags", tags]);
        command.assert().code(1).stderr(contains(expected));
        assert!(!dataset.path().exists());
    };
    let header = "\"clip_id\"\t\"rock\"\t\"mp3_path\"\n";
    refused(&format!("{header}1\t1\t0/a.mp3\n"), "polka", "has no tag `polka`");
    refused("track_id,genre\n", "rock", "annotations_final.csv");
}

#[test]
fn gtzan_is_read_as_wav_and_au_and_its_corrupt_file_is_dropped() {
    let collection = Collection::gtzan();
    let (dataset, summary) = build(collection, &["--preset", "gtzan"]);
    let corrupt: Vec<_> = collection
        .tracks()
        .iter()
        .filter(|track| track.damage.is_some())
        .collect();
    assert_eq!((corrupt.len(), corrupt[0].labels[0]), (1, "jazz"));
    assert_eq!(
        dataset.rejected(),
        [(corrupt[0].id.to_string(), "no_frames".to_owned())].into()
    );
    let rows = dataset.table("tracks.csv");
    assert_eq!(rows.len() + 1, collection.tracks().len());
    assert_eq!(rows.iter().filter(|row| row["path"].ends_with(".au")).count(), 1);
    for row in &rows {
        let genre = row["path"].split('/').next().unwrap();
        assert_eq!(row["labels"], genre);
        assert_eq!(
            (row["source_rate"].as_str(), row["bad_frames"].as_str()),
            ("22050", "0")
        );
        let track = collection
            .tracks()
            .iter()
            .find(|track| track.id.to_string() == row["track_id"])
            .unwrap();
        let expected = (f64::from(track.seconds) * 16_000.0).round();
        assert!(
            (row["samples"].parse::<f64>().unwrap() - expected).abs() <= 2.0,
            "{row:?}"
        );
    }
    assert!(
        index(&dataset).get("task").is_none(),
        "a single-label data set has no `task`"
    );
    let warnings = summary["warnings"].as_array().unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning == "gtzan should have 1000 tracks in its source but has 24")
    );
    // A grouped split needs artists.
    dataset
        .split("--strategy grouped")
        .code(1)
        .stderr(contains("does not name the artist of any track"));
    let tracks = dataset.table("tracks.csv").len();
    let split = dataset
        .split("--strategy stratified --ratios 60,40,0")
        .success()
        .stdout(contains("unknown   artists of all tracks, albums of all tracks"));
    assert_eq!(json_line(&split)["leaks"]["unknown_artists"], tracks);
}

/// Copies files of several collections into class, artist and album directories.
pub fn folder(root: &Path) {
    let genres = Collection::gtzan();
    let [wave, sun_audio] = ["wav", "au"].map(|extension| {
        let intact = genres.tracks().iter().filter(|track| track.damage.is_none());
        let mut matching = intact.filter(|track| track.path.ends_with(extension));
        genres.file(matching.next().unwrap())
    });
    let clips = Collection::magnatagatune();
    let clip = clips.tracks().iter().find(|clip| clip.damage.is_none()).unwrap();
    for (from, to) in [
        (&wave, "Loud/Some Band/First Album/one.wav"),
        // A `.au` file with the extension `.wav`.
        (&sun_audio, "Loud/two.wav"),
        (&clips.file(clip), "Quiet/Somebody/three.mp3"),
        (&wave, "loose.wav"),
    ] {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
    fs::write(root.join("Quiet/four.flac"), b"fLaC").unwrap();
    fs::write(root.join("Quiet/cover.jpg"), b"\xff\xd8\xff").unwrap();
}

#[test]
fn folder_has_one_class_per_directory_and_files_of_any_format() {
    let (music, dataset) = (BuiltDataset::empty(), BuiltDataset::empty());
    let root = music.path();
    folder(&root);
    let build = |dataset: &BuiltDataset| {
        let mut command = Program::Preprocess.command(["build", "--source", "folder", "--audio"]);
        command
            .arg(&root)
            .arg("--out")
            .arg(dataset.path())
            .args(SMALL_FEATURES.split(' '))
            .assert()
            .success();
    };
    build(&dataset);
    let rows: BTreeMap<String, _> = dataset
        .table("tracks.csv")
        .into_iter()
        .map(|row| (row["path"].clone(), row))
        .collect();
    let facts: Vec<_> = rows
        .iter()
        .map(|(path, row)| [path, &row["labels"], &row["artist"], &row["album"]].map(String::as_str))
        .collect();
    assert_eq!(
        facts,
        [
            ["Loud/Some Band/First Album/one.wav", "Loud", "Some Band", "First Album"],
            ["Loud/two.wav", "Loud", "", ""],
            ["Quiet/Somebody/three.mp3", "Quiet", "Somebody", ""],
        ]
    );
    let dropped = dataset.table("rejected.csv").into_iter();
    let dropped: Vec<_> = dropped
        .map(|row| (row["path"].clone(), row["reason"].clone()))
        .collect();
    let expected = [("Quiet/four.flac", "no_frames"), ("loose.wav", "unlisted")];
    assert_eq!(
        dropped,
        expected.map(|(path, reason)| (path.to_owned(), reason.to_owned()))
    );
    // Adding a file does not change the ids of the others.
    fs::copy(root.join("loose.wav"), root.join("Loud/another.wav")).unwrap();
    let larger = BuiltDataset::empty();
    build(&larger);
    let after = larger.table("tracks.csv");
    assert_eq!(after.len(), 4);
    for (path, row) in rows {
        let same = after.iter().find(|other| other["path"] == path).unwrap();
        assert_eq!(same["track_id"], row["track_id"]);
    }
}

#[test]
fn missing_or_superfluous_metadata_table_is_a_usage_error() {
    let dataset = BuiltDataset::empty();
    for (source, more, expected) in [
        ("magnatagatune", &[][..], "--source magnatagatune needs --metadata"),
        ("fma", &[], "--source fma needs --metadata"),
        ("gtzan", &["--metadata", "t.csv"], "--source gtzan takes no --metadata"),
        (
            "folder",
            &["--metadata", "t.csv"],
            "--source folder takes no --metadata",
        ),
        ("folder", &["--preset", "gtzan"], "--source folder contradicts it"),
        ("gtzan", &["--hop-length", "1000"], "clip_samples must be a multiple"),
    ] {
        let mut command = Program::Preprocess.command(["build", "--source", source, "--audio", ".", "--out"]);
        command
            .arg(dataset.path())
            .args(more)
            .assert()
            .code(2)
            .stderr(contains(expected));
        assert!(!dataset.path().exists());
    }
}

#[test]
fn multi_label_data_set_can_be_split_by_every_strategy() {
    for strategy in ["random", "stratified", "grouped"] {
        let dataset = tagged().copy();
        let arguments = format!("--strategy {strategy} --ratios 60,20,20 --name mine");
        dataset.split(&arguments).success();
        let mut seen = BTreeSet::new();
        let mut label_counts: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
        for set in ["train", "val", "test"] {
            let rows = dataset.table(&format!("splits/mine/{set}.csv"));
            assert!(!rows.is_empty(), "{strategy}: {set}");
            for row in rows {
                assert!(seen.insert(row["track_id"].clone()), "{strategy}: {row:?}");
                for label in labels(&row["labels"]) {
                    *label_counts
                        .entry(label.to_owned())
                        .or_default()
                        .entry(set)
                        .or_default() += 1;
                }
            }
        }
        assert_eq!(seen.len(), dataset.table("tracks.csv").len(), "{strategy}");
        if strategy == "stratified" {
            for (label, counts) in label_counts {
                let total: usize = counts.values().sum();
                assert!(total < 5 || counts.len() == 3, "{label}: {counts:?}");
            }
        }
        Program::Preprocess
            .command(["verify"])
            .arg(dataset.path())
            .assert()
            .success();
    }
}

#[test]
fn inspect_counts_labels_and_plots_their_correlation() {
    let dataset = tagged().copy();
    let out = tempfile::tempdir().unwrap();
    let svg = out.path().join("labels.svg");
    let mut command = Program::Preprocess.command(["inspect", "--labels", "--json", "--svg"]);
    let assert = command.arg(&svg).arg(dataset.path()).assert().success();
    let assert = assert.stdout(contains("most strongly correlated"));
    let summary = json_line(&assert);
    let rows = dataset.table("tracks.csv");
    let names: Vec<&str> = summary["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let has = |row: &BTreeMap<String, String>, label: &str| labels(&row["labels"]).contains(label);
    for (a, first) in names.iter().enumerate() {
        let count = rows.iter().filter(|row| has(row, first)).count();
        assert_eq!(summary["counts"][a], count, "{first}");
        for (b, second) in names.iter().enumerate() {
            let both = rows.iter().filter(|row| has(row, first) && has(row, second)).count();
            assert_eq!(summary["together"][a][b], both, "{first} {second}");
        }
        assert!((summary["phi"][a][a].as_f64().unwrap() - 1.0).abs() < 1e-9);
    }
    let mut histogram = vec![0; summary["labels_per_track"].as_array().unwrap().len()];
    for row in &rows {
        histogram[labels(&row["labels"]).len()] += 1;
    }
    assert_eq!(summary["labels_per_track"], serde_json::json!(histogram));
    assert_eq!(summary["task"], "multi-label");
    let picture = fs::read_to_string(&svg).unwrap();
    assert!(
        picture.starts_with("<svg")
            && names
                .iter()
                .all(|name| picture.contains(&format!("{name} and {name}: 1.00")))
    );
    // It also works for single-label data sets.
    let mut genres = Program::Preprocess.command(["inspect", "--labels"]);
    let genres = genres.arg(BuiltDataset::small().path()).assert().success();
    genres.stdout(contains("1.00 labels per track"));
}
