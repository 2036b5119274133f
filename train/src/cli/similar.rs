//! Arguments of `train similar`.

use super::count::count;
use super::file_name::with_extension;
use crate::settings::MOST_THREADS;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXAMPLES: &str = r"Examples:
  # Find the songs of a directory that are most similar to a song
  train similar --run runs/crnn music/ song.mp3

  # Embed a library once, then find similar songs at once
  train embed --run runs/crnn --out music.safetensors music/
  train similar --run runs/crnn music.safetensors song.mp3

  # Make a playlist of songs like these two
  train similar --run runs/crnn --playlist mix.m3u8 --top 30 \
      music.safetensors first.mp3 second.mp3

The similarity is the cosine of the embeddings, at most 1. With several songs or
several runs it is the mean.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SimilarArgs {
    /// Directory of audio files, or a file of `train embed`
    #[arg(value_name = "LIBRARY")]
    pub library: PathBuf,
    /// Audio files to find similar ones to
    #[arg(value_name = "SONG", required = true)]
    pub songs: Vec<PathBuf>,
    /// Run whose embeddings are compared
    #[arg(long = "run", value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Files to list
    #[arg(long, value_name = "N", default_value = "10")]
    pub top: NonZeroUsize,
    /// Write the list to a table
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the list to a playlist, .m3u8
    #[arg(long, value_name = "FILE", value_parser = |text: &str| with_extension(text, "m3u8"))]
    pub playlist: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// Threads that decode files [default: one per core]
    #[arg(long, value_name = "N", value_parser = count::<MOST_THREADS>)]
    pub jobs: Option<NonZeroUsize>,
    /// A device of `train devices`, auto or gpu
    #[arg(long, default_value = "auto")]
    pub device: String,
}
