//! Where tracks come from. Each source reads its own tables, or the names of its directories, and gives a [`Listing`] of
//! tracks in the order of their ids.
//!
//! Nothing here decodes an audio file or decides whether it is good; of some files the first bytes are read.

mod audio_directory;
mod collection;
mod files;
pub mod fma;
mod folder;
pub(crate) mod gtzan;
mod listing;
pub mod magnatagatune;

pub use audio_directory::AudioDirectory;
pub use collection::{ALL, MAGNATAGATUNE, Source};
pub use listing::{Listing, TrackSource};
