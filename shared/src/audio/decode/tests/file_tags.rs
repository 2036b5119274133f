//! Artist and album of files whose tags mutagen or ffmpeg wrote.

use super::*;
use crate::audio::waveform::WaveformReader;
use std::path::Path;

fn tags(file: &str) -> FileTags {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/decode_validate");
    let mut reader = WaveformReader::new(44_100, 1 << 20);
    reader.read(&seeds.join(file), &Arc::default()).unwrap().tags
}

fn named(artist: &str, album: &str) -> FileTags {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    FileTags {
        artist: filled(artist),
        album: filled(album),
    }
}

#[test]
fn artist_and_album_are_found_in_the_tags_of_each_format() {
    for file in [
        "tagged.mp3",
        "tagged.flac",
        "tagged.ogg",
        "tagged.m4a",
        "tagged.wav",
        "tagged.aiff",
    ] {
        assert_eq!(tags(file), named("Bj\u{f6}rk", "Debut & more"), "{file}");
    }
    // Version 2.3 joins several artists by a slash.
    assert_eq!(tags("tagged_v23.mp3"), named("Bj\u{f6}rk/Guest", "Debut & more"));
    for file in [
        "lame.mp3",
        "tone.flac",
        "flac.ogg",
        "alac.m4a",
        "pcm16.wav",
        "pcm.aiff",
        "flac.mka",
    ] {
        assert_eq!(tags(file), FileTags::default(), "{file}");
    }
}

#[test]
fn damaged_tags_do_not_change_the_samples() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/decode_validate");
    let file = fs::read(seeds.join("tagged.mp3")).unwrap();
    let expected = steps(&file);
    let end = file.windows(4).position(|bytes| bytes == b"TALB").unwrap();
    for at in 10..end {
        let mut damaged = file.clone();
        // Never 0xff, which could begin a frame.
        damaged[at] ^= 0x41;
        assert_eq!(steps(&damaged), expected, "byte {at}");
    }
}
