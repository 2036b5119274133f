//! Files whose headers promise the moon: each costs a rejection, little memory and little time.
//!
//! Memory is counted by the allocator, so this is a test binary of its own with one test that measures. What is counted
//! is all that was ever taken, so what was held at a time is less.

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

/// Most that may be taken for a file of some kB, in bytes.
const MEMORY: usize = 64 << 20;

/// Ample on a machine that does other things too.
const TIME: Duration = Duration::from_secs(5);

/// Reads files as a build does, and measures.
struct Measured {
    reader: WaveformReader,
    most_memory: (usize, String),
    most_time: (Duration, String),
    codes: BTreeMap<&'static str, usize>,
}

impl Measured {
    fn new() -> Self {
        Self {
            reader: WaveformReader::new(44_100, ValidateConfig::default().max_samples),
            most_memory: (0, String::new()),
            most_time: (Duration::ZERO, String::new()),
            codes: BTreeMap::new(),
        }
    }

    /// What becomes of a file. Resamplers are kept by the reader, so what they take is taken once.
    fn code(&mut self, name: &str, bytes: &[u8]) -> &'static str {
        let (file, length) = (Cursor::new(bytes.to_vec()), bytes.len() as u64);
        let (region, begin) = (Region::new(ALLOCATOR), Instant::now());
        let outcome = self.reader.read_bytes(file, length, &Arc::new(Meter::default()));
        let (change, time) = (region.change(), begin.elapsed());
        let taken = change.bytes_allocated + usize::try_from(change.bytes_reallocated).unwrap_or(0);
        assert!(
            taken <= MEMORY,
            "{name} took {taken} bytes: {:?}",
            outcome.as_ref().err()
        );
        assert!(time <= TIME, "{name} took {time:?}");
        if taken > self.most_memory.0 {
            self.most_memory = (taken, name.to_owned());
        }
        if time > self.most_time.0 {
            self.most_time = (time, name.to_owned());
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
            self.most_memory.0 >> 10,
            self.most_memory.1,
            self.most_time.0,
            self.most_time.1,
            self.codes
        );
    }
}

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/decode_validate")
}

/// One after another, because the allocator counts for the whole program.
#[test]
fn headers_that_promise_the_moon_cost_a_rejection_and_little_else() {
    crafted();
    every_field_in_turn();
}

fn crafted() {
    let mut measured = Measured::new();
    let files = containers::files()
        .into_iter()
        .chain(isomp4::files())
        .chain(matroska::files());
    let mut count = 0;
    for (name, bytes) in files {
        let code = measured.code(&name, &bytes);
        println!("{name} ({} bytes): {code}", bytes.len());
        if name.ends_with("a good one") {
            assert_eq!(code, "too_short", "{name}: what is made of it proves nothing");
        }
        assert!(!["kept", "decoder_panic", "io_error"].contains(&code), "{name}: {code}");
        count += 1;
    }
    measured.report("crafted headers");
    assert!(count > 60, "{count}");
}

/// Small real files of every format, with every four or eight bytes of their headers in turn as a length that no file has.
fn every_field_in_turn() {
    const HEADER: usize = 700;
    const LENGTHS: [&[u8]; 4] = [
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    ];
    let rounds: usize = std::env::var("CRATEDIGGER_FAULT_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap_or(1));
    // All places in six rounds; a sixth of them, spread out, in one.
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
    measured.report("every field in turn");
    assert!(measured.codes.contains_key("too_short"), "{:?}", measured.codes);
}
