//! Small music collections in temporary directories: the small corpus, made once per process, and copies of a few of
//! its tracks that a test may change.

use crate::corpus::{CorpusConfig, Damage, Layout, Track, make_corpus};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// A temporary directory with audio files and their tables.
#[derive(Debug)]
pub struct Collection {
    directory: TempDir,
    tracks: Vec<Track>,
    layout: Layout,
}

impl Collection {
    /// The small corpus: 32 tracks in 8 genres; five tracks are damaged, each in a different way. Read only.
    pub fn small() -> &'static Self {
        static SMALL: LazyLock<Collection> = LazyLock::new(|| {
            let config = CorpusConfig {
                tracks_per_genre: 4,
                seconds: 12.5,
                seed: 3,
                damage: vec![
                    Damage::Empty,
                    Damage::Short,
                    Damage::NotAudio,
                    Damage::NoFrames,
                    Damage::Scratched,
                ],
                layout: Layout::Fma,
            };
            Collection::make(&config)
        });
        &SMALL
    }

    /// 24 clips of 2.2 seconds in the layout of MagnaTagATune. Read only.
    pub fn magnatagatune() -> &'static Self {
        static CLIPS: LazyLock<Collection> = LazyLock::new(|| Collection::clips(Layout::MagnaTagATune, 3));
        &CLIPS
    }

    /// 24 tracks of 2.2 seconds in the layout of GTZAN; one is an `.au` file, and one jazz track is corrupt. Read only.
    pub fn gtzan() -> &'static Self {
        static GENRES: LazyLock<Collection> = LazyLock::new(|| Collection::clips(Layout::Gtzan, 3));
        &GENRES
    }

    /// `tracks_per_genre` tracks of 2.2 seconds for each genre; one is corrupt.
    pub fn clips(layout: Layout, tracks_per_genre: usize) -> Self {
        Self::with_seconds(2.2, layout, tracks_per_genre)
    }

    fn with_seconds(seconds: f32, layout: Layout, tracks_per_genre: usize) -> Self {
        Self::make(&CorpusConfig {
            tracks_per_genre,
            seconds,
            seed: 5,
            damage: vec![Damage::NoFrames],
            layout,
        })
    }

    /// `count` tracks of 1.2 seconds: hard links to the files of a few tracks under new ids. Some are damaged. More
    /// than 512 tracks need a second pair of shards.
    pub fn many(count: u32) -> Self {
        static FEW: LazyLock<Collection> = LazyLock::new(|| Collection::with_seconds(1.2, Layout::Fma, 3));
        let few = &*FEW;
        let track = |id: u32| Track {
            id,
            path: format!("audio/{:03}/{id:06}.mp3", id / 1000),
            ..few.tracks[id as usize % few.tracks.len()].clone()
        };
        let collection = Self {
            directory: temporary(),
            tracks: (1..=count).map(track).collect(),
            layout: few.layout,
        };
        let table = read(&few.metadata());
        let lines: Vec<&str> = table.lines().collect();
        let (header, rows) = lines.split_at(3);
        let mut table = header.join("\n");
        for track in &collection.tracks {
            let at = track.id as usize % few.tracks.len();
            let (_, row) = rows[at].split_once(',').unwrap_or_default();
            table += &format!("\n{},{row}", track.id);
            let (from, to) = (few.file(&few.tracks[at]), collection.file(track));
            make_parent(&to);
            fs::hard_link(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
        }
        collection.write_metadata(&(table + "\n"));
        collection
    }

    fn make(config: &CorpusConfig) -> Self {
        let directory = temporary();
        let tracks = make_corpus(&directory.path().join("music"), config)
            .unwrap_or_else(|error| panic!("could not make the corpus: {error}"));
        Self {
            directory,
            tracks,
            layout: config.layout,
        }
    }

    /// A copy of the first `count` undamaged tracks of the small corpus, which a test may change.
    pub fn first_tracks(count: usize) -> Self {
        let small = Self::small();
        let tracks: Vec<Track> = small
            .tracks
            .iter()
            .filter(|track| track.damage.is_none())
            .take(count)
            .cloned()
            .collect();
        let collection = Self {
            directory: temporary(),
            tracks,
            layout: small.layout,
        };
        for track in &collection.tracks {
            copy_file(&small.file(track), &collection.file(track));
        }
        let kept = |line: &str| {
            let id = line.split(',').next().unwrap_or_default();
            id.parse::<u32>()
                .map_or(true, |id| collection.tracks.iter().any(|track| track.id == id))
        };
        let table = read(&small.metadata());
        let lines: Vec<&str> = table.lines().filter(|line| kept(line)).collect();
        collection.write_metadata(&(lines.join("\n") + "\n"));
        collection
    }

    /// The tracks, by ascending id.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The directory of the audio files.
    pub fn audio(&self) -> PathBuf {
        self.root().join(self.layout.audio())
    }

    /// The table of tracks.
    ///
    /// # Panics
    /// If this layout has no table.
    pub fn metadata(&self) -> PathBuf {
        let table = self.layout.table().expect("this layout has a table");
        self.root().join("metadata").join(table)
    }

    pub fn file(&self, track: &Track) -> PathBuf {
        self.root().join(&track.path)
    }

    /// Changes the table of tracks, line by line.
    pub fn edit_metadata(&self, edit: impl Fn(&str) -> String) {
        let lines: Vec<String> = read(&self.metadata()).lines().map(edit).collect();
        self.write_metadata(&(lines.join("\n") + "\n"));
    }

    /// The arguments of `preprocess build` for this collection.
    pub fn build_arguments(&self, out: &Path) -> Vec<String> {
        let words = ["build", "--source", self.layout.source(), "--audio"].map(str::to_owned);
        let mut arguments = words.to_vec();
        arguments.push(self.audio().display().to_string());
        if self.layout.table().is_some() {
            arguments.push("--metadata".to_owned());
            arguments.push(self.metadata().display().to_string());
        }
        arguments.push("--out".to_owned());
        arguments.push(out.display().to_string());
        arguments
    }

    /// The directory that holds the audio files and the tables.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("music")
    }

    fn write_metadata(&self, table: &str) {
        let path = self.metadata();
        make_parent(&path);
        fs::write(&path, table).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// # Panics
/// If the temporary directory cannot be created.
pub(super) fn temporary() -> TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn copy_file(from: &Path, to: &Path) {
    make_parent(to);
    fs::copy(from, to).unwrap_or_else(|error| panic!("{} to {}: {error}", from.display(), to.display()));
}

fn make_parent(path: &Path) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    }
}
