//! A file on which a real decoder stalls: the track is rejected, and the next one is decoded.
//!
//! A fragmented MP4 has runs of samples. A run without data per sample takes 20 bytes and may state 2^32 samples, which
//! Symphonia 0.6.1 counts one by one. Found by the fuzz target `decode_validate`.

#![forbid(unsafe_code)]

use shared::audio::extract::Extractor;
use shared::audio::validate::ValidateConfig;
use shared::audio::watchdog::{Patience, Stalls};
use shared::dsp::features::FeatureConfig;
use std::fs;
use std::path::Path;
use std::time::Duration;

fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = body.len() as u32 + 8;
    [size.to_be_bytes().as_slice(), kind, body].concat()
}

#[test]
fn stalled_decoder_rejects_only_its_own_track() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/decode_validate");
    let directory = tempfile::tempdir().unwrap();
    let run = atom(b"trun", b"\0\0\0\0\xff\xff\xff\xff").repeat(500);
    let header = atom(b"tfhd", b"\0\x02\0\0\0\0\0\x01");
    let fragment = [
        atom(b"mfhd", &[0, 0, 0, 0, 0, 0, 0, 2]),
        atom(b"traf", &[header, run].concat()),
    ];
    let whole = fs::read(seeds.join("fragmented.m4a")).unwrap();
    let path = directory.path().join("stalls.m4a");
    fs::write(&path, [whole, atom(b"moof", &fragment.concat())].concat()).unwrap();
    let patience = Patience {
        tick: Duration::from_millis(50),
        ticks: 20,
    };
    let (features, stalls) = (FeatureConfig::default(), Stalls::new(1, patience));
    let mut extractor = Extractor::watched(&features, &ValidateConfig::default(), stalls.clone());
    let rejection = extractor.read_waveform(&path).unwrap_err();
    assert_eq!(rejection.code(), "decoder_stalled");
    assert_eq!(rejection.to_string(), "the decoder stalled: no progress for 1 seconds");
    let good = extractor.read_waveform(&seeds.join("fragmented.m4a")).unwrap();
    assert!(!good.samples.is_empty());
    assert_eq!(stalls.check(), Ok(()));
    let second = extractor.read_waveform(&path).unwrap_err();
    assert_eq!(second.code(), "decoder_stalled");
    let error = stalls.check().unwrap_err().to_string();
    assert_eq!(error.matches("stalls.m4a").count(), 2, "{error}");
}
