//! Measures tags and pictures before, between and after the frames of a file.
//!
//! Supports ID3v1 and its enhanced form, ID3v2, APEv1 and APEv2, Lyrics3v1 and Lyrics3v2, JPEG and PNG. The size in a
//! tag may be wrong, so it is checked against the content or the other end of the tag if the format allows it.

use super::ape::{APE_FOOTER, ApeFooter, ape_header};
use super::pictures::{jpeg, png};
use super::window::Window;
use std::io::{self, Read, Seek};
use std::ops::Range;

const ID3V2_HEADER: u64 = 10;
const ID3V1: u64 = 128;
/// "TAG+", which precedes an ID3v1 tag.
const ENHANCED_ID3V1: u64 = 227;
const LYRICS3_BEGIN: &[u8; 11] = b"LYRICSBEGIN";
/// Lyrics3v2 states its size in six digits.
const MAX_LYRICS3: u64 = 1_000_100;

/// The range of the file without the tags at its beginning and end.
pub(super) fn audio_range<F: Read + Seek>(window: &mut Window<F>) -> io::Result<Range<u64>> {
    let mut end = window.end();
    let mut start = 0;
    while let Some(length) = text_tag(window, start)? {
        start = (start + length).min(end);
    }
    while let Some(length) = trailing(window, start, end)? {
        end -= length;
    }
    Ok(start..end)
}

/// The tag or picture that begins at this position.
pub(super) fn leading<F: Read + Seek>(window: &mut Window<F>, at: u64) -> io::Result<Option<Foreign>> {
    let certain = |length| Foreign { length, certain: true };
    let Some(magic) = window.array::<4>(at)? else {
        return Ok(None);
    };
    Ok(match &magic {
        b"ID3\x02" | b"ID3\x03" | b"ID3\x04" => id3v2(window, at)?.map(|length| Foreign { length, certain: false }),
        b"APET" => ape_header(window, at)?.map(certain),
        b"TAG+" => Some(certain(ENHANCED_ID3V1)),
        [b'T', b'A', b'G', _] => Some(certain(ID3V1)),
        b"LYRI" => lyrics3(window, at)?.map(certain),
        b"\xff\xd8\xff\xe0" | b"\xff\xd8\xff\xe1" | b"\xff\xd8\xff\xdb" | b"\xff\xd8\xff\xee" => {
            jpeg(window, at)?.map(certain)
        }
        b"\x89PNG" => png(window, at)?.map(certain),
        _ => None,
    })
}

/// A tag or picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub length: u64,
    /// Whether the length is fixed or was checked. The length of an ID3v2 tag cannot be checked.
    pub certain: bool,
}

/// Length of the ID3v2 or APE tag that begins at this position.
fn text_tag<F: Read + Seek>(window: &mut Window<F>, at: u64) -> io::Result<Option<u64>> {
    Ok(match id3v2(window, at)? {
        Some(length) => Some(length),
        None => ape_header(window, at)?,
    })
}

/// Length of the tag that ends at `end` and does not begin before `start`.
fn trailing<F: Read + Seek>(window: &mut Window<F>, start: u64, end: u64) -> io::Result<Option<u64>> {
    let begin = |length: u64| end.checked_sub(length).filter(|&at| at >= start);
    for (length, magic) in [(ID3V1, b"TAG".as_slice()), (ENHANCED_ID3V1, b"TAG+")] {
        if let Some(at) = begin(length)
            && window.bytes(at, magic.len())? == magic
        {
            return Ok(Some(length));
        }
    }
    if let Some(at) = begin(APE_FOOTER)
        && let Some(footer) = window.array(at)?.as_ref().and_then(ApeFooter::read)
    {
        return Ok(Some(footer.checked_length(window, start, end)?));
    }
    // Six digits of size, which exclude the digits and the end marker themselves.
    if let Some(at) = begin(15)
        && let Some(footer) = window.array::<15>(at)?
        && footer.ends_with(b"LYRICS200")
        && let Some(size) = std::str::from_utf8(&footer[..6])
            .ok()
            .and_then(|digits| digits.parse::<u64>().ok())
        && let Some(at) = begin(size + 15)
        && window.bytes(at, LYRICS3_BEGIN.len())? == LYRICS3_BEGIN
    {
        return Ok(Some(size + 15));
    }
    // Lyrics3v1 has no size field, and at most 5,100 bytes of text.
    if let Some(at) = begin(9)
        && window.bytes(at, 9)? == b"LYRICSEND"
    {
        let from = end.saturating_sub(5100 + 20).max(start);
        let text = window.bytes(from, (end - from) as usize)?;
        if let Some(offset) = find_last(text, LYRICS3_BEGIN) {
            return Ok(Some(end - from - offset as u64));
        }
    }
    if let Some(at) = begin(ID3V2_HEADER)
        && let Some(footer) = window.array::<10>(at)?
        && footer.starts_with(b"3DI")
        && let Some(body) = id3v2_size(&footer)
        && let Some(at) = begin(body + 2 * ID3V2_HEADER)
        && window.bytes(at, 3)? == b"ID3"
    {
        return Ok(Some(body + 2 * ID3V2_HEADER));
    }
    Ok(None)
}

fn find_last(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).rposition(|found| found == wanted)
}

/// Length of an ID3v2 tag, including its header. If the size exceeds the file, it is the length of the header alone,
/// and the search for frames skips the rest.
fn id3v2<F: Read + Seek>(window: &mut Window<F>, at: u64) -> io::Result<Option<u64>> {
    let Some(header) = window.array::<10>(at)? else {
        return Ok(None);
    };
    if !header.starts_with(b"ID3") || header[3] == 0xff {
        return Ok(None);
    }
    let Some(body) = id3v2_size(&header) else {
        return Ok(None);
    };
    const FOOTER_PRESENT: u8 = 0x10;
    let footer = if header[5] & FOOTER_PRESENT != 0 {
        ID3V2_HEADER
    } else {
        0
    };
    let length = ID3V2_HEADER + body + footer;
    Ok(Some(if length > window.end() - at {
        ID3V2_HEADER
    } else {
        length
    }))
}

/// The size in an ID3v2 header or footer: four bytes of seven bits.
fn id3v2_size(header: &[u8; 10]) -> Option<u64> {
    let size = &header[6..];
    (size.iter().all(|&byte| byte < 0x80)).then(|| size.iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte)))
}

/// Length of the Lyrics3 tag that begins at this position.
fn lyrics3<F: Read + Seek>(window: &mut Window<F>, at: u64) -> io::Result<Option<u64>> {
    if window.bytes(at, LYRICS3_BEGIN.len())? != LYRICS3_BEGIN {
        return Ok(None);
    }
    let length = MAX_LYRICS3.min(window.end() - at) as usize;
    let text = window.bytes(at, length)?;
    let end = text
        .windows(9)
        .position(|found| found == b"LYRICSEND" || found == b"LYRICS200");
    Ok(end.map(|end| end as u64 + 9))
}

#[cfg(test)]
mod tests {
    use super::super::tests::tag_bytes::{ape, id3v1};
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn window(bytes: &[u8]) -> Window<Cursor<&[u8]>> {
        Window::new(Cursor::new(bytes), bytes.len() as u64)
    }

    fn range(bytes: &[u8]) -> Range<u64> {
        audio_range(&mut window(bytes)).unwrap()
    }

    fn id3v2(body: usize, flags: u8) -> Vec<u8> {
        let mut tag = b"ID3\x04\x00".to_vec();
        tag.push(flags);
        tag.extend([0, 0, (body >> 7) as u8, (body & 0x7f) as u8]);
        tag.resize(10 + body, 0xff);
        if flags & 0x10 != 0 {
            let footer = [b"3DI", &tag[3..10]].concat();
            tag.extend(footer);
        }
        tag
    }

    fn lyrics3v2() -> Vec<u8> {
        b"LYRICSBEGININD00002100000LYR00005la la000026LYRICS200".to_vec()
    }

    #[test]
    fn leading_and_trailing_tags_are_excluded() {
        let audio = [0x55; 300];
        let enhanced = [b"TAG+".to_vec(), vec![0; 223], id3v1()].concat();
        let lyrics3v1 = [b"LYRICSBEGINla la laLYRICSEND".to_vec(), id3v1()].concat();
        let lyrics3v2 = [
            b"LYRICSBEGIN".as_slice(),
            b"IND0000210",
            b"LYR00005la la",
            b"000034LYRICS200",
            &id3v1(),
        ]
        .concat();
        for before in [
            vec![],
            id3v2(200, 0),
            id3v2(20, 0x10),
            [id3v2(7, 0), id3v2(130, 0)].concat(),
            ape(100, true),
        ] {
            for ape in [vec![], ape(100, false), ape(100, true)] {
                for after in [
                    vec![],
                    id3v1(),
                    enhanced.clone(),
                    lyrics3v1.clone(),
                    lyrics3v2.clone(),
                    id3v2(90, 0x10),
                ] {
                    let file = [&before, audio.as_slice(), &ape, &after].concat();
                    let expected = before.len() as u64..before.len() as u64 + 300;
                    assert_eq!(range(&file), expected, "{}", String::from_utf8_lossy(&after));
                }
            }
        }
    }

    #[test]
    fn tag_with_wrong_size_does_not_hide_audio() {
        assert_eq!(range(&id3v2(100, 0)[..50]), 10..50);
        assert_eq!(range(b"ID3"), 0..3);
        let audio = [0x55; 3000];
        for size in [u32::MAX, 5_000_000, 2000, 33, 31, 0] {
            let mut footer = ape(10, true);
            footer.drain(..footer.len() - 32);
            footer[12..16].copy_from_slice(&size.to_le_bytes());
            let file = [&audio[..], &footer].concat();
            assert_eq!(range(&file), 0..3000, "{size}");
            footer[20..24].copy_from_slice(&(1u32 << 31 | 1 << 29).to_le_bytes());
            let file = [&footer, &audio[..]].concat();
            assert_eq!(range(&file), 32..3032, "{size}");
        }
    }

    #[test]
    fn length_of_a_picture_is_found() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x06JF\xff\xfb\xff\xda\0\x04ab\x12\xff\0\x34\xff\xd3\x56\xff\xd9";
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x03IDATabc1234\0\0\0\0IEND5678";
        for picture in [&jpeg[..], png] {
            let file = [picture, &[0xff; 50]].concat();
            let found = leading(&mut window(&file), 0).unwrap();
            assert_eq!(
                found,
                Some(Foreign {
                    length: picture.len() as u64,
                    certain: true
                })
            );
            assert_eq!(leading(&mut window(picture), 0).unwrap(), found);
            assert_eq!(leading(&mut window(&picture[..picture.len() - 1]), 0).unwrap(), None);
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            prefix in prop::sample::select(vec![b"".to_vec(), b"ID3\x04\x00\x00".to_vec(), ape(30, true), lyrics3v2(), b"\xff\xd8\xff\xe0".to_vec(), b"\x89PNG\r\n\x1a\n".to_vec()]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            suffix in prop::sample::select(vec![b"".to_vec(), ape(30, false), ape(30, true), lyrics3v2(), id3v2(9, 0x10)]),
            cut in 0usize..40,
            damaged in 0usize..300,
        ) {
            let mut file = [prefix, bytes, suffix].concat();
            if let Some(byte) = file.get_mut(damaged) {
                *byte ^= 0x81;
            }
            let length = file.len().saturating_sub(cut);
            let file = &file[file.len() - length..];
            let found = range(file);
            prop_assert!(found.start <= found.end && found.end <= file.len() as u64);
            let _ = leading(&mut window(file), 0);
        }
    }
}
