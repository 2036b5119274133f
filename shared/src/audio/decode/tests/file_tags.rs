//! Artist and album of files whose tags mutagen or ffmpeg wrote, and of damaged ones.

use super::*;
use std::path::{Path, PathBuf};

fn seed(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds/decode_validate")
        .join(file)
}

fn tags(path: &Path) -> FileTags {
    read_tags(path, &Arc::default())
}

fn tags_of(bytes: &[u8]) -> FileTags {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    tags(file.path())
}

fn named(artist: &str, album: &str) -> FileTags {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    FileTags {
        artist: filled(artist),
        album: filled(album),
    }
}

/// An ID3v2.3 tag with a text in Latin-1 per frame, and the frames of an MP3 file without tags.
fn mp3(frames: &[(&str, &[u8])]) -> Vec<u8> {
    let frame = |(name, text): &(&str, &[u8])| {
        let size = text.len() as u32 + 1;
        [name.as_bytes(), &size.to_be_bytes(), &[0; 3], text].concat()
    };
    let body = frames.iter().map(frame).collect::<Vec<_>>().concat();
    let size = [21, 14, 7, 0].map(|shift| (body.len() >> shift & 0x7f) as u8);
    let audio = fs::read(seed("lame.mp3")).unwrap();
    let begin = audio.windows(2).position(|pair| pair == [0xff, 0xfb]).unwrap();
    [&b"ID3\x03\0\0"[..], &size, &body, &audio[begin..]].concat()
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
        assert_eq!(tags(&seed(file)), named("Bj\u{f6}rk", "Debut & more"), "{file}");
    }
    // Version 2.3 joins several artists by a slash.
    assert_eq!(tags(&seed("tagged_v23.mp3")), named("Bj\u{f6}rk/Guest", "Debut & more"));
    for file in [
        "lame.mp3",
        "tone.flac",
        "flac.ogg",
        "alac.m4a",
        "pcm16.wav",
        "pcm.aiff",
        "flac.mka",
        "missing.mp3",
    ] {
        assert_eq!(tags(&seed(file)), FileTags::default(), "{file}");
    }
}

#[test]
fn artist_of_the_album_is_used_if_the_track_has_none() {
    assert_eq!(tags_of(&mp3(&[("TPE2", b"Trio")])), named("Trio", ""));
    assert_eq!(
        tags_of(&mp3(&[("TPE2", b"Trio"), ("TPE1", b"Solo")])),
        named("Solo", "")
    );
    // Spaces are not a name.
    assert_eq!(
        tags_of(&mp3(&[("TPE2", b"Trio"), ("TPE1", b"  \0")])),
        named("Trio", "")
    );
}

#[test]
fn id3v1_tag_names_what_the_longer_tag_does_not_name() {
    let mut file = mp3(&[("TPE1", b"A very long artist name that is cut")]);
    file.extend(b"TAG");
    for text in ["Song", "A very long artist name that i", "Album"] {
        let mut field = text.as_bytes().to_vec();
        field.resize(30, 0);
        file.extend(field);
    }
    file.extend([0; 35]);
    assert_eq!(tags_of(&file), named("A very long artist name that is cut", "Album"));
}

#[test]
fn tags_after_a_picture_are_found_and_reading_is_limited() {
    let behind = |length: usize| tags_of(&mp3(&[("APIC", &vec![0xaa; length]), ("TPE1", b"Nina")]));
    assert_eq!(behind(3_000_000), named("Nina", ""));
    assert_eq!(behind(30_000_000), FileTags::default());
}

#[test]
fn compressed_frame_is_not_decompressed() {
    // The size of the text, and "\0Nina" in a zlib stream.
    let text = b"\0\0\x05\x78\x9c\x63\xf0\xcb\xcc\x4b\x04\x00\x03\xb5\x01\x87";
    let mut file = mp3(&[("TPE1", text)]);
    // The frame's flag.
    file[10 + 9] = 0x80;
    assert_eq!(tags_of(&file), FileTags::default());
}

/// Neither a panic nor an endless loop, and no file that is read for seconds.
#[test]
fn damaged_and_cut_files_are_read() {
    for file in ["mp3", "flac", "ogg", "m4a", "wav", "aiff"] {
        let bytes = fs::read(seed(&format!("tagged.{file}"))).unwrap();
        for at in (0..bytes.len()).step_by(17) {
            let mut damaged = bytes.clone();
            damaged[at] ^= if at % 2 == 0 { 0xff } else { 0x81 };
            tags_of(&damaged);
            tags_of(&bytes[..at]);
        }
    }
}
