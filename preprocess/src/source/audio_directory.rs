//! Resolves the paths of tracks inside the audio directory. A table may contain any path, so a path or a link that
//! leads outside is rejected.
//!
//! The directory itself may be a link, and links inside it may lead to other places inside it.

use shared::audio::validate::Rejection;
use std::fs;
use std::path::{Component, Path, PathBuf};
#[derive(Clone, Debug)]
pub struct AudioDirectory {
    given: PathBuf,
    /// The path without links; `None` if the directory does not exist.
    real: Option<PathBuf>,
}

impl AudioDirectory {
    /// The directory as the user gave it.
    pub fn new(given: &Path) -> Self {
        Self {
            given: given.to_owned(),
            real: fs::canonicalize(given).ok(),
        }
    }

    /// The path, without links, of `path` relative to the directory, with `/` between names. It may not be a file.
    pub fn file(&self, path: &str) -> Result<PathBuf, Rejection> {
        let names = || Path::new(path).components();
        if !names().all(|name| matches!(name, Component::Normal(_))) || names().next().is_none() {
            return Err(Rejection::Outside {
                detail: format!("`{path}` is not a path below the audio directory"),
            });
        }
        let root = self.real.as_ref().ok_or(Rejection::MissingFile)?;
        let real = fs::canonicalize(self.given.join(path))?;
        if real.starts_with(root) {
            return Ok(real);
        }
        Err(Rejection::Outside {
            detail: format!("`{path}` leads through a link to {}", real.display()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(directory: &AudioDirectory, path: &str) -> &'static str {
        directory
            .file(path)
            .map_or_else(|rejection| rejection.code(), |_| "inside")
    }

    fn audio() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let audio = root.path().join("audio");
        fs::create_dir_all(audio.join("a")).unwrap();
        for file in ["audio/a/1.mp3", "secret"] {
            fs::write(root.path().join(file), b"x").unwrap();
        }
        (root, audio)
    }

    #[test]
    fn paths_that_lead_outside_are_rejected() {
        let (root, audio) = audio();
        let directory = AudioDirectory::new(&audio);
        let secret = root.path().join("secret");
        for (path, expected) in [
            ("a/1.mp3", "inside"),
            ("a//1.mp3", "inside"),
            ("a/2.mp3", "missing_file"),
            ("../secret", "outside"),
            ("a/../../secret", "outside"),
            // `..` is rejected even if the path comes back.
            ("a/../a/1.mp3", "outside"),
            (secret.to_str().unwrap(), "outside"),
            ("/", "outside"),
            ("", "outside"),
            (".", "outside"),
            ("a/1.mp3\0", "io_error"),
            ("a/1.mp3/2", "io_error"),
        ] {
            assert_eq!(code(&directory, path), expected, "{path:?}");
        }
        let absent = AudioDirectory::new(&root.path().join("absent"));
        assert_eq!(code(&absent, "a/1.mp3"), "missing_file");
        let sentence = directory.file("../secret").unwrap_err().to_string();
        assert_eq!(
            sentence,
            "`../secret` is not a path below the audio directory; only files inside the audio directory are read"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_if_they_stay_inside() {
        use std::os::unix::fs::symlink;
        let (root, audio) = audio();
        let link = |to: &Path, name: &str| symlink(to, audio.join(name)).unwrap();
        link(Path::new("a/1.mp3"), "file");
        link(Path::new("a"), "directory");
        link(Path::new("../secret"), "out");
        link(root.path(), "up");
        link(Path::new("/dev/zero"), "device");
        link(Path::new("loop"), "loop");
        link(Path::new("nowhere"), "dangling");
        let given = root.path().join("link");
        symlink(&audio, &given).unwrap();
        for directory in [AudioDirectory::new(&audio), AudioDirectory::new(&given)] {
            for (path, expected) in [
                ("file", "inside"),
                ("directory/1.mp3", "inside"),
                ("out", "outside"),
                ("up/secret", "outside"),
                // Leads outside and back inside.
                ("up/audio/a/1.mp3", "inside"),
                ("device", "outside"),
                ("loop", "io_error"),
                ("dangling", "missing_file"),
            ] {
                assert_eq!(code(&directory, path), expected, "{path}");
            }
        }
        let sentence = AudioDirectory::new(&audio).file("out").unwrap_err().to_string();
        assert!(
            sentence.contains("`out` leads through a link to ") && sentence.contains("/secret;"),
            "{sentence}"
        );
    }
}
