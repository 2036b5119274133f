//! `train embed` of audio files, and `train similar`.

use crate::papers::{fit, genres};
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::harness::{Collection, Program, json_line};

/// A run, and a library in `music` with a copy of one of its songs and a corrupt file.
struct Home {
    root: TempDir,
    song: PathBuf,
}

static HOME: LazyLock<Home> = LazyLock::new(|| {
    let root = TempDir::new().unwrap();
    let music = root.path().join("music");
    fs::create_dir(&music).unwrap();
    fit(
        &genres().path(),
        "choi-crnn",
        &root.path().join("run"),
        &["--clip-seconds", "0.4"],
    )
    .assert()
    .success();
    let collection = Collection::gtzan();
    for track in collection.tracks() {
        let file = collection.file(track);
        fs::copy(&file, music.join(file.file_name().unwrap())).unwrap();
    }
    let song = music.join("disco.00001.wav");
    fs::copy(&song, music.join("copy.wav")).unwrap();
    Home { root, song }
});

impl Home {
    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn train(&self, command: &str, words: &[&str]) -> assert_cmd::Command {
        let mut train = Program::Train.command([command, "--device", "cpu", "--json", "--run", "run"]);
        train.current_dir(self.root.path()).args(words);
        train
    }
}

fn found(answer: &Value) -> Vec<(String, f64)> {
    let files = answer["files"].as_array().unwrap().iter().enumerate();
    files
        .map(|(at, file)| {
            assert_eq!(file["rank"], at + 1);
            let path = Path::new(file["path"].as_str().unwrap());
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, file["similarity"].as_f64().unwrap())
        })
        .collect()
}

#[test]
fn copy_of_a_song_is_the_most_similar_file_of_a_library() {
    let home = &*HOME;
    let song = home.song.display().to_string();
    let (table, playlist) = (home.path("similar.csv"), home.path("list/similar.m3u8"));
    fs::create_dir(home.path("list")).unwrap();
    let outputs = ["--top", "4", "--csv", "similar.csv", "--playlist", "list/similar.m3u8"];
    let mut command = home.train("similar", &["music", &song]);
    let assert = command.args(outputs).assert().success();
    // A corrupt file is a warning.
    let assert = assert.stderr(contains("music/jazz."));
    let answer = json_line(&assert);
    let list = found(&answer);
    assert_eq!((list.len(), answer["failed"].as_u64()), (4, Some(1)));
    assert_eq!(list[0].0, "copy.wav");
    assert!((list[0].1 - 1.0).abs() < 1e-6, "{list:?}");
    assert!(list.iter().all(|(name, _)| name != "disco.00001.wav"), "{list:?}");
    assert!(list.windows(2).all(|pair| pair[0].1 >= pair[1].1) && list[1].1 < 1.0 - 1e-6);
    let text = fs::read_to_string(&table).unwrap();
    assert!(
        text.starts_with("rank,similarity,path\n1,1.000000,music/copy.wav\n2,"),
        "{text}"
    );
    let text = fs::read_to_string(&playlist).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let copy = fs::canonicalize(home.path("music/copy.wav")).unwrap();
    assert_eq!(
        (lines.len(), lines[0], lines[1]),
        (5, "#EXTM3U", copy.to_str().unwrap())
    );

    // Existing files are replaced only with `--force`.
    home.train("similar", &["music", &song])
        .args(outputs)
        .assert()
        .code(1)
        .stderr(contains("similar.csv exists; add --force"));
    home.train("similar", &["music", &song, "--force"])
        .args(outputs)
        .assert()
        .success();

    // An embedded library gives the same list.
    let embed = |more: &[&str]| {
        let mut command = home.train("embed", &["--out", "music.safetensors", "music"]);
        command.args(more).assert()
    };
    let embedded = json_line(
        &embed(&[])
            .code(1)
            .stderr(contains("1 of 25 files could not be decoded")),
    );
    assert_eq!(
        (&embedded["rows"], &embedded["failed"][0]["reason"]),
        (&24.into(), &"no_frames".into())
    );
    embed(&[])
        .code(1)
        .stderr(contains("music.safetensors exists; add --force"));
    embed(&["--force", "--jobs", "1"]).code(1);
    let again = home
        .train("similar", &["music.safetensors", &song, "--top", "4"])
        .assert();
    let again = found(&json_line(&again.success()));
    for ((name, similarity), (expected, other)) in again.iter().zip(&list) {
        assert_eq!(name, expected);
        assert!((similarity - other).abs() < 1e-6);
    }
    // Two songs have one list, without both.
    let second = home.path("music/copy.wav").display().to_string();
    let both = home
        .train("similar", &["music.safetensors", &song, &second, "--top", "30"])
        .assert();
    let both = found(&json_line(&both.success()));
    assert_eq!(both.len(), 22);
}

#[test]
fn libraries_that_do_not_fit_are_refused() {
    let home = &*HOME;
    let song = home.song.display().to_string();
    let other = TempDir::new().unwrap();
    let run = other.path().join("run");
    fit(&genres().path(), "choi-crnn", &run, &["--clip-seconds", "0.5"])
        .assert()
        .success();
    let out = other.path().join("library.safetensors").display().to_string();
    let mut embed = Program::Train.command(["embed", "--device", "cpu", "--out", &out, &song, "--run"]);
    embed.arg(&run).assert().success();
    let refused = |library: &str, expected: &str| {
        home.train("similar", &[library, &song])
            .assert()
            .code(1)
            .stderr(contains(expected));
    };
    refused(&out, "does not have embeddings of run; make it again");
    refused("run/best.safetensors", "is not a library");
    refused("none.safetensors", "none.safetensors does not exist");
    refused(&song, "is not a library");
    home.train("similar", &["music", "none.mp3"])
        .assert()
        .code(1)
        .stderr(contains("none.mp3 cannot be compared"));
    for (words, expected) in [
        (&["similar", "music"][..], "<SONG>"),
        (&["similar", "--playlist", "a.txt", "music", &song], ".m3u8"),
        (
            &["embed", "--out", "a.safetensors", "--classify", "knn", &song],
            "cannot be used with",
        ),
        (&["embed", &song], "--out"),
    ] {
        home.train(words[0], &words[1..])
            .assert()
            .code(2)
            .stderr(contains(expected));
    }
}
