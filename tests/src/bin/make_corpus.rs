//! Makes the quickstart's corpus: eight synthetic genres in the layout of one of three well-known collections.

#![forbid(unsafe_code)]

use clap::Parser;
use std::path::PathBuf;
use std::time::Instant;
use tests::corpus::{CorpusConfig, Damage, GENRE_COUNT, Layout, make_corpus};

/// Make a small corpus of synthetic music, by default in the layout of FMA: OUT/audio/NNN/NNNNNN.mp3 and
/// OUT/metadata/tracks.csv.
///
/// Seven files are damaged on purpose and listed in OUT/metadata/damage.csv. The same arguments give the same bytes.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Directory to create; it must not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of tracks in each of the eight genres.
    #[arg(long, value_name = "N", default_value_t = CorpusConfig::default().tracks_per_genre)]
    tracks_per_genre: usize,
    /// Length of most tracks, in seconds; one in eight is up to twice as long.
    #[arg(long, value_name = "SECONDS", default_value_t = CorpusConfig::default().seconds)]
    seconds: f32,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = CorpusConfig::default().seed)]
    seed: u64,
    /// Collection whose layout is used.
    #[arg(long, value_enum, default_value_t = CorpusConfig::default().layout)]
    layout: Layout,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let begin = Instant::now();
    let config = CorpusConfig {
        tracks_per_genre: cli.tracks_per_genre,
        seconds: cli.seconds,
        seed: cli.seed,
        damage: Damage::USUAL.to_vec(),
        layout: cli.layout,
    };
    let tracks = make_corpus(&cli.out, &config)?;
    println!(
        "{} tracks, {GENRE_COUNT} genres, {} damaged, in {:.1} s -> {}",
        tracks.len(),
        tracks.iter().filter(|track| track.damage.is_some()).count(),
        begin.elapsed().as_secs_f32(),
        cli.out.display()
    );
    Ok(())
}
