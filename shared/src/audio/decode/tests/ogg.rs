//! Modified Ogg files from ffmpeg: renumbered pages and several files joined together.

use super::*;

/// A tone of 0.1 s.
const VORBIS: &[u8] = include_bytes!("../../../../../fuzz/seeds/decode_validate/vorbis.ogg");

/// The file with another serial number and with `offset` added to its granule positions. Checksums are updated.
fn renumbered(file: &[u8], serial: u32, offset: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let segments = usize::from(rest[26]);
        let length = 27
            + segments
            + rest[27..27 + segments]
                .iter()
                .map(|&size| usize::from(size))
                .sum::<usize>();
        let (page, after) = rest.split_at(length);
        rest = after;
        let mut page = page.to_vec();
        let granule = u64::from_le_bytes(page[6..14].try_into().unwrap());
        // Header pages have granule position 0.
        if granule > 0 && granule < u64::MAX {
            page[6..14].copy_from_slice(&(granule + offset).to_le_bytes());
        }
        page[14..18].copy_from_slice(&serial.to_le_bytes());
        page[22..26].fill(0);
        let sum = checksum(&page);
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        out.extend(page);
    }
    out
}

fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            let shifted = sum << 1;
            if sum >> 31 == 1 { shifted ^ 0x04c1_1db7 } else { shifted }
        })
    })
}

#[test]
fn part_of_a_longer_recording_is_complete() {
    let whole = decode(VORBIS).unwrap();
    assert_eq!(whole.report.bad_frames, 0);
    for offset in [1, 44_100, 600 * 44_100] {
        let piece = decode(&renumbered(VORBIS, 9, offset)).unwrap();
        assert_eq!(piece.report.bad_frames, 0, "{offset}");
        assert!(
            piece.samples.len().abs_diff(whole.samples.len()) <= 1024,
            "{offset}: {}",
            piece.samples.len()
        );
    }
}

#[test]
fn joined_files_are_all_decoded() {
    let whole = decode(VORBIS).unwrap().samples;
    let chain = [
        renumbered(VORBIS, 1, 0),
        renumbered(VORBIS, 2, 0),
        renumbered(VORBIS, 3, 0),
    ]
    .concat();
    let decoded = decode(&chain).unwrap();
    assert_eq!((decoded.samples, decoded.report.bad_frames), (whole.repeat(3), 0));
}

#[test]
fn trailing_tag_is_ignored() {
    let mut id3v1 = b"TAG".to_vec();
    id3v1.resize(128, b' ');
    let decoded = decode(&[VORBIS, &id3v1].concat()).unwrap();
    assert_eq!(
        (decoded.samples, decoded.report.bad_frames),
        (decode(VORBIS).unwrap().samples, 0)
    );
}

#[test]
fn vorbis_with_more_than_two_channels_is_refused() {
    // 3 channels of 0.05 s of silence: `ffmpeg -f lavfi -i anullsrc=cl=3.0 -t 0.05 -c:a libvorbis -bitexact`.
    for file in [
        &include_bytes!("../../../../../fuzz/seeds/decode_validate/vorbis_3_channels.ogg")[..],
        include_bytes!("../../../../../fuzz/seeds/decode_validate/vorbis_3_channels.webm"),
    ] {
        let rejection = decode(file).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format");
        assert!(
            rejection.to_string().contains("Vorbis audio with 3 channels"),
            "{rejection}"
        );
    }
}
