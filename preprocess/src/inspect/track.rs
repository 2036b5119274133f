//! One track of a data set, by its id or by the path of its audio file.

use super::picture::TrackPicture;
use anyhow::bail;
use shared::dataset::manifest::TrackRow;
use shared::dataset::split::{Set, Split, SplitError};
use shared::dataset::{self, Dataset};
use shared::runtime::text::{clock, counted};
use std::fmt;
use std::path::{Path, PathBuf};

/// A track as the tables describe it.
#[derive(Clone, Debug)]
pub struct Track {
    pub row: TrackRow,
    pub seconds: f64,
    /// The audio file that it was built from.
    pub file: PathBuf,
    /// Its set in the current split, and the name of that split; `None` if there is no split, or the track is not in
    /// it. An error means that the split cannot be read.
    pub set: Result<Option<(Set, String)>, String>,
}

impl Track {
    /// Finds a track by its id, by its path in `tracks.csv`, or by that path below the audio directory.
    pub fn find(root: &Path, given: &str) -> anyhow::Result<Self> {
        let index = Dataset::read_index(root)?;
        let audio = Path::new(&index.source.audio);
        let is_given = |id: Option<u64>, path: &str| {
            id.is_some_and(|id| given == id.to_string()) || given == path || Path::new(given) == audio.join(path)
        };
        let tracks = dataset::read_tracks(root, &index)?;
        let Some(row) = tracks.into_iter().find(|row| is_given(Some(row.track_id), &row.path)) else {
            let rejected = dataset::read_rejected(root, &index)?;
            if let Some(row) = rejected.iter().find(|row| is_given(row.track_id, &row.path)) {
                bail!(
                    "{} dropped {}, as {}: {}",
                    root.display(),
                    row.path,
                    row.reason,
                    row.detail
                );
            }
            bail!(
                "{} has no track {given}; give an id or a path from tracks.csv",
                root.display()
            );
        };
        // The track is described even if the split is damaged; `preprocess verify` finds that.
        let set = match Split::read(root, &index, None) {
            Ok(split) => {
                let of_track = split.tracks.iter().find(|(_, ids)| ids.contains(&row.track_id));
                Ok(of_track.map(|(set, _)| (*set, split.index.name.clone())))
            }
            Err(SplitError::NoSplit { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        Ok(Self {
            file: audio.join(&row.path),
            seconds: row.samples as f64 / f64::from(index.features.sample_rate),
            row,
            set,
        })
    }

    /// Its waveform and mel spectrogram as a PNG.
    pub fn png(&self, root: &Path) -> anyhow::Result<Vec<u8>> {
        let dataset = Dataset::open(root)?;
        let Some(position) = dataset.position(self.row.track_id) else {
            bail!(
                "{} changed while it was read; run the same command again",
                root.display()
            );
        };
        Ok(TrackPicture {
            samples: dataset.waveform(position),
            mel: dataset.mel(position),
            features: dataset.features(),
        }
        .png())
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = &self.row;
        let name = |name: &str| if name.is_empty() { "unknown" } else { name }.to_owned();
        writeln!(f, "track     {}", row.track_id)?;
        writeln!(f, "file      {}", row.path)?;
        writeln!(f, "labels    {}", row.labels.join(", "))?;
        writeln!(f, "artist    {}", name(&row.artist))?;
        writeln!(f, "album     {}", name(&row.album))?;
        write!(
            f,
            "audio     {}, {} Hz, {}",
            clock(self.seconds),
            row.source_rate,
            counted(row.source_channels as usize, "channel", "channels")
        )?;
        if row.bad_frames > 0 {
            write!(f, "\ndamage    {} frames do not decode", row.bad_frames)?;
        }
        if !row.flags.is_empty() {
            let flags: Vec<&str> = row.flags.iter().map(|flag| flag.name()).collect();
            write!(f, "\nflags     {}", flags.join(", "))?;
        }
        if row.recording != row.track_id {
            write!(f, "\nrecording same as track {}", row.recording)?;
        }
        match &self.set {
            Ok(Some((set, split))) => write!(f, "\nset       {} of {split}", set.name()),
            Ok(None) => write!(f, "\nset       none: no current split has it"),
            Err(_) => write!(
                f,
                "\nset       unknown: the current split cannot be read; run `preprocess verify`"
            ),
        }
    }
}
