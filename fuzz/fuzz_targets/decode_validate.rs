//! Decodes and validates arbitrary bytes as an audio file, as a build does. The watchdog is off, because the fuzzer
//! finds endless loops itself. Panics of decoders are caught, as in a build; `REPORT_PANICS=1` prints them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::audio::decode::Meter;
use shared::audio::validate::{Rejection, ValidateConfig, peak};
use shared::audio::waveform::WaveformReader;
use std::cell::RefCell;
use std::io::Cursor;
use std::sync::Arc;

/// 2 MB. A small input that decodes to hours of audio must not slow the fuzzer down.
const MAX_SAMPLES: u64 = 1 << 20;

thread_local! {
    static READER: RefCell<WaveformReader> = RefCell::new(WaveformReader::new(44_100, MAX_SAMPLES));
}

fuzz_target!(|bytes: &[u8]| {
    let file = Cursor::new(bytes.to_vec());
    let outcome =
        READER.with_borrow_mut(|reader| reader.read_bytes(file, bytes.len() as u64, &Arc::new(Meter::default())));
    match outcome {
        Ok(waveform) => {
            let samples = &waveform.samples;
            assert!(samples.len() as u64 <= MAX_SAMPLES);
            let decoding = &waveform.report.decoding;
            assert!((0.0..=1.0).contains(&decoding.decoded_share));
            let _ = ValidateConfig::default().evaluate(decoding, samples.len(), peak(samples));
        }
        Err(Rejection::DecoderPanic { message }) if std::env::var_os("REPORT_PANICS").is_some() => {
            eprintln!("decoder panic: {message}");
        }
        Err(_) => {}
    }
});
