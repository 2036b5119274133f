//! `preprocess split`: strategies, folds, leak audit and normalization.

use predicates::str::contains;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use tests::corpus::OfficialSplit;
use tests::harness::{BuiltDataset, Collection, Program, Tree, json_line};

const SETS: [&str; 3] = ["train", "val", "test"];

/// Track ids of each set of a split.
fn sets(dataset: &BuiltDataset, name: &str) -> BTreeMap<&'static str, BTreeSet<String>> {
    SETS.map(|set| {
        let rows = dataset.table(&format!("splits/{name}/{set}.csv"));
        (set, rows.into_iter().map(|row| row["track_id"].clone()).collect())
    })
    .into()
}

fn column(dataset: &BuiltDataset, name: &str) -> BTreeMap<String, String> {
    dataset
        .table("tracks.csv")
        .into_iter()
        .map(|row| (row["track_id"].clone(), row[name].clone()))
        .collect()
}

fn split_json(dataset: &BuiltDataset, name: &str) -> serde_json::Value {
    serde_json::from_str(&dataset.text(&format!("splits/{name}/split.json"))).unwrap()
}

/// Artists with tracks in more than one set, computed independently of the program.
fn leaking_artists(dataset: &BuiltDataset, name: &str) -> BTreeSet<String> {
    let artists = column(dataset, "artist");
    let mut places: BTreeMap<&String, BTreeSet<&str>> = BTreeMap::new();
    let sets = sets(dataset, name);
    for (set, ids) in &sets {
        for id in ids {
            places.entry(&artists[id]).or_default().insert(set);
        }
    }
    let leaking = places.into_iter().filter(|(_, sets)| sets.len() > 1);
    leaking.map(|(artist, _)| artist.clone()).collect()
}

#[test]
fn every_strategy_assigns_each_track_once_and_depends_on_the_seed() {
    for strategy in ["random", "stratified", "grouped"] {
        let bytes = |seed: &str| {
            let dataset = BuiltDataset::small().copy();
            dataset
                .split(&format!("--strategy {strategy} --seed {seed} --name mine"))
                .success();
            let sets = sets(&dataset, "mine");
            let all: Vec<&String> = sets.values().flatten().collect();
            assert_eq!(all.len(), dataset.table("tracks.csv").len(), "{strategy}");
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{strategy}");
            assert!(sets.values().all(|set| !set.is_empty()), "{strategy}");
            assert_eq!(dataset.text("splits/current").trim(), "mine");
            Tree::read(&dataset.path().join("splits")).unwrap()
        };
        assert_eq!(bytes("5").differences(&bytes("5")), [""; 0], "{strategy}");
        assert!(!bytes("5").differences(&bytes("6")).is_empty(), "{strategy}");
    }
}

#[test]
fn grouped_split_has_no_artist_in_two_sets() {
    let dataset = BuiltDataset::small().copy();
    for seed in ["0", "1", "2"] {
        let name = format!("grouped-{seed}-here");
        let arguments = format!("--strategy grouped --ratios 60,20,20 --seed {seed} --name {name}");
        let summary = json_line(&dataset.split(&arguments).success());
        assert_eq!(leaking_artists(&dataset, &name), BTreeSet::new());
        assert_eq!(summary["leaks"]["artists"], 0);
        assert_eq!(split_json(&dataset, &name)["leaks"]["artists"], serde_json::json!([]));
    }
}

#[test]
fn random_split_lists_its_leaking_artists() {
    let dataset = BuiltDataset::small().copy();
    let arguments = "--strategy random --ratios 40,30,30 --name random";
    let summary = json_line(&dataset.split(arguments).success());
    let leaking = leaking_artists(&dataset, "random");
    assert!(!leaking.is_empty());
    assert_eq!(summary["leaks"]["artists"], leaking.len());
    let split = split_json(&dataset, "random");
    let sets = sets(&dataset, "random");
    let artists = column(&dataset, "artist");
    let mut named = BTreeSet::new();
    for leak in split["leaks"]["artists"].as_array().unwrap() {
        let artist = leak["name"].as_str().unwrap();
        named.insert(artist.to_owned());
        for (set, tracks) in leak["tracks"].as_object().unwrap() {
            for track in tracks.as_array().unwrap() {
                assert!(sets[set.as_str()].contains(&track.to_string()), "{leak}");
                assert_eq!(artists[&track.to_string()], artist);
            }
        }
    }
    assert_eq!(named, leaking);
}

#[test]
fn recording_in_two_sets_is_listed_even_if_its_artists_differ() {
    let collection = Collection::first_tracks(6);
    let (first, second) = (&collection.tracks()[0], &collection.tracks()[1]);
    fs::copy(collection.file(first), collection.file(second)).unwrap();
    let dataset = BuiltDataset::build(&collection);
    // With six tracks in three sets of about equal size, some seed puts the two into different sets.
    let leaks = (0..20).map(|seed| {
        let (name, seed) = (format!("random-{seed}-here"), seed.to_string());
        let arguments = format!("--strategy random --ratios 34,33,33 --seed {seed} --name {name}");
        dataset.split(&arguments).success();
        let apart = sets(&dataset, &name)
            .values()
            .all(|set| !(set.contains(&first.id.to_string()) && set.contains(&second.id.to_string())));
        let leaks = split_json(&dataset, &name)["leaks"]["recordings"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(leaks, usize::from(apart), "{name}");
        leaks
    });
    assert!(leaks.sum::<usize>() > 0);
}

#[test]
fn stratified_split_has_every_genre_in_every_set() {
    let dataset = BuiltDataset::small().copy();
    dataset
        .split("--strategy stratified --ratios 34,33,33 --name even")
        .success();
    let genres = column(&dataset, "labels");
    let mut counts = BTreeMap::new();
    for genre in genres.values() {
        *counts.entry(genre).or_insert(0) += 1;
    }
    for (set, ids) in sets(&dataset, "even") {
        let present: BTreeSet<&String> = ids.iter().map(|id| &genres[id]).collect();
        let expected: BTreeSet<&String> = counts
            .iter()
            .filter(|(_, count)| **count >= 3)
            .map(|(genre, _)| *genre)
            .collect();
        assert!(
            expected.len() >= 4 && present.is_superset(&expected),
            "{set}: {present:?}"
        );
    }
}

#[test]
fn official_split_is_that_of_the_collection() {
    let dataset = BuiltDataset::small().copy();
    dataset.split("--strategy official --name theirs").success();
    let sets = sets(&dataset, "theirs");
    let kept = column(&dataset, "artist");
    let mut checked = BTreeSet::new();
    for track in Collection::small().tracks() {
        let id = track.id.to_string();
        if !kept.contains_key(&id) {
            continue;
        }
        let set = match track.split {
            OfficialSplit::Training => "train",
            OfficialSplit::Validation => "val",
            OfficialSplit::Test => "test",
        };
        assert!(sets[set].contains(&id), "track {id} should be in {set}");
        checked.insert(set);
    }
    assert_eq!(checked.len(), 3);
}

#[test]
fn official_split_is_refused_if_the_collection_has_no_split() {
    let collection = Collection::first_tracks(3);
    collection.edit_metadata(|line| {
        let line = line.replace(",training,", ",,").replace(",validation,", ",,");
        line.replace(",test,", ",,")
    });
    let dataset = BuiltDataset::build(&collection);
    dataset.split("--strategy official").code(1).stderr(contains("split"));
    assert!(!dataset.path().join("splits/current").exists());
}

#[test]
fn invalid_ratios_are_refused() {
    let dataset = BuiltDataset::small().copy();
    for ratios in [
        "80,20",
        "80,10,10,0",
        "a,b,c",
        "0,50,50",
        "nan,1,1",
        "inf,1,1",
        "80,-10,30",
        "80,10,20",
        "3,1,0",
        "",
    ] {
        let argument = format!("--ratios={ratios}");
        dataset.split(&argument).code(2).stderr(contains("--ratios"));
    }
    assert!(!dataset.path().join("splits").exists());
}

#[test]
fn existing_split_is_never_overwritten() {
    let dataset = BuiltDataset::small().copy();
    let first = json_line(&dataset.split("--strategy random --name mine").success());
    assert_eq!(first["existed"], false);
    let before = Tree::read(&dataset.path()).unwrap();
    let again = json_line(&dataset.split("--strategy random --name mine").success());
    assert_eq!(again["existed"], true);
    dataset
        .split("--strategy random --seed 9 --name mine")
        .code(1)
        .stderr(contains("--name"));
    dataset.split("--name ../mine").code(2).stderr(contains("../mine"));
    assert_eq!(before.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);
}

#[test]
fn pruning_keeps_only_the_current_split() {
    let dataset = BuiltDataset::small().copy();
    for seed in ["1", "2", "3"] {
        dataset.split(&format!("--strategy random --seed {seed}")).success();
    }
    let current = dataset.text("splits/current").trim().to_owned();
    let removed = json_line(&dataset.split("--prune").success());
    assert_eq!(removed["removed"].as_array().unwrap().len(), 2);
    let left: Vec<String> = fs::read_dir(dataset.path().join("splits"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "current" && name != ".lock")
        .collect();
    assert_eq!(left, [current]);
}

#[test]
fn grouped_folds_test_every_track_once_and_share_no_artists() {
    let dataset = BuiltDataset::small().copy();
    let mut extend = Program::Preprocess.command(["extend", "--feature", "mel", "--n-mels", "32", "--name", "few"]);
    extend.arg(dataset.path()).assert().success();
    let arguments = "--strategy grouped --folds 3 --name mine";
    let printed = json_line(&dataset.split(arguments).success());
    assert_eq!((&printed["name"], &printed["existed"]), (&"mine".into(), &false.into()));
    let folds: Vec<_> = (1..=3)
        .map(|number| sets(&dataset, &format!("mine-{number}")))
        .collect();
    let mut tested: Vec<&String> = folds.iter().flat_map(|fold| &fold["test"]).collect();
    tested.sort();
    let mut tracks: Vec<String> = column(&dataset, "artist").into_keys().collect();
    tracks.sort();
    assert_eq!(tested, tracks.iter().collect::<Vec<_>>());
    for (at, fold) in folds.iter().enumerate() {
        let name = format!("mine-{}", at + 1);
        assert_eq!(fold["val"], folds[(at + 1) % 3]["test"]);
        assert_eq!(fold["train"], folds[(at + 2) % 3]["test"]);
        assert_eq!(leaking_artists(&dataset, &name), BTreeSet::new());
        let split = split_json(&dataset, &name);
        let expected = serde_json::json!({ "name": "mine", "number": at + 1, "of": 3 });
        assert_eq!(
            (&split["fold"], &split["ratios"]),
            (&expected, &serde_json::Value::Null)
        );
        let summary = &printed["folds"][at];
        assert_eq!(summary["name"], name);
        assert_eq!(summary["sizes"]["test"], fold["test"].len());
        assert_eq!(summary["leaks"]["artists"], 0);
    }
    assert_eq!(dataset.text("splits/current").trim(), "mine-1");
    // The feature set has the same folds.
    assert_eq!(dataset.text("features/few/splits/current").trim(), "mine-1");
    let list = |root: &str| dataset.text(&format!("{root}splits/mine-3/test.csv"));
    assert_eq!(list("features/few/"), list(""));
    let before = Tree::read(&dataset.path()).unwrap();
    assert_eq!(json_line(&dataset.split(arguments).success())["existed"], true);
    assert_eq!(before.differences(&Tree::read(&dataset.path()).unwrap()), [""; 0]);
    Program::Preprocess
        .command(["verify"])
        .arg(dataset.path())
        .assert()
        .success();
}

#[test]
fn normalization_is_computed_from_the_training_tracks() {
    let dataset = BuiltDataset::small().copy();
    dataset.split("--strategy stratified --name mine").success();
    let normalization: serde_json::Value =
        serde_json::from_str(&dataset.text("splits/mine/normalization.json")).unwrap();
    let training = &sets(&dataset, "mine")["train"];
    let shard = fs::read(dataset.path().join("shards/waveform-00000.safetensors")).unwrap();
    let shard = safetensors::SafeTensors::deserialize(&shard).unwrap();
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for id in training {
        for bytes in shard.tensor(id).unwrap().data().chunks_exact(2) {
            let sample = f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0;
            count += 1.0;
            sum += sample;
            squares += sample * sample;
        }
    }
    let mean = sum / count;
    let std = (squares / count - mean * mean).sqrt();
    let stored = |name: &str| normalization[name].as_f64().unwrap();
    assert_eq!(stored("tracks"), training.len() as f64);
    assert!((stored("waveform_mean") - mean).abs() < 1e-7);
    assert!((stored("waveform_std") / std - 1.0).abs() < 1e-6);
    assert_eq!(normalization["mel_mean"].as_array().unwrap().len(), 128);
}

#[test]
fn split_of_a_directory_without_data_set_is_refused() {
    let dataset = BuiltDataset::empty();
    Program::Preprocess
        .command(["split"])
        .arg(dataset.path())
        .assert()
        .code(1)
        .stderr(contains("is not a data set"));
}
