//! Sources of tracks. Each source reads its own tables, or the names of its directories, and returns a [`Listing`] of
//! tracks in the order of their ids.
//!
//! No audio is decoded or validated here; at most the first bytes of a file are read.

mod audio_directory;
mod collection;
pub mod csv_table;
mod files;
pub mod fma;
mod folder;
pub(crate) mod gtzan;
mod listing;
pub mod magnatagatune;

pub use audio_directory::AudioDirectory;
pub use collection::{ALL, MAGNATAGATUNE, Source};
pub(crate) use files::first_bytes;
pub use listing::{Listing, TrackSource};
