//! Reads artist and album from the tags of a file: ID3v2 and ID3v1, the chunks of WAV and AIFF, and through Symphonia
//! Vorbis comments and MP4 metadata.
//!
//! Tags were written by many programs and are often wrong. A tag that cannot be parsed gives no value and never rejects
//! the file.

use super::id3;
use super::kind::Kind;
use super::pcm::ByteOrder;
use super::tags::id3v2_length;
use super::window::Window;
use std::io::{self, Read, Seek};
use std::ops::Range;
use symphonia::core::formats::FormatReader;
use symphonia::core::meta::{MetadataRevision, StandardTag};

/// Longest value in characters. A longer one is not a name.
const LONGEST: usize = 500;

/// Maximum number of chunks that are searched. Each may cost a read.
const MAX_CHUNKS: usize = 64;

/// `RIFF` or `FORM`, a size, and the form.
const FORM_HEADER: u64 = 12;

/// Maximum bytes read of a `LIST` chunk.
const INFO_BYTES: u64 = 1 << 16;

/// Artist and album as the tags of a file name them; `None` if unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTags {
    /// The artist of the track, or else of the album.
    pub artist: Option<String>,
    /// The album.
    pub album: Option<String>,
}

impl FileTags {
    /// Takes what is unknown from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            artist: self.artist.or(other.artist),
            album: self.album.or(other.album),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.artist.is_some() && self.album.is_some()
    }
}

/// The first value in the text of a tag, without spaces around it. Values are separated by zero bytes.
pub(super) fn first_value(text: &str) -> Option<String> {
    let is_noise = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    let value = text
        .split('\0')
        .map(|value| value.trim_matches(is_noise))
        .find(|value| !value.is_empty())?;
    // A line break in a name would break lists of names.
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    (value.chars().count() <= LONGEST).then_some(value)
}

/// Text that is UTF-8, or else Latin-1.
pub(super) fn utf8_or_latin1(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| latin1(bytes), str::to_owned)
}

pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The tags before and after the audio in `range`, and in the chunks of a WAV or AIFF file.
pub(super) fn around<F: Read + Seek>(
    window: &mut Window<F>,
    range: &Range<u64>,
    kind: Kind,
    beginning: &[u8],
) -> io::Result<FileTags> {
    let mut found = match kind {
        Kind::Wav if !beginning.starts_with(b"RIFX") => in_chunks(window, range, ByteOrder::Little)?,
        Kind::Wav | Kind::Aiff => in_chunks(window, range, ByteOrder::Big)?,
        _ => FileTags::default(),
    };
    let mut at = 0;
    while at < range.start
        && !found.is_complete()
        && let Some(length) = id3v2_length(window, at)?
    {
        found = found.or(id3::read(window, at, range.start)?);
        at += length;
    }
    if !found.is_complete() && range.end < window.end() {
        found = found.or(id3::read_v1(window)?);
    }
    Ok(found)
}

fn in_chunks<F: Read + Seek>(window: &mut Window<F>, range: &Range<u64>, order: ByteOrder) -> io::Result<FileTags> {
    let (mut at, mut found) = (range.start + FORM_HEADER, FileTags::default());
    for _ in 0..MAX_CHUNKS {
        let Some([a, b, c, d, size @ ..]) = window.array::<8>(at)? else {
            break;
        };
        let (body, size) = (at + 8, u64::from(order.u32(size)));
        let end = body.saturating_add(size);
        if end > range.end {
            // The size of the samples may be a placeholder, and nothing can be found after them.
            break;
        }
        match &[a, b, c, d] {
            b"id3 " | b"ID3 " => found = found.or(id3::read(window, body, end)?),
            b"LIST" => {
                let list = window.bytes(body, size.min(INFO_BYTES) as usize)?;
                found = found.or(list.strip_prefix(b"INFO").map(info).unwrap_or_default());
            }
            _ => {}
        }
        at = end + size % 2;
    }
    Ok(found)
}

/// The artist and the album ("product") in the content of an INFO list.
fn info(mut list: &[u8]) -> FileTags {
    let mut found = FileTags::default();
    while let Some((name, rest)) = list.split_first_chunk::<4>()
        && let Some((size, rest)) = rest.split_first_chunk::<4>()
    {
        let size = u32::from_le_bytes(*size) as usize;
        let Some(text) = rest.get(..size) else { break };
        match name {
            b"IART" => found.artist = found.artist.or_else(|| first_value(&utf8_or_latin1(text))),
            b"IPRD" => found.album = found.album.or_else(|| first_value(&utf8_or_latin1(text))),
            _ => {}
        }
        list = rest.get(size + size % 2..).unwrap_or_default();
    }
    found
}

/// The tags that Symphonia read with the header of a container.
pub(super) fn in_container(reader: &mut dyn FormatReader) -> FileTags {
    let mut metadata = reader.metadata();
    let mut found = FileTags::default();
    while let Some(revision) = metadata.current() {
        found = in_revision(revision).or(found);
        if metadata.pop().is_none() {
            break;
        }
    }
    found
}

fn in_revision(revision: &MetadataRevision) -> FileTags {
    let per_track = revision.per_track.iter().flat_map(|track| &track.metadata.tags);
    let (mut found, mut album_artist) = (FileTags::default(), None);
    for tag in revision.media.tags.iter().chain(per_track) {
        let (place, text) = match &tag.std {
            Some(StandardTag::Artist(text)) => (&mut found.artist, text),
            Some(StandardTag::Album(text)) => (&mut found.album, text),
            Some(StandardTag::AlbumArtist(text)) => (&mut album_artist, text),
            _ => continue,
        };
        if place.is_none() {
            *place = first_value(text);
        }
    }
    found.artist = found.artist.or(album_artist);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    #[test]
    fn value_is_the_first_one_without_spaces_and_control_characters() {
        for (text, expected) in [
            ("  Sun Ra \r\n", Some("Sun Ra")),
            ("\0 \0Alice\0Bob", Some("Alice")),
            ("\u{feff}Bj\u{f6}rk\0\0", Some("Bj\u{f6}rk")),
            ("A\nB", Some("A B")),
            (" \0\t", None),
            ("", None),
        ] {
            assert_eq!(first_value(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(first_value(&"x".repeat(LONGEST + 1)), None);
        assert_eq!(utf8_or_latin1(b"Bj\xf6rk"), "Bj\u{f6}rk");
        assert_eq!(utf8_or_latin1("Bj\u{f6}rk".as_bytes()), "Bj\u{f6}rk");
    }

    fn chunk(name: &[u8], body: &[u8]) -> Vec<u8> {
        let padding = vec![0; body.len() % 2];
        [name, &(body.len() as u32).to_le_bytes(), body, &padding].concat()
    }

    fn in_wav(chunks: &[Vec<u8>]) -> FileTags {
        let file = [b"RIFF\0\0\0\0WAVE".to_vec(), chunks.concat()].concat();
        let mut window = Window::new(Cursor::new(&file), file.len() as u64);
        around(&mut window, &(0..file.len() as u64), Kind::Wav, &file).unwrap()
    }

    #[test]
    fn info_list_may_be_before_or_after_the_samples() {
        let info = [
            b"INFO".to_vec(),
            chunk(b"INAM", b"Song\0"),
            chunk(b"IART", b"Nina\0"),
            chunk(b"IPRD", b"Live"),
        ]
        .concat();
        let (info, data) = (chunk(b"LIST", &info), chunk(b"data", &[7; 70_001]));
        for chunks in [[info.clone(), data.clone()], [data.clone(), info.clone()]] {
            let tags = in_wav(&chunks);
            assert_eq!(
                (tags.artist.as_deref(), tags.album.as_deref()),
                (Some("Nina"), Some("Live"))
            );
        }
        // Damaged lists.
        assert_eq!(
            in_wav(&[chunk(b"LIST", b"INFOIART\xff\xff\xff\xffNina")]),
            FileTags::default()
        );
        assert_eq!(
            in_wav(&[chunk(b"LIST", b"adtlIART\x04\0\0\0Nina")]),
            FileTags::default()
        );
        assert_eq!(
            in_wav(&[chunk(b"LIST", b"INFO"), b"LIST\xff\xff\xff\xff".to_vec()]),
            FileTags::default()
        );
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            prefix in prop::sample::select(vec![&b""[..], b"ID3\x03\0\0\0\0\0\x7f", b"RIFF\0\0\0\0WAVELIST\x30\0\0\0INFO"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            (start, after) in (0u64..100, 0u64..30),
        ) {
            let file = [prefix, &bytes].concat();
            let end = file.len() as u64;
            let range = start.min(end)..end.saturating_sub(after).max(start.min(end));
            for kind in [Kind::Wav, Kind::Aiff, Kind::Frames] {
                let _ = around(&mut Window::new(Cursor::new(&file), end), &range, kind, &file);
            }
        }
    }
}
