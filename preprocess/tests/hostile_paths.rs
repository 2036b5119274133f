//! Builds with hostile paths and names: nothing outside the audio directory is read, files with invalid names get a row
//! in `rejected.csv`, and all other files are built.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(unix)]

use preprocess::build::pipeline::{self, BuildConfig};
use preprocess::build::progress::BuildProgress;
use preprocess::source::Source;
use preprocess::source::fma::Subset;
use shared::audio::validate::ValidateConfig;
use shared::dataset;
use shared::dataset::manifest::RejectedRow;
use shared::dsp::features::FeatureConfig;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Ignores progress.
struct NoProgress;

impl BuildProgress for NoProgress {}

/// A WAV file of a tenth of a second. Files with different offsets differ.
fn wav(offset: i16) -> Vec<u8> {
    let data: Vec<u8> = (0..4410i16)
        .flat_map(|at| (at % 100 * 90 + offset).to_le_bytes())
        .collect();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x44\xac\x00\x00\x88\x58\x01\x00\x02\x00\x10\x00data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

struct Collection {
    root: TempDir,
}

impl Collection {
    fn new(files: &[&str]) -> Self {
        let collection = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(collection.audio()).unwrap();
        for (at, file) in files.iter().enumerate() {
            collection.write(OsStr::new(file), at as i16);
        }
        collection
    }

    fn audio(&self) -> PathBuf {
        self.root.path().join("audio")
    }

    fn write(&self, name: &OsStr, offset: i16) {
        let path = self.audio().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wav(offset)).unwrap();
    }

    fn link(&self, to: impl AsRef<Path>, name: &str) {
        symlink(to, self.audio().join(name)).unwrap();
    }

    /// Paths of the kept tracks, and rows of the dropped files by path.
    fn build(&self, source: Source, audio: &Path) -> (Vec<String>, BTreeMap<String, RejectedRow>) {
        let out = tempfile::tempdir_in(self.root.path()).unwrap();
        let config = BuildConfig {
            audio: audio.to_owned(),
            source,
            out: out.path().to_owned(),
            part: None,
            preset: None,
            features: FeatureConfig::default(),
            validate: ValidateConfig {
                min_samples: 1000,
                ..ValidateConfig::default()
            },
            drop: Vec::new(),
            jobs: 2,
        };
        let index = pipeline::build(&config, &mut NoProgress).unwrap().index;
        let mut tracks: Vec<String> = dataset::read_tracks(out.path(), &index)
            .unwrap()
            .into_iter()
            .map(|row| row.path)
            .collect();
        tracks.sort();
        let rejected = dataset::read_rejected(out.path(), &index).unwrap();
        (
            tracks,
            rejected.into_iter().map(|row| (row.path.clone(), row)).collect(),
        )
    }
}

fn codes(rejected: &BTreeMap<String, RejectedRow>) -> Vec<(&str, &str)> {
    rejected
        .iter()
        .map(|(path, row)| (path.as_str(), row.reason.as_str()))
        .collect()
}

#[test]
fn folder_source_does_not_read_outside_the_audio_directory() {
    let collection = Collection::new(&["Jazz/1.wav", "Rock/2.wav"]);
    let secret = collection.root.path().join("secret.wav");
    fs::write(&secret, wav(7)).unwrap();
    let elsewhere = collection.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("3.wav"), wav(8)).unwrap();
    collection.link("../../secret.wav", "Jazz/relative.wav");
    collection.link(&secret, "Jazz/absolute.wav");
    collection.link("/dev/zero", "Jazz/endless.wav");
    collection.link("../Rock/2.wav", "Jazz/again.wav");
    collection.link(&elsewhere, "Pop");
    collection.link(collection.audio(), "Rock/up");
    collection.link("loop.wav", "Rock/loop.wav");
    let link = collection.root.path().join("link");
    symlink(collection.audio(), &link).unwrap();
    for audio in [collection.audio(), link] {
        let (tracks, rejected) = collection.build(Source::Folder, &audio);
        assert_eq!(tracks, ["Jazz/1.wav", "Jazz/again.wav", "Rock/2.wav"]);
        assert_eq!(
            codes(&rejected),
            [
                ("Jazz/absolute.wav", "outside"),
                ("Jazz/endless.wav", "outside"),
                ("Jazz/relative.wav", "outside"),
                ("Pop", "outside"),
                ("Rock/loop.wav", "io_error"),
            ]
        );
    }
}

#[test]
fn unsupported_files_and_files_in_linked_directories_get_rows() {
    const OPUS: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\x47\xd6\xe7\xfd\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01\0\0";
    let collection = Collection::new(&["Jazz/1.wav", "Rock/2", ".Trash/3.wav"]);
    for name in ["Jazz/4.opus", "Rock/5"] {
        fs::write(collection.audio().join(name), OPUS).unwrap();
    }
    collection.link("../.Trash", "Rock/kept");
    let (tracks, rejected) = collection.build(Source::Folder, &collection.audio());
    assert_eq!(tracks, ["Jazz/1.wav", "Rock/2", "Rock/kept/3.wav"]);
    assert_eq!(
        codes(&rejected),
        [("Jazz/4.opus", "unsupported_format"), ("Rock/5", "unsupported_format")]
    );
    let detail = &rejected["Jazz/4.opus"].detail;
    assert!(
        detail.starts_with("it is Opus audio, which is not supported"),
        "{detail}"
    );
}

#[test]
fn pipe_with_the_name_of_an_audio_file_does_not_block_the_build() {
    let collection = Collection::new(&["Jazz/1.wav"]);
    let pipe = collection.audio().join("Jazz/pipe.wav");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: this machine has no mkfifo");
        return;
    }
    let (tracks, rejected) = collection.build(Source::Folder, &collection.audio());
    assert_eq!(tracks, ["Jazz/1.wav"]);
    assert_eq!(codes(&rejected), [("Jazz/pipe.wav", "io_error")]);
    assert!(rejected["Jazz/pipe.wav"].detail.contains("not a regular file"));
}

#[test]
fn gtzan_source_does_not_read_outside_the_audio_directory() {
    let collection = Collection::new(&["blues/blues.00000.wav", "elsewhere.wav"]);
    fs::write(collection.root.path().join("secret.wav"), wav(7)).unwrap();
    collection.link("../../secret.wav", "blues/blues.00001.wav");
    collection.link("../elsewhere.wav", "blues/blues.00002.wav");
    collection.link(collection.root.path(), "rock");
    let (tracks, rejected) = collection.build(Source::Gtzan, &collection.audio());
    assert_eq!(tracks, ["blues/blues.00000.wav", "blues/blues.00002.wav"]);
    assert_eq!(
        codes(&rejected),
        [
            ("blues/blues.00001.wav", "outside"),
            ("elsewhere.wav", "unlisted"),
            ("rock", "outside"),
        ]
    );
}

#[test]
fn fma_source_does_not_read_outside_the_audio_directory() {
    let collection = Collection::new(&["000/000002.mp3"]);
    let elsewhere = collection.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for name in ["001005.mp3", "001006.mp3"] {
        fs::write(elsewhere.join(name), wav(3)).unwrap();
    }
    // The directory `001` leads outside. Its file in the table is rejected; its other files are not searched for.
    collection.link(&elsewhere, "001");
    let table = collection.root.path().join("tracks.csv");
    fs::write(
        &table,
        ",set,track\n,subset,genre_top\ntrack_id,,\n2,small,Pop\n1005,small,Pop\n",
    )
    .unwrap();
    let source = Source::Fma {
        table,
        subset: Subset::Small,
    };
    let (tracks, rejected) = collection.build(source, &collection.audio());
    assert_eq!(tracks, ["000/000002.mp3"]);
    assert_eq!(codes(&rejected), [("001", "outside"), ("001/001005.mp3", "outside")]);
    let detail = &rejected["001/001005.mp3"].detail;
    assert!(
        detail.contains("elsewhere/001005.mp3; only files inside the audio directory are read"),
        "{detail}"
    );
}

#[test]
fn magnatagatune_table_cannot_name_a_file_outside() {
    let collection = Collection::new(&["0/a.mp3"]);
    let secret = collection.root.path().join("secret.mp3");
    fs::write(&secret, wav(7)).unwrap();
    let annotations = collection.root.path().join("annotations.csv");
    let rows = [
        "1\t1\t0/a.mp3".to_owned(),
        "2\t1\t../secret.mp3".into(),
        format!("3\t1\t{}", secret.display()),
        "4\t1\t0/../../secret.mp3".into(),
        "5\t1\t".into(),
        "6\t1\t0".into(),
    ];
    fs::write(
        &annotations,
        format!("clip_id\tguitar\tmp3_path\n{}\n", rows.join("\n")),
    )
    .unwrap();
    let source = Source::MagnaTagATune {
        annotations,
        tags: Vec::new(),
    };
    let (tracks, rejected) = collection.build(source, &collection.audio());
    assert_eq!(tracks, ["0/a.mp3"]);
    let reasons: Vec<_> = ["", "../secret.mp3", secret.to_str().unwrap(), "0/../../secret.mp3", "0"]
        .map(|path| rejected[path].reason.as_str())
        .into();
    assert_eq!(reasons, ["outside", "outside", "outside", "outside", "io_error"]);
}

#[test]
fn names_that_are_not_utf_8_get_a_row_and_other_files_are_built() {
    let collection = Collection::new(&["blues/blues.00000.wav", "Caf\u{e9}/1.wav", "0/a.mp3", "000/000002.mp3"]);
    // Two names that become equal when invalid UTF-8 is replaced.
    for (at, name) in [b"blues/\xff.mp3".as_slice(), b"blues/\xfe.mp3", b"Caf\xe9/1.mp3"]
        .iter()
        .enumerate()
    {
        collection.write(OsStr::from_bytes(name), at as i16 + 20);
    }
    let table = |name: &str, content: &str| {
        let path = collection.root.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let sources = [
        (Source::Folder, 4),
        (Source::Gtzan, 1),
        (
            Source::Fma {
                table: table("tracks.csv", ",set,track\n,subset,genre_top\ntrack_id,,\n2,small,Pop\n"),
                subset: Subset::Small,
            },
            1,
        ),
        (
            Source::MagnaTagATune {
                annotations: table("annotations.csv", "clip_id\tguitar\tmp3_path\n1\t1\t0/a.mp3\n"),
                tags: Vec::new(),
            },
            1,
        ),
    ];
    for (source, kept) in sources {
        let name = source.name();
        let (tracks, rejected) = collection.build(source, &collection.audio());
        assert_eq!(tracks.len(), kept, "{name}: {tracks:?}");
        for path in ["blues/\u{fffd}.mp3", "Caf\u{fffd}/1.mp3"] {
            assert_eq!(rejected[path].reason, "bad_name", "{name}: {path}");
        }
        assert!(rejected["Caf\u{fffd}/1.mp3"].detail.contains("rename the file"));
    }
}

#[test]
fn own_table_does_not_read_outside_the_audio_directory() {
    let collection = Collection::new(&["Jazz/1.wav", "2.wav"]);
    fs::write(collection.root.path().join("secret.wav"), wav(7)).unwrap();
    collection.link("../secret.wav", "link.wav");
    let table = collection.root.path().join("table.csv");
    let absolute = collection.audio().join("2.wav").display().to_string();
    let rows = [
        "./Jazz/1.wav,Jazz",
        "2.wav,Rock",
        "../secret.wav,Rock",
        "Jazz/../../secret.wav,Rock",
        "link.wav,Rock",
        "gone.wav,Rock",
        "unlabelled.wav,",
    ];
    fs::write(&table, format!("path,label\n{}\n{absolute},Rock\n", rows.join("\n"))).unwrap();
    let (tracks, rejected) = collection.build(Source::Csv { table }, &collection.audio());
    assert_eq!(tracks, ["2.wav", "Jazz/1.wav"]);
    let mut expected = vec![
        ("../secret.wav", "outside"),
        ("Jazz/../../secret.wav", "outside"),
        ("gone.wav", "missing_file"),
        ("link.wav", "outside"),
        ("unlabelled.wav", "unlabelled"),
        (absolute.as_str(), "outside"),
    ];
    expected.sort_unstable();
    assert_eq!(codes(&rejected), expected);
}

#[test]
fn audio_directory_with_a_name_that_is_not_utf_8_is_built() {
    let collection = Collection::new(&["Jazz/1.wav"]);
    let odd = collection.root.path().join(OsStr::from_bytes(b"m\xfcsic"));
    fs::rename(collection.audio(), &odd).unwrap();
    let (tracks, rejected) = collection.build(Source::Folder, &odd);
    assert_eq!((tracks.len(), rejected.len()), (1, 0));
}

#[test]
fn table_that_is_not_utf_8_is_an_error() {
    let collection = Collection::new(&["000/000002.mp3", "0/a.mp3"]);
    for (content, magnatagatune) in [
        (
            b",set,track\n,subset,genre_top\ntrack_id,,\n2,small,Caf\xe9\n".as_slice(),
            false,
        ),
        (b"clip_id\tguitar\tmp3_path\n1\t1\t0/\xe9.mp3\n", true),
    ] {
        let table = collection.root.path().join("table.csv");
        fs::write(&table, content).unwrap();
        let source = if magnatagatune {
            Source::MagnaTagATune {
                annotations: table,
                tags: Vec::new(),
            }
        } else {
            Source::Fma {
                table,
                subset: Subset::Small,
            }
        };
        let error = format!("{:#}", source.list(&collection.audio()).unwrap_err());
        assert!(error.contains("table.csv") && error.contains("UTF-8"), "{error}");
    }
    let table = collection.root.path().join("own.csv");
    fs::write(&table, b"path,label\na.wav,Caf\xe9\n").unwrap();
    let error = format!("{:#}", Source::Csv { table }.list(&collection.audio()).unwrap_err());
    assert!(error.contains("own.csv cannot be read as CSV in UTF-8"), "{error}");
}
