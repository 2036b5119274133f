//! Ogg, changed from a file of ffmpeg's: pages with other numbers, and several files one behind another.

use super::*;

/// A tenth of a second of a tone.
const VORBIS: &[u8] = include_bytes!("../../../../../fuzz/seeds/decode_validate/vorbis.ogg");

/// The same file with another serial number, later granule positions, and right checksums.
fn renumbered(file: &[u8], serial: u32, later: u64) -> Vec<u8> {
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
        let (page, behind) = rest.split_at(length);
        rest = behind;
        let mut page = page.to_vec();
        let granule = u64::from_le_bytes(page[6..14].try_into().unwrap());
        // Pages of headers end at 0.
        if granule > 0 && granule < u64::MAX {
            page[6..14].copy_from_slice(&(granule + later).to_le_bytes());
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
fn a_piece_of_a_longer_recording_is_as_long_as_it_is() {
    let whole = decode(VORBIS).unwrap();
    assert_eq!(whole.report.bad_frames, 0);
    for later in [1, 44_100, 600 * 44_100] {
        let piece = decode(&renumbered(VORBIS, 9, later)).unwrap();
        assert_eq!(piece.report.bad_frames, 0, "{later}");
        assert!(
            piece.samples.len().abs_diff(whole.samples.len()) <= 1024,
            "{later}: {}",
            piece.samples.len()
        );
    }
}

#[test]
fn files_one_behind_another_are_all_decoded() {
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
fn a_file_with_a_tag_behind_it_is_whole() {
    let mut id3v1 = b"TAG".to_vec();
    id3v1.resize(128, b' ');
    let decoded = decode(&[VORBIS, &id3v1].concat()).unwrap();
    assert_eq!(
        (decoded.samples, decoded.report.bad_frames),
        (decode(VORBIS).unwrap().samples, 0)
    );
}

#[test]
fn vorbis_of_more_than_two_channels_is_refused_by_name() {
    // 0.05 s of silence in 3 channels: `ffmpeg -f lavfi -i anullsrc=cl=3.0 -t 0.05 -c:a libvorbis -bitexact`.
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
