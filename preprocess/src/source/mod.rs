//! Where tracks come from. A source's own tables enter; a list of [`TrackSource`], in the order of track ids, leaves.
//!
//! Nothing here opens an audio file or judges what is in it.

pub mod fma;

use serde::{Deserialize, Serialize};
use shared::split::Set;

/// A track as its source describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackSource {
    /// The source's number for the track; unique in the source.
    pub track_id: u64,
    /// The audio file, relative to the audio directory, with `/` between names: `000/000123.mp3`.
    pub path: String,
    /// The genre, where the source gives one.
    pub genre: Option<String>,
    /// The source's number or name for the artist.
    pub artist: Option<String>,
    /// The source's number or name for the album.
    pub album: Option<String>,
    /// The set that the source's own split gives the track.
    pub official_split: Option<Set>,
}

/// An audio file that lies among a source's files and that its tables do not mention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlistedFile {
    /// The number that its name bears, if the name is formed like that of a track.
    pub track_id: Option<u64>,
    /// Relative to the audio directory, with `/` between names.
    pub path: String,
}

/// Everything a source has for a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The tracks that were asked for, in the order of their ids.
    pub tracks: Vec<TrackSource>,
    /// Files that no table mentions, in the order of their paths.
    pub unlisted: Vec<UnlistedFile>,
}
