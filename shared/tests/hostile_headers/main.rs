//! Checks that files with huge numbers in their headers are rejected with little memory and time.
//!
//! The allocator counts for all threads, so this is a separate test binary with a single test. It sums all allocations
//! of a file, so the peak memory is lower.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod containers;
mod isomp4;
mod matroska;

use shared::audio::decode::Meter;
use shared::audio::validate::{Rejection, ValidateConfig, peak};
use shared::audio::waveform::WaveformReader;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Maximum bytes allocated for a file of some kB.
const MAX_MEMORY: usize = 64 << 20;

/// Generous, for a busy machine.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Reads files as a build does, and measures time and memory.
struct Measured {
    reader: WaveformReader,
    max_memory: (usize, String),
    max_time: (Duration, String),
    codes: BTreeMap<&'static str, usize>,
}

impl Measured {
    fn new() -> Self {
        Self {
            reader: WaveformReader::new(44_100, ValidateConfig::default().max_samples),
            max_memory: (0, String::new()),
            max_time: (Duration::ZERO, String::new()),
            codes: BTreeMap::new(),
        }
    }

    /// The rejection code of a file, or `kept`. The reader reuses its resamplers, so their memory counts only once.
    fn code(&mut self, name: &str, bytes: &[u8]) -> &'static str {
        let (file, length) = (Cursor::new(bytes.to_vec()), bytes.len() as u64);
        let (region, begin) = (Region::new(ALLOCATOR), Instant::now());
        let outcome = self.reader.read_bytes(file, length, &Arc::new(Meter::default()));
        let (change, time) = (region.change(), begin.elapsed());
        let allocated = change.bytes_allocated + usize::try_from(change.bytes_reallocated).unwrap_or(0);
        assert!(
            allocated <= MAX_MEMORY,
            "{name} allocated {allocated} bytes: {:?}",
            outcome.as_ref().err()
        );
        assert!(time <= MAX_TIME, "{name} took {time:?}");
        if allocated > self.max_memory.0 {
            self.max_memory = (allocated, name.to_owned());
        }
        if time > self.max_time.0 {
            self.max_time = (time, name.to_owned());
        }
        let code = outcome
            .and_then(|waveform| {
                let samples = &waveform.samples;
                ValidateConfig::default().evaluate(&waveform.report.decoding, samples.len(), peak(samples))
            })
            .map_or_else(|rejection: Rejection| rejection.code(), |()| "kept");
        *self.codes.entry(code).or_default() += 1;
        code
    }

    fn report(&self, what: &str) {
        println!(
            "{what}: at most {} kB for {}, {:?} for {}; {:?}",
            self.max_memory.0 >> 10,
            self.max_memory.1,
            self.max_time.0,
            self.max_time.1,
            self.codes
        );
    }
}

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/decode_validate")
}

/// Runs both checks one after another, because the allocator counts for the whole program.
#[test]
fn hostile_headers_are_rejected_with_little_memory_and_time() {
    crafted_headers();
    overwritten_header_bytes();
}

fn crafted_headers() {
    let mut measured = Measured::new();
    let files = containers::files()
        .into_iter()
        .chain(isomp4::files())
        .chain(matroska::files());
    let mut count = 0;
    for (name, bytes) in files {
        let code = measured.code(&name, &bytes);
        println!("{name} ({} bytes): {code}", bytes.len());
        if name.ends_with("a valid file") {
            assert_eq!(
                code, "too_short",
                "{name}: the crafted files must be valid except for one field"
            );
        }
        assert!(!["kept", "decoder_panic", "io_error"].contains(&code), "{name}: {code}");
        count += 1;
    }
    measured.report("crafted headers");
    assert!(count > 60, "{count}");
}

/// Overwrites every four or eight bytes in the headers of small real files with an impossible length, one after
/// another.
fn overwritten_header_bytes() {
    const HEADER: usize = 700;
    const LENGTHS: [&[u8]; 4] = [
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    ];
    let rounds: usize = std::env::var("CRATEDIGGER_FAULT_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap_or(1));
    // With six rounds every position is overwritten; with one, every sixth.
    let step = (6 / rounds.max(1)).max(1);
    let mut measured = Measured::new();
    for entry in fs::read_dir(seeds()).unwrap() {
        let path = entry.unwrap().path();
        let (whole, name) = (
            fs::read(&path).unwrap(),
            path.file_name().unwrap().to_string_lossy().into_owned(),
        );
        for (number, length) in LENGTHS.iter().enumerate() {
            for at in (number..whole.len().min(HEADER)).step_by(step) {
                let mut bytes = whole.clone();
                let end = (at + length.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&length[..end - at]);
                measured.code(&format!("{name} with {length:x?} at {at}"), &bytes);
            }
        }
    }
    measured.report("overwritten header bytes");
    assert!(measured.codes.contains_key("too_short"), "{:?}", measured.codes);
}
