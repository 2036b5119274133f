//! Measures how fast Symphonia alone decodes a directory of MP3 files: the upper bound of the speed of
//! `preprocess build`.
//!
//! ```sh
//! cargo run --release -p shared --example decode_only -- DIR [THREADS]
//! ```
//!
//! Decoded samples are discarded. Files that cannot be opened are skipped.

#![forbid(unsafe_code)]

use anyhow::{Context, bail};
use rayon::prelude::*;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::codecs::MpaDecoder;
use symphonia::default::formats::MpaReader;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(directory) = arguments.next() else {
        bail!("give the directory of the MP3 files, and optionally the number of threads (default: one per core)");
    };
    let threads = arguments.next().map_or(Ok(0), |threads| threads.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut files = Vec::new();
    collect(Path::new(&directory), &mut files)?;
    files.sort();
    let begin = Instant::now();
    let samples: Vec<u64> = pool.install(|| {
        files
            .par_iter()
            .with_max_len(1)
            .filter_map(|path| decode(path))
            .collect()
    });
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "{} of {} files, {} samples per channel, {seconds:.2} s, {:.2} tracks/s on {} threads",
        samples.len(),
        files.len(),
        samples.iter().sum::<u64>(),
        samples.len() as f64 / seconds,
        pool.current_num_threads()
    );
    Ok(())
}

fn decode(path: &Path) -> Option<u64> {
    let source = MediaSourceStream::new(Box::new(File::open(path).ok()?), Default::default());
    let mut reader = MpaReader::try_new(source, FormatOptions::default()).ok()?;
    let params = reader.tracks()[0].codec_params.as_ref()?.audio()?.clone();
    let mut decoder = MpaDecoder::try_new(&params, &AudioDecoderOptions::default()).ok()?;
    let mut samples = 0;
    while let Ok(Some(packet)) = reader.next_packet() {
        if let Ok(buffer) = decoder.decode(&packet) {
            samples += buffer.frames() as u64;
        }
    }
    Some(samples)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("could not read {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "mp3") {
            files.push(path);
        }
    }
    Ok(())
}
