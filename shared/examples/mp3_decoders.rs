//! Compares the speed of this crate's MP3 decoder with Symphonia's.
//!
//! ```sh
//! cargo run --release -p shared --example mp3_decoders -- DIR [REPETITIONS]
//! ```
//!
//! One thread decodes each file with both in turn, so both are measured under the same load, and the fastest repetition
//! of each counts. Times are those of the processor where the system reports them (Linux). Symphonia decodes both
//! channels; the crate decodes their mean.

#![forbid(unsafe_code)]

use anyhow::{Context, bail};
use shared::audio::decode::{Meter, open};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::codecs::MpaDecoder;
use symphonia::default::formats::MpaReader;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Returns the number of samples.
type Decode = fn(&Path) -> Option<u64>;

const DECODERS: [(&str, Decode); 2] = [("shared", with_shared), ("Symphonia", with_symphonia)];

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(directory) = arguments.next() else {
        bail!("give the directory of the MP3 files, and optionally how often to decode each (default: 3)");
    };
    let repetitions: u32 = arguments.next().map_or(Ok(3), |repetitions| repetitions.parse())?;
    let mut files = Vec::new();
    collect(Path::new(&directory), &mut files)?;
    files.sort();
    let mut total = [Duration::ZERO; 2];
    let mut decoded = 0;
    for path in &files {
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..repetitions {
            for (fastest, (_, decode)) in fastest.iter_mut().zip(DECODERS) {
                let begin = now();
                if decode(path).is_some() {
                    *fastest = now().saturating_sub(begin).min(*fastest);
                }
            }
        }
        if !fastest.contains(&Duration::MAX) {
            total = [0, 1].map(|at| total[at] + fastest[at]);
            decoded += 1;
        }
    }
    println!("{decoded} of {} files", files.len());
    for (total, (name, _)) in total.into_iter().zip(DECODERS) {
        println!(
            "{name}: {:.2} ms per file",
            1000.0 * total.as_secs_f64() / f64::from(decoded.max(1))
        );
    }
    Ok(())
}

/// Processor time of this thread, or else the time since the first call.
fn now() -> Duration {
    static BEGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let processor = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = processor.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| BEGIN.elapsed(), Duration::from_nanos)
}

fn with_shared(path: &Path) -> Option<u64> {
    let mut stream = open(path, &Arc::new(Meter::default())).ok()?;
    let mut samples = 0;
    while let Some(block) = stream.next_block().ok()? {
        samples += block.len() as u64;
    }
    Some(samples)
}

fn with_symphonia(path: &Path) -> Option<u64> {
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
