//! Walks the audio directory and lists its audio files and the directories that could not be read.
//!
//! Hidden files and directories are skipped. A link to a directory is followed if it stays inside the audio directory.
//! A directory that cannot be read, or a link that leads outside, gives one row of `rejected.csv`.

use super::audio_directory::AudioDirectory;
use shared::audio::decode::{self, EXTENSIONS, MAGIC_BYTES};
use shared::audio::validate::Rejection;
use shared::dataset::manifest::RejectedRow;
use shared::runtime::file_error::FileError;
use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file below the audio directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundFile {
    /// Relative to the audio directory, with `/` between names. Invalid UTF-8 is replaced.
    pub(super) path: String,
    /// Whether invalid UTF-8 was replaced.
    pub(super) bad_name: bool,
    /// The format, if it is already known to be unsupported.
    pub(super) unsupported: Option<&'static str>,
}

impl FoundFile {
    /// Its row of `rejected.csv` if the source does not list it as a track.
    pub(super) fn unlisted(&self, track_id: Option<u64>) -> RejectedRow {
        let rejection = if self.bad_name {
            Rejection::BadName
        } else {
            Rejection::Unlisted
        };
        rejection.row(track_id, &self.path)
    }
}

/// The result of a walk.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Audio files, in alphabetical order.
    pub(super) files: Vec<FoundFile>,
    /// Directories that were not read, in alphabetical order.
    pub(super) unread: Vec<RejectedRow>,
    /// Notes about what was skipped.
    pub(super) notes: Vec<String>,
}

/// The audio files of any format below `audio`, found by extension or first bytes.
pub(super) fn audio_files(audio: &Path) -> Result<Found, FileError> {
    Walk::new(audio, sniff).run(list_directory)
}
/// The MP3 files below `audio`.
fn mp3_files(audio: &Path) -> Result<Found, FileError> {
    let is_mp3 = |name: &str, _: &DirEntry| {
        extension(name)
            .is_some_and(|extension| extension == "mp3")
            .then_some(None)
    };
    Walk::new(audio, is_mp3).run(list_directory)
}

/// Rows of `rejected.csv` for the unlisted MP3 files below `audio` and for directories that were not read, and notes
/// about what was skipped. `id` finds the track id in a path.
pub(super) fn unlisted_mp3_files(
    audio: &Path,
    listed: &HashSet<String>,
    id: impl Fn(&str) -> Option<u64>,
) -> Result<(Vec<RejectedRow>, Vec<String>), FileError> {
    let found = mp3_files(audio)?;
    let others = found
        .files
        .iter()
        .filter(|file| file.bad_name || !listed.contains(&file.path));
    let rows = others.map(|file| file.unlisted(id(&file.path)));
    Ok((rows.chain(found.unread).collect(), found.notes))
}

fn extension(name: &str) -> Option<String> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(extension.to_ascii_lowercase())
}

/// `Some` if the file is audio; the inner option names its format if that is unsupported.
fn sniff(name: &str, entry: &DirEntry) -> Option<Option<&'static str>> {
    if extension(name).is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
        return Some(None);
    }
    // Pipes are not opened, and neither are links, which may lead anywhere.
    let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
    let beginning = if is_file {
        first_bytes(&entry.path())
    } else {
        Vec::new()
    };
    let is_audio = decode::has_audio_extension(name) || decode::is_audio(&beginning);
    is_audio.then(|| decode::unsupported(&beginning))
}

/// Empty if the file cannot be read. Then only its extension decides whether it is audio.
pub(crate) fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = File::open(path).and_then(|file| file.take(MAGIC_BYTES).read_to_end(&mut bytes));
    bytes
}

fn list_directory(path: &Path) -> io::Result<Vec<DirEntry>> {
    fs::read_dir(path)?.collect()
}

/// Files that programs hide: `.DS_Store`, `._track.mp3`, `.Trash-1000`, and the metadata that macOS adds to archives.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX"
}

struct Walk<'a, F> {
    audio: &'a Path,
    inside: AudioDirectory,
    /// `Some` with [`FoundFile::unsupported`] if a file is wanted.
    wanted: F,
    waiting: VecDeque<Directory>,
    /// Targets of the links that were followed.
    followed: HashSet<PathBuf>,
    found: Found,
    hidden: usize,
    skipped_links: usize,
}

struct Directory {
    place: PathBuf,
    /// Relative to the audio directory.
    path: String,
    bad_name: bool,
}

impl<'a, F: Fn(&str, &DirEntry) -> Option<Option<&'static str>>> Walk<'a, F> {
    fn new(audio: &'a Path, wanted: F) -> Self {
        Self {
            audio,
            inside: AudioDirectory::new(audio),
            wanted,
            waiting: VecDeque::new(),
            followed: HashSet::new(),
            found: Found::default(),
            hidden: 0,
            skipped_links: 0,
        }
    }

    fn run(mut self, list: impl Fn(&Path) -> io::Result<Vec<DirEntry>>) -> Result<Found, FileError> {
        let root = Directory {
            place: self.audio.to_owned(),
            path: String::new(),
            bad_name: false,
        };
        let entries = list(self.audio).map_err(FileError::at(self.audio))?;
        self.visit(&root, entries);
        while let Some(directory) = self.waiting.pop_front() {
            match list(&directory.place) {
                Ok(entries) => self.visit(&directory, entries),
                Err(error) => {
                    let message = error.to_string();
                    self.leave_out(&directory, &Rejection::UnreadableDirectory { message });
                }
            }
        }
        self.found.files.sort();
        self.found.unread.sort_by(|a, b| a.path.cmp(&b.path));
        if self.hidden > 0 {
            self.found.notes.push(format!(
                "hidden files and directories (a leading dot, or __MACOSX) were skipped: {}",
                self.hidden
            ));
        }
        if self.skipped_links > 0 {
            self.found.notes.push(format!(
                "links to directories that are already listed were not followed: {}",
                self.skipped_links
            ));
        }
        Ok(self.found)
    }

    fn visit(&mut self, directory: &Directory, mut entries: Vec<DirEntry>) {
        // The choice between two links to one directory must not depend on the file system.
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let bad_name = directory.bad_name || name.to_str().is_none();
            let name = name.to_string_lossy();
            if is_hidden(&name) {
                self.hidden += 1;
                continue;
            }
            let path = match directory.path.as_str() {
                "" => name.clone().into_owned(),
                above => format!("{above}/{name}"),
            };
            let below = Directory {
                place: entry.path(),
                path,
                bad_name,
            };
            let kind = entry.file_type();
            if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                self.waiting.push_back(below);
            } else if kind.is_ok_and(|kind| kind.is_symlink()) && below.place.is_dir() {
                self.follow(&directory.place, below);
            } else if let Some(unsupported) = (self.wanted)(&name, &entry) {
                self.found.files.push(FoundFile {
                    path: below.path,
                    bad_name,
                    unsupported,
                });
            }
        }
    }

    /// Follows a link to a directory, unless the directory was reached by an earlier link or contains this link.
    fn follow(&mut self, from: &Path, link: Directory) {
        if link.bad_name {
            return self.leave_out(&link, &Rejection::BadName);
        }
        match self.inside.file(&link.path) {
            Err(rejection) => self.leave_out(&link, &rejection),
            Ok(target) => {
                let is_above = fs::canonicalize(from).map_or(true, |from| from.starts_with(&target));
                if is_above || !self.followed.insert(target) {
                    self.skipped_links += 1;
                } else {
                    self.waiting.push_back(link);
                }
            }
        }
    }

    fn leave_out(&mut self, directory: &Directory, rejection: &Rejection) {
        self.found.unread.push(rejection.row(None, &directory.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    fn paths(found: &Found) -> Vec<&str> {
        found.files.iter().map(|file| file.path.as_str()).collect()
    }

    const WAV: &[u8] = b"RIFF\0\0\0\0WAVEfmt ";
    const OPUS: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\x47\xd6\xe7\xfd\0\0\0\0\0\0\0\0\x01\x13OpusHead";

    #[test]
    fn audio_is_found_by_extension_or_first_bytes() {
        let root = folder(&[
            ("a/1.mp3", b""),
            ("a/2.OPUS", OPUS),
            ("a/3.wma", b"x"),
            ("a/4.mov", b"\0\0\0\x14ftypqt  "),
            ("a/5", WAV),
            ("a/6.bin", OPUS),
            ("a/cover.jpg", b"\xff\xd8\xff\xe0"),
            ("a/notes.txt", b"notes"),
            ("a/score.mid", b"MThd"),
        ]);
        let found = audio_files(root.path()).unwrap();
        assert_eq!(
            paths(&found),
            ["a/1.mp3", "a/2.OPUS", "a/3.wma", "a/4.mov", "a/5", "a/6.bin"]
        );
        let unsupported: Vec<_> = found.files.iter().map(|file| file.unsupported).collect();
        assert_eq!(unsupported, [None, Some("Opus"), None, None, None, Some("Opus")]);
        assert_eq!((found.unread.len(), found.notes.len()), (0, 0));
        assert_eq!(paths(&mp3_files(root.path()).unwrap()), ["a/1.mp3"]);
    }

    #[test]
    fn hidden_files_and_directories_are_skipped_and_counted() {
        let root = folder(&[
            ("a/1.mp3", b""),
            ("a/._1.mp3", b""),
            (".cache/2.mp3", b""),
            ("__MACOSX/a/._1.mp3", b""),
            ("a/.DS_Store", b""),
        ]);
        let found = audio_files(root.path()).unwrap();
        assert_eq!(paths(&found), ["a/1.mp3"]);
        assert!(
            found.notes[0].starts_with("hidden files") && found.notes[0].ends_with(": 4"),
            "{:?}",
            found.notes
        );
    }

    #[test]
    fn unreadable_directory_gives_one_row_and_the_others_are_listed() {
        let root = folder(&[("a/1.mp3", b""), ("b/2.mp3", b""), ("c/3.mp3", b"")]);
        // Simulates missing permissions, which do not apply to root.
        let list = |path: &Path| match path.ends_with("b") {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => list_directory(path),
        };
        let found = Walk::new(root.path(), sniff).run(list).unwrap();
        assert_eq!(paths(&found), ["a/1.mp3", "c/3.mp3"]);
        let [row] = &found.unread[..] else {
            panic!("{:?}", found.unread)
        };
        assert_eq!(
            (row.path.as_str(), row.reason.as_str(), row.track_id),
            ("b", "unreadable_directory", None)
        );
        assert!(row.detail.contains("permission denied"), "{}", row.detail);
        let unreadable_root = |path: &Path| {
            if path == root.path() {
                Err(io::ErrorKind::PermissionDenied.into())
            } else {
                list_directory(path)
            }
        };
        assert!(Walk::new(root.path(), sniff).run(unreadable_root).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_to_directories_are_followed_once_and_never_in_a_circle() {
        use std::os::unix::fs::symlink;
        let root = folder(&[("a/1.mp3", b""), ("a/deep/2.mp3", b""), ("b/3.mp3", b"")]);
        let link = |to: &str, name: &str| symlink(to, root.path().join(name)).unwrap();
        link("../a", "b/all_of_a");
        link("a", "c");
        link("..", "a/up");
        link(".", "here");
        link("../../b", "a/deep/b");
        link("/", "out");
        link("nowhere", "dangling");
        let found = audio_files(root.path()).unwrap();
        assert_eq!(
            paths(&found),
            [
                "a/1.mp3",
                "a/deep/2.mp3",
                "a/deep/b/3.mp3",
                "b/3.mp3",
                "c/1.mp3",
                "c/deep/2.mp3"
            ]
        );
        let unread: Vec<_> = found
            .unread
            .iter()
            .map(|row| (row.path.as_str(), row.reason.as_str()))
            .collect();
        assert_eq!(unread, [("out", "outside")]);
        // Not followed: links to a directory that contains them (`here`, `a/up`, `c/up`) and second links to a
        // directory.
        assert!(
            found.notes[0].contains("links to directories that are already listed"),
            "{:?}",
            found.notes
        );
    }
}
