//! The directory in which the commands of a page run. It looks like a new clone with built programs, and has small
//! collections under the names that the pages use.
//!
//! The clone and working directory is `$HOME/cratedigger`.

use super::page::{Page, root};
use super::replaced::REPLACED;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;
use tests::corpus::Layout;
use tests::harness::{Collection, Program, copy_directory};

/// A collection of 32 tracks of 2.2 seconds in each layout, made once.
struct Collections {
    fma: Collection,
    gtzan: Collection,
    magnatagatune: Collection,
}

static COLLECTIONS: LazyLock<Collections> = LazyLock::new(|| Collections {
    fma: Collection::clips(Layout::Fma, 4),
    gtzan: Collection::clips(Layout::Gtzan, 4),
    magnatagatune: Collection::clips(Layout::MagnaTagATune, 4),
});

/// Scratch directories of pages by path. Pages that begin where another one ends start from a copy of its directory.
#[derive(Debug, Default)]
pub struct Pages {
    done: HashMap<PathBuf, TempDir>,
}

impl Pages {
    /// Runs the pages that must run first, and then this page. Returns its directory.
    pub fn run(&mut self, page: &Page) -> Result<&Path, String> {
        if !self.done.contains_key(&page.path) {
            let earlier = page.begins_where();
            for path in &earlier {
                self.run(&Page::read(path))?;
            }
            let homes: Vec<&Path> = earlier.iter().map(|path| self.done[path].path()).collect();
            let home = create(&homes);
            run(page, home.path())?;
            self.done.insert(page.path.clone(), home);
        }
        Ok(self.done[&page.path].path())
    }
}

/// Creates a scratch directory with the files of `earlier` pages.
pub fn create(earlier: &[&Path]) -> TempDir {
    let home = TempDir::new().unwrap();
    let clone = home.path().join("cratedigger");
    for other in earlier {
        copy_directory(&other.join("cratedigger"), &clone).unwrap();
    }
    let bin = clone.join("target/release");
    for directory in [home.path().join("bin"), bin.clone(), clone.join("scripts")] {
        fs::create_dir_all(directory).unwrap();
    }
    link_scripts(&root().join("scripts"), &clone.join("scripts"));
    for replaced in REPLACED.iter().filter(|replaced| !replaced.name.contains('/')) {
        let program = ["train", "preprocess", "make-corpus"].contains(&replaced.name);
        let directory = if program { bin.clone() } else { home.path().join("bin") };
        write_script(&directory.join(replaced.name), replaced.script);
    }
    add_collections(&clone);
    home
}

/// Adds the scripts of the repository as links, or as their replacements.
fn link_scripts(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let replaced = REPLACED.iter().find(|replaced| match replaced.name.split_once('*') {
            Some((before, after)) => name.starts_with(before) && name.ends_with(after),
            None => replaced.name == name,
        });
        if path.is_dir() {
            link_scripts(&path, &target);
        } else if fs::symlink_metadata(&target).is_ok() {
            // It exists from an earlier page.
        } else if let Some(replaced) = replaced {
            write_script(&target, replaced.script);
        } else {
            symlink(fs::canonicalize(&path).unwrap(), &target).unwrap();
        }
    }
}

fn write_script(path: &Path, script: &str) {
    fs::write(
        path,
        format!("#!/usr/bin/env bash\nset -euo pipefail\n{}\n", script.trim()),
    )
    .unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Adds `genres` in the layout of GTZAN, `mtat` in that of MagnaTagATune, and `my-music` in class, artist and album
/// directories and a table.
fn add_collections(clone: &Path) {
    if clone.join("genres").exists() {
        return;
    }
    let Collections {
        fma,
        gtzan,
        magnatagatune,
    } = &*COLLECTIONS;
    copy_directory(&gtzan.audio(), &clone.join("genres")).unwrap();
    copy_directory(&magnatagatune.audio(), &clone.join("mtat/mp3")).unwrap();
    fs::copy(magnatagatune.metadata(), clone.join("mtat/annotations_final.csv")).unwrap();
    let mut table = String::from("path,label,artist\n");
    for track in fma.tracks().iter().filter(|track| track.damage.is_none()) {
        let artist = &track.artist_name;
        let album = clone.join(format!("my-music/{}/{artist}/First of {artist}", track.genre_name()));
        fs::create_dir_all(&album).unwrap();
        fs::copy(fma.file(track), album.join(format!("{}.mp3", track.id))).unwrap();
        let genre = track.genre_name();
        writeln!(
            table,
            "{genre}/{artist}/First of {artist}/{}.mp3,{genre},{artist}",
            track.id
        )
        .unwrap();
    }
    fs::write(clone.join("my-music/table.csv"), table).unwrap();
}

/// Runs the commands of a page. The error contains their output.
pub fn run(page: &Page, home: &Path) -> Result<(), String> {
    let script = page.script()?;
    if script.is_empty() {
        return Ok(());
    }
    let real = Program::Train.path().parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let bins = format!("{0}/cratedigger/target/release:{0}/bin:{path}", home.display());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(home.join("cratedigger"))
        .env("HOME", home)
        .env("PATH", bins)
        .env("REAL", real)
        .env("MUSIC", COLLECTIONS.fma.root())
        .env("PROJECT", fs::canonicalize(root()).unwrap())
        .env("PYTHON", super::python::interpreter().unwrap_or(Path::new("")))
        .env("PYTHONPATH", fs::canonicalize(root().join("scripts/python")).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("bash: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(format!(
        "{} ended with {}\n{}",
        page.path.display(),
        output.status,
        String::from_utf8_lossy(&text)
    ))
}
