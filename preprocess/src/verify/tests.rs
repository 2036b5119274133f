//! Data sets that are damaged on purpose.

use super::repair::repair;
use super::*;
use crate::split::{self, FoldsConfig, Method, Ratios, SplitConfig, Strategy};
use crate::testing::{NoProgress, contents, three_tracks, tone};
use shared::dataset::shard::DATA_START;
use std::fs;
use std::path::Path;

fn found(root: &Path) -> Vec<(String, String)> {
    let report = verify(root, &NoProgress).unwrap();
    let describe = |problem: Problem| (problem.file, problem.detail);
    report.problems.into_iter().map(describe).collect()
}

fn flip(path: &Path, at: usize) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 1;
    fs::write(path, content).unwrap();
}

fn split(root: &Path) {
    let config = SplitConfig {
        dataset: root.to_owned(),
        name: Some("first".into()),
        strategy: Strategy::Drawn {
            method: Method::Random,
            ratios: Ratios::default(),
            seed: 1,
        },
    };
    split::make(&config).unwrap();
}

const WAVEFORM: &str = "shards/waveform-00000.safetensors";
const MEL: &str = "shards/mel-00000.safetensors";

#[test]
fn flipped_bit_is_reported_in_its_file() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split(&root);
    assert_eq!(found(&root), []);
    for (path, content) in contents(&root) {
        let (file, path) = (path.to_string_lossy().into_owned(), root.join(path));
        // The next test covers split.json; the lock file is empty.
        if file == "splits/first/split.json" || file == "splits/.lock" {
            continue;
        }
        // The line break after the current split's name is not part of the name.
        let length = content.len() - usize::from(file == "splits/current");
        // Includes the padding of a shard's header.
        for at in [0, length / 3, DATA_START.min(length) - 1, length - 1] {
            flip(&path, at);
            match verify(&root, &NoProgress) {
                Ok(report) => assert!(
                    report.problems.iter().any(|problem| problem.file == file),
                    "byte {at} of {file}: {:?}",
                    report.problems
                ),
                Err(error) => assert!(file == "dataset.json", "{error}"),
            }
            flip(&path, at);
        }
    }
    assert_eq!(found(&root), []);
}

#[test]
fn changed_split_json_is_reported() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split(&root);
    let path = root.join("splits/first/split.json");
    let json = fs::read_to_string(&path).unwrap();
    for (from, to, expected) in [
        ("\"name\": \"first\"", "\"name\": \"other\"", "checksum"),
        ("\"Folk\": 1", "\"Folk\": 2", "checksum"),
        (
            "\"albums\": []",
            "\"albums\": [{\"name\": \"x\", \"tracks\": {}}]",
            "checksum",
        ),
        ("\"seed\": 1", "\"seed\": one", "expected value"),
    ] {
        let changed = json.replacen(from, to, 1);
        assert_ne!(changed, json, "{from}");
        fs::write(&path, changed).unwrap();
        let found = found(&root);
        assert!(
            found
                .iter()
                .any(|(file, detail)| file == "splits/first/split.json" && detail.contains(expected)),
            "{from}: {found:?}"
        );
    }
}

#[test]
fn incomplete_folds_and_untested_tracks_are_reported() {
    let mut collection = three_tracks();
    collection.track(1004, "Folk", &tone(7, 185));
    collection.build("out").unwrap();
    let root = collection.out("out");
    let folds = |seed| {
        let config = FoldsConfig {
            dataset: root.clone(),
            name: Some("mine".into()),
            method: Method::Random,
            folds: 4,
            seed,
        };
        split::make_folds(&config).unwrap();
    };
    folds(1);
    assert_eq!(found(&root), []);
    let (fold, kept) = (root.join("splits/mine-2"), root.join("kept"));
    fs::rename(&fold, &kept).unwrap();
    let problems = found(&root);
    assert!(
        matches!(problems.as_slice(), [(file, detail)] if file == "splits/mine-*" && detail.contains("lacks fold 2 of 4")),
        "{problems:?}"
    );
    // The second fold is replaced by that of another division.
    fs::remove_dir_all(root.join("splits")).unwrap();
    let seed = (2..)
        .find(|&seed| {
            folds(seed);
            let same = fs::read(fold.join("test.csv")).unwrap() == fs::read(kept.join("test.csv")).unwrap();
            if same {
                fs::remove_dir_all(root.join("splits")).unwrap();
            }
            !same
        })
        .unwrap();
    fs::remove_dir_all(&fold).unwrap();
    fs::rename(&kept, &fold).unwrap();
    let problems = found(&root);
    assert!(
        problems
            .iter()
            .any(|(_, detail)| detail.contains("test set of exactly one fold")),
        "{seed}: {problems:?}"
    );
}

#[test]
fn split_without_its_description_is_reported() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split(&root);
    fs::create_dir(root.join("splits/second")).unwrap();
    let problems = found(&root);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0].0, "splits/second/split.json");
}

#[test]
fn splits_are_read_when_no_other_process_writes_them() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split(&root);
    let (place, aside) = (root.join("splits/first"), root.join("splits/.first"));
    let lock = fs::File::open(root.join("splits/.lock")).unwrap();
    lock.lock().unwrap();
    fs::rename(&place, &aside).unwrap();
    std::thread::scope(|scope| {
        let verifying = scope.spawn(|| found(&root));
        std::thread::sleep(std::time::Duration::from_millis(300));
        fs::rename(&aside, &place).unwrap();
        lock.unlock().unwrap();
        assert_eq!(verifying.join().unwrap(), []);
    });
}

#[test]
fn missing_files_and_a_dangling_current_split_are_named() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split(&root);
    fs::write(root.join("splits/current"), "second\n").unwrap();
    fs::remove_file(root.join(MEL)).unwrap();
    fs::remove_file(root.join("rejected.csv")).unwrap();
    let files: Vec<_> = found(&root).into_iter().map(|(file, _)| file).collect();
    assert_eq!(files, ["rejected.csv", MEL, "splits/current"]);
}

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn verify_and_repair(root: &Path, audio: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let problems = verify(root, &NoProgress).unwrap().problems;
    repair(root, &problems, audio, &pool())
}

#[test]
fn damaged_shards_are_rebuilt_byte_for_byte() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let before = contents(&root);
    flip(&root.join(WAVEFORM), DATA_START + 9);
    assert_eq!(verify_and_repair(&root, None).unwrap(), [WAVEFORM]);
    // Without audio files, a spectrogram is computed from the waveform, and intact tensors are copied.
    let elsewhere = collection.out("elsewhere");
    fs::rename(collection.audio(), &elsewhere).unwrap();
    flip(&root.join(MEL), DATA_START + 9);
    assert_eq!(verify_and_repair(&root, None).unwrap(), [MEL]);
    fs::remove_file(root.join(WAVEFORM)).unwrap();
    flip(&root.join(MEL), 30);
    let error = verify_and_repair(&root, None).unwrap_err().to_string();
    assert!(error.contains("000/000002.mp3") && error.contains("--audio"), "{error}");
    assert_eq!(verify_and_repair(&root, Some(&elsewhere)).unwrap(), [WAVEFORM, MEL]);
    assert_eq!(contents(&root), before);
    assert_eq!(verify_and_repair(&root, None).unwrap(), [""; 0]);
}

#[test]
fn changed_audio_file_is_not_used_for_a_repair() {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    collection.file("000/000005.mp3", &tone(5, 191));
    // The first tensor is rebuilt; the second is intact, so its file is not read.
    flip(&root.join(WAVEFORM), DATA_START + 9);
    assert_eq!(verify_and_repair(&root, None).unwrap(), [WAVEFORM]);
    fs::remove_file(root.join(WAVEFORM)).unwrap();
    let before = contents(&root);
    let error = verify_and_repair(&root, None).unwrap_err().to_string();
    assert!(error.starts_with("track 5, rebuilt from"), "{error}");
    assert_eq!(contents(&root), before);
}

#[test]
fn data_set_that_grew_is_valid_with_its_earlier_splits() {
    let mut collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split(&root);
    collection.track(1, "Blues", &tone(7, 195));
    collection.build("out").unwrap();
    assert_eq!(found(&root), []);
    let counts = root.join("splits/first/train.csv");
    let list = fs::read_to_string(&counts).unwrap();
    fs::write(&counts, list + "1,Blues\n").unwrap();
    assert_eq!(found(&root).len(), 1);
}

#[cfg(unix)]
#[test]
fn shard_that_is_a_link_to_outside_is_not_read() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let (root, elsewhere) = (collection.out("out"), collection.out("elsewhere"));
    fs::rename(root.join(MEL), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, root.join(MEL)).unwrap();
    let problems = found(&root);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].0 == MEL && problems[0].1.contains("leads out of the data set"),
        "{problems:?}"
    );
}
