//! Reads artist and album from ID3v2 tags, versions 2 to 4, and from ID3v1 tags.
//!
//! Only the frames with these texts are read. Pictures are skipped, so a tag of some MB costs as little as a short one.

use super::file_tags::{FileTags, first_value, latin1};
use super::window::Window;
use std::io::{self, Cursor, Read, Seek};

const HEADER: u64 = 10;
const ID3V1: u64 = 128;

/// Longest text frame in bytes. A longer one is not a name.
const LONGEST_FRAME: u64 = 1 << 13;

/// Maximum bytes read in search of the frames. A frame that is skipped counts as at most one read of a window.
const MAX_BYTES: u64 = 2 << 20;
const SKIP_BYTES: u64 = 1 << 16;

/// Maximum bytes of a tag whose zero bytes are escaped as a whole.
const LONGEST_ESCAPED: u64 = 1 << 20;

/// Reads the ID3v2 tag that begins at `at` and ends before `end`. A damaged tag gives what was found before the damage.
pub(super) fn read<F: Read + Seek>(window: &mut Window<F>, at: u64, end: u64) -> io::Result<FileTags> {
    let Some([b'I', b'D', b'3', version @ 2..=4, _, flags, size @ ..]) = window.array::<10>(at)? else {
        return Ok(FileTags::default());
    };
    let Some(size) = seven_bits(size) else {
        return Ok(FileTags::default());
    };
    let (begin, end) = (at + HEADER, end.min(at.saturating_add(HEADER + size)));
    let (is_escaped, is_extended) = (flags & 0x80 != 0, flags & 0x40 != 0);
    // In version 2, this flag means a compression that was never specified.
    if version == 2 && is_extended {
        return Ok(FileTags::default());
    }
    // Version 4 escapes each frame separately.
    if is_escaped && version < 4 {
        let length = LONGEST_ESCAPED.min(end.saturating_sub(begin)) as usize;
        let body = unescaped(window.bytes(begin, length)?);
        let length = body.len() as u64;
        return frames(
            &mut Window::new(Cursor::new(body), length),
            0,
            length,
            version,
            is_extended,
        );
    }
    frames(window, begin, end, version, is_extended)
}

fn frames<F: Read + Seek>(
    window: &mut Window<F>,
    begin: u64,
    end: u64,
    version: u8,
    is_extended: bool,
) -> io::Result<FileTags> {
    let mut at = begin;
    if is_extended && let Some(size) = window.array::<4>(at)? {
        // The size includes itself in version 4 only.
        at += match version {
            4 => seven_bits(size).unwrap_or(0),
            _ => u64::from(u32::from_be_bytes(size)) + 4,
        };
    }
    let (mut found, mut album_artist, mut left) = (FileTags::default(), None, MAX_BYTES);
    while !found.is_complete()
        && let Some(frame) = Frame::read(window, at, version)?
        && frame.end() <= end
    {
        let place = match &frame.name {
            b"TPE1" | b"TP1\0" => Some(&mut found.artist),
            b"TALB" | b"TAL\0" => Some(&mut found.album),
            b"TPE2" | b"TP2\0" => Some(&mut album_artist),
            _ => None,
        };
        if let Some(place) = place.filter(|place| place.is_none()) {
            *place = frame.text(window)?;
        }
        at = frame.end();
        let Some(rest) = left.checked_sub(HEADER + frame.size.min(SKIP_BYTES)) else {
            break;
        };
        left = rest;
    }
    found.artist = found.artist.or(album_artist);
    Ok(found)
}

/// The header of a frame.
struct Frame {
    /// Three letters and a zero in version 2.
    name: [u8; 4],
    version: u8,
    flags: u8,
    body: u64,
    size: u64,
}

impl Frame {
    /// `None` at padding and at anything else that is not a frame.
    fn read<F: Read + Seek>(window: &mut Window<F>, at: u64, version: u8) -> io::Result<Option<Self>> {
        let frame = if version == 2 {
            window.array::<6>(at)?.map(|[a, b, c, size @ ..]| Self {
                name: [a, b, c, 0],
                version,
                flags: 0,
                body: at + 6,
                size: size.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
            })
        } else {
            window.array::<10>(at)?.and_then(|[a, b, c, d, e, f, g, h, _, flags]| {
                let size = [e, f, g, h];
                Some(Self {
                    name: [a, b, c, d],
                    version,
                    flags,
                    body: at + 10,
                    size: if version == 4 {
                        seven_bits(size)?
                    } else {
                        u32::from_be_bytes(size).into()
                    },
                })
            })
        };
        let letters = if version == 2 { 3 } else { 4 };
        let is_name = |name: &[u8]| name.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        Ok(frame.filter(|frame| is_name(&frame.name[..letters])))
    }

    fn end(&self) -> u64 {
        self.body + self.size
    }

    fn text<F: Read + Seek>(&self, window: &mut Window<F>) -> io::Result<Option<String>> {
        if self.size > LONGEST_FRAME {
            return Ok(None);
        }
        let (unreadable, group, length, escaped) = match self.version {
            3 => (0xc0, 0x20, 0, 0),
            4 => (0x0c, 0x40, 0x01, 0x02),
            _ => (0, 0, 0, 0),
        };
        if self.flags & unreadable != 0 {
            return Ok(None);
        }
        let has = |flag: u8| self.flags & flag != 0;
        let before = usize::from(has(group)) + if has(length) { 4 } else { 0 };
        let bytes = window.bytes(self.body, self.size as usize)?;
        let bytes = bytes.get(before..).unwrap_or_default();
        let text = if has(escaped) {
            decode(&unescaped(bytes))
        } else {
            decode(bytes)
        };
        Ok(first_value(&text))
    }
}

/// The text of a frame, which begins with its encoding.
fn decode(bytes: &[u8]) -> String {
    let Some((encoding, text)) = bytes.split_first() else {
        return String::new();
    };
    let utf16 = |text: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = text.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match (encoding, text) {
        (0, text) => latin1(text),
        (1, [0xfe, 0xff, text @ ..]) | (2, text) => utf16(text, u16::from_be_bytes),
        (1, [0xff, 0xfe, text @ ..]) | (1, text) => utf16(text, u16::from_le_bytes),
        (3, text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    }
}

/// Removes the zero byte that follows each 0xff, which hides what looks like an MPEG frame.
fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        if byte != 0 || at == 0 || bytes[at - 1] != 0xff {
            kept.push(byte);
        }
    }
    kept
}

/// A number of four bytes with seven bits each.
fn seven_bits(bytes: [u8; 4]) -> Option<u64> {
    let is_valid = bytes.iter().all(|&byte| byte < 0x80);
    is_valid.then(|| bytes.iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte)))
}

/// Reads the ID3v1 tag at the end of the file, whose texts have at most 30 characters.
pub(super) fn read_v1<F: Read + Seek>(window: &mut Window<F>) -> io::Result<FileTags> {
    let Some(at) = window.end().checked_sub(ID3V1) else {
        return Ok(FileTags::default());
    };
    let tag = window.bytes(at, ID3V1 as usize)?;
    let text = |from: usize| first_value(&latin1(tag.get(from..from + 30)?));
    Ok(match tag.starts_with(b"TAG") {
        true => FileTags {
            artist: text(33),
            album: text(63),
        },
        false => FileTags::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(length: usize) -> [u8; 4] {
        [21, 14, 7, 0].map(|shift| (length >> shift & 0x7f) as u8)
    }

    fn frame(version: u8, name: &str, flags: u8, body: &[u8]) -> Vec<u8> {
        let length = body.len() as u32;
        match version {
            2 => [name.as_bytes(), &length.to_be_bytes()[1..], body].concat(),
            3 => [name.as_bytes(), &length.to_be_bytes(), &[0, flags], body].concat(),
            _ => [name.as_bytes(), &size(body.len()), &[0, flags], body].concat(),
        }
    }

    fn tag(version: u8, flags: u8, body: &[u8]) -> Vec<u8> {
        [&b"ID3"[..], &[version, 0, flags], &size(body.len()), body].concat()
    }

    fn found(file: &[u8]) -> (Option<String>, Option<String>) {
        let end = file.len() as u64;
        let tags = read(&mut Window::new(Cursor::new(file), end), 0, end).unwrap();
        (tags.artist, tags.album)
    }

    fn names(artist: &str, album: &str) -> (Option<String>, Option<String>) {
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        (filled(artist), filled(album))
    }

    #[test]
    fn frames_of_all_versions_and_encodings_are_read() {
        let v2 = [
            frame(2, "TT2", 0, b"\0Song"),
            frame(2, "TP1", 0, b"\0Bj\xf6rk\0"),
            frame(2, "TAL", 0, b"\0Debut"),
        ];
        assert_eq!(found(&tag(2, 0, &v2.concat())), names("Bj\u{f6}rk", "Debut"));
        let utf16 = b"\x01\xff\xfeB\0j\0\xf6\0r\0k\0\0\0";
        let v3 = [frame(3, "TPE1", 0, utf16), frame(3, "TALB", 0, b"\x02\0P\0o\0s\0t")];
        assert_eq!(found(&tag(3, 0, &v3.concat())), names("Bj\u{f6}rk", "Post"));
        let v4 = [
            frame(4, "TALB", 0x41, b"\x07\0\0\0\x05\x03Post"),
            frame(4, "TPE1", 0, "\u{3}Bj\u{f6}rk\0Guest".as_bytes()),
        ];
        assert_eq!(found(&tag(4, 0, &v4.concat())), names("Bj\u{f6}rk", "Post"));
    }

    #[test]
    fn artist_of_the_album_is_used_if_the_track_has_none() {
        let album_artist = frame(3, "TPE2", 0, b"\0Trio");
        assert_eq!(found(&tag(3, 0, &album_artist)), names("Trio", ""));
        let both = [album_artist, frame(3, "TPE1", 0, b"\0Solo")].concat();
        assert_eq!(found(&tag(3, 0, &both)), names("Solo", ""));
        // Spaces are not a name.
        let blank = [frame(3, "TPE2", 0, b"\0Trio"), frame(3, "TPE1", 0, b"\0  \0")].concat();
        assert_eq!(found(&tag(3, 0, &blank)), names("Trio", ""));
    }

    #[test]
    fn escaped_zero_bytes_are_removed() {
        // UTF-16 text has 0xff in its byte order mark, and so an escape.
        let escaped = b"\x01\xff\0\xfeA\0";
        let body = frame(3, "TPE1", 0, b"\x01\xff\xfeA\0");
        let whole: Vec<u8> = body
            .iter()
            .flat_map(|&byte| if byte == 0xff { vec![0xff, 0] } else { vec![byte] })
            .collect();
        assert_eq!(found(&tag(3, 0x80, &whole)), names("A", ""));
        assert_eq!(found(&tag(4, 0x80, &frame(4, "TPE1", 0x02, escaped))), names("A", ""));
    }

    #[test]
    fn picture_before_the_texts_is_skipped() {
        let picture = frame(4, "APIC", 0, &vec![0xaa; 900_000]);
        let file = tag(4, 0, &[picture, frame(4, "TPE1", 0, b"\0Nina")].concat());
        assert_eq!(found(&file), names("Nina", ""));
        let extended = [&b"\0\0\0\x06\0\0\0\0\0\0"[..], &frame(3, "TPE1", 0, b"\0Nina")].concat();
        assert_eq!(found(&tag(3, 0x40, &extended)), names("Nina", ""));
    }

    #[test]
    fn damaged_tags_give_what_comes_before_the_damage() {
        let artist = frame(3, "TPE1", 0, b"\0Nina");
        for after in [
            &b"TALB\x7f\xff\xff\xff\0\0\0x"[..],
            b"TALB",
            b"\0\0\0\0\0\0\0\0\0\0\0",
            b"????\0\0\0\x02\0\0\0x",
        ] {
            assert_eq!(
                found(&tag(3, 0, &[&artist[..], after].concat())),
                names("Nina", ""),
                "{after:?}"
            );
        }
        // Compressed, encrypted, an unknown encoding, and no text at all.
        for body in [
            frame(3, "TPE1", 0x80, b"\0Nina"),
            frame(3, "TPE1", 0x40, b"\0Nina"),
            frame(3, "TPE1", 0, b"\x09Nina"),
            frame(3, "TPE1", 0, b""),
        ] {
            assert_eq!(found(&tag(3, 0, &body)), names("", ""));
        }
        assert_eq!(found(&tag(5, 0, &artist)), names("", ""));
        assert_eq!(found(b"ID3\x03\0\0\xff\xff\xff\xff"), names("", ""));
    }

    #[test]
    fn texts_of_an_id3v1_tag_have_30_characters() {
        let mut file = vec![9; 300];
        file.extend(b"TAG");
        for text in ["Song", "A very long artist name that is cut", "Album"] {
            let mut field = text.as_bytes().to_vec();
            field.resize(30, 0);
            file.extend(field);
        }
        file.resize(300 + 128, 0);
        let read = |file: &[u8]| read_v1(&mut Window::new(Cursor::new(file), file.len() as u64)).unwrap();
        let tags = read(&file);
        assert_eq!(tags.artist.as_deref(), Some("A very long artist name that i"));
        assert_eq!(tags.album.as_deref(), Some("Album"));
        assert_eq!(read(&file[..300]), FileTags::default());
        assert_eq!(read(b"TAG"), FileTags::default());
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            version in 2u8..5,
            flags in any::<u8>(),
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            damaged in 0usize..100,
        ) {
            let name = if version == 2 { "TP1" } else { "TPE1" };
            let mut file = tag(version, flags, &[frame(version, name, flags, &bytes), bytes].concat());
            let length = file.len();
            file[damaged % length] ^= 0x81;
            let _ = found(&file);
        }
    }
}
