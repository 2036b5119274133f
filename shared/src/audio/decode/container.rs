//! What surrounds the audio in a file. A file enters; the range of bytes between its tags leaves, which container it is,
//! or what the file is instead of audio.
//!
//! MPEG audio has no container: tags are simply put before and behind it. Pictures in them can hold what looks like a
//! frame, so they are kept from the decoder altogether. Other files are known by how they begin; whatever begins like
//! none of them is left to the MP3 decoder, which looks for a frame further on. Nothing is decoded here.

use super::{aiff, wav};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

const ID3V2_HEADER: u64 = 10;
const ID3V1_LENGTH: u64 = 128;
const APE_FOOTER: u64 = 32;

/// The bytes that are neither ID3v2 at the beginning nor APEv2 or ID3v1 at the end.
pub(super) fn audio_range(file: &mut (impl Read + Seek)) -> io::Result<Range<u64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut start = 0;
    while let Some(tag) = id3v2_length(file, start, length)? {
        start = (start + tag).min(length);
    }
    let mut end = length;
    if let Some(trailer) = end.checked_sub(ID3V1_LENGTH).filter(|&at| at >= start)
        && read_at::<3>(file, trailer)? == *b"TAG"
    {
        end = trailer;
    }
    if let Some(footer) = end.checked_sub(APE_FOOTER).filter(|&at| at >= start)
        && let Some(tag) = ape_length(&read_at(file, footer)?)
    {
        end = end.saturating_sub(tag).max(start);
    }
    Ok(start..end)
}

fn read_at<const N: usize>(file: &mut (impl Read + Seek), position: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(position))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Length of the ID3v2 tag at `start`, its header included.
fn id3v2_length(file: &mut (impl Read + Seek), start: u64, length: u64) -> io::Result<Option<u64>> {
    if length - start < ID3V2_HEADER {
        return Ok(None);
    }
    let header: [u8; ID3V2_HEADER as usize] = read_at(file, start)?;
    let [b'I', b'D', b'3', version, _, flags, size @ ..] = header else {
        return Ok(None);
    };
    if version == 0xff || size.iter().any(|&byte| byte >= 0x80) {
        return Ok(None);
    }
    let body = size.iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte));
    const FOOTER_PRESENT: u8 = 0x10;
    let footer = if flags & FOOTER_PRESENT != 0 { ID3V2_HEADER } else { 0 };
    Ok(Some(ID3V2_HEADER + body + footer))
}

/// Length of the APE tag that ends with this footer, its header included.
fn ape_length(footer: &[u8; APE_FOOTER as usize]) -> Option<u64> {
    if !footer.starts_with(b"APETAGEX") {
        return None;
    }
    let word = |at: usize| u32::from_le_bytes([footer[at], footer[at + 1], footer[at + 2], footer[at + 3]]);
    const HEADER_PRESENT: u32 = 1 << 31;
    let header = if word(20) & HEADER_PRESENT != 0 { APE_FOOTER } else { 0 };
    Some(u64::from(word(12)) + header)
}

/// How a file's audio is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A stream of MPEG frames, or nothing that is known.
    Mpeg,
    /// RIFF and its relatives.
    Wav,
    /// AIFF and AIFF-C.
    Aiff,
    /// Sun's and NeXT's `.au`.
    SunAudio,
    /// A container that Symphonia reads.
    Container(Container),
}

/// Containers that Symphonia reads, and bare AAC, which it reads likewise. Of WAV it reads compressed samples alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Wav,
    Caf,
    Flac,
    Ogg,
    Mp4,
    Matroska,
    Adts,
}

impl Container {
    /// The file in words, for sentences about it.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Wav => "a WAV file",
            Self::Caf => "a CAF file",
            Self::Flac => "a FLAC file",
            Self::Ogg => "an Ogg file",
            Self::Mp4 => "an MP4 file",
            Self::Matroska => "a Matroska file",
            Self::Adts => "an AAC file",
        }
    }
}

/// As many first bytes as [`kind`] can make use of: the longest ADTS frame and the header of another.
pub(super) const BEGINNING_BYTES: u64 = (1 << 13) + ADTS_HEADER as u64;

const ADTS_HEADER: usize = 7;

/// What a file is, judged by its first bytes.
pub(super) fn kind(beginning: &[u8]) -> Kind {
    let at = |place: usize, magic: &[u8]| beginning.get(place..place + magic.len()) == Some(magic);
    let container = if wav::is_wav(beginning) {
        return Kind::Wav;
    } else if aiff::is_aiff(beginning) {
        return Kind::Aiff;
    } else if at(0, b"caff") {
        Container::Caf
    } else if at(0, b"fLaC") {
        Container::Flac
    } else if at(0, b"OggS") {
        Container::Ogg
    } else if at(4, b"ftyp") {
        Container::Mp4
    } else if at(0, b"\x1a\x45\xdf\xa3") {
        Container::Matroska
    } else if at(0, b".snd") {
        return Kind::SunAudio;
    } else if is_adts(beginning) {
        Container::Adts
    } else {
        return Kind::Mpeg;
    };
    Kind::Container(container)
}

/// Whether an ADTS frame stands here and another behind it. Two bytes alone prove nothing, but a second header does.
fn is_adts(bytes: &[u8]) -> bool {
    let frame_length = |bytes: &[u8]| match *bytes {
        // Twelve bits of sync word, and a layer of 0, which MPEG audio proper never has.
        [0xff, second, _, fourth, fifth, sixth, _, ..] if second & 0xf6 == 0xf0 => {
            Some(usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth) >> 5)
        }
        _ => None,
    };
    frame_length(bytes)
        .filter(|&length| length > ADTS_HEADER)
        .and_then(|length| bytes.get(length..))
        .is_some_and(|next| next.is_empty() || frame_length(next).is_some())
}

/// What a file is that neither begins as one of [`Kind`] nor holds an MPEG frame, judged by its first bytes.
pub(super) fn what_else(beginning: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 9] = [
        (b"RIFF", "a RIFF file without WAVE audio"),
        (b"FORM", "an IFF file without AIFF audio"),
        (b"MThd", "a MIDI file"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"version https://git-lfs", "a Git LFS pointer"),
    ];
    if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| beginning.starts_with(magic)) {
        return Some(what);
    }
    // A character of UTF-8 may be cut in half at the end.
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&beginning[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let is_text = !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    let is_markup = is_text && text.trim_start().starts_with('<');
    is_markup
        .then_some("a web page")
        .or_else(|| is_text.then_some("a text file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn range(bytes: &[u8]) -> Range<u64> {
        audio_range(&mut Cursor::new(bytes)).unwrap()
    }

    fn id3v2(body: usize, flags: u8) -> Vec<u8> {
        let mut tag = b"ID3\x04\x00".to_vec();
        tag.push(flags);
        tag.extend([0, 0, (body >> 7) as u8, (body & 0x7f) as u8]);
        tag.resize(10 + body + if flags & 0x10 != 0 { 10 } else { 0 }, 0xff);
        tag
    }

    fn ape(body: u32, header: bool) -> Vec<u8> {
        let mut tag = vec![0xff; body as usize - 32 + if header { 32 } else { 0 }];
        tag.extend(b"APETAGEX");
        tag.extend(2000u32.to_le_bytes());
        tag.extend(body.to_le_bytes());
        tag.extend(1u32.to_le_bytes());
        tag.extend(if header { 1u32 << 31 } else { 0 }.to_le_bytes());
        tag.extend([0; 8]);
        tag
    }

    #[test]
    fn tags_on_both_sides_are_left_out() {
        let audio = [0x55; 300];
        let mut id3v1 = b"TAG".to_vec();
        id3v1.resize(128, b' ');
        for before in [
            vec![],
            id3v2(200, 0),
            id3v2(20, 0x10),
            [id3v2(7, 0), id3v2(130, 0)].concat(),
        ] {
            for ape in [vec![], ape(100, false), ape(100, true)] {
                for after in [vec![], id3v1.clone()] {
                    let file = [&before, audio.as_slice(), &ape, &after].concat();
                    assert_eq!(range(&file), before.len() as u64..before.len() as u64 + 300);
                }
            }
        }
    }

    #[test]
    fn tags_that_lie_about_their_size_stay_inside_the_file() {
        assert_eq!(range(&id3v2(100, 0)[..50]), 50..50);
        let mut footer_only = ape(100, true);
        footer_only.drain(..80);
        assert_eq!(range(&footer_only), 0..0);
        assert_eq!(range(b"ID3"), 0..3);
    }

    #[test]
    fn other_files_are_told_apart() {
        for (bytes, expected) in [
            (
                b"RIFF\x00\x00\x00\x22AVI ".as_slice(),
                Some("a RIFF file without WAVE audio"),
            ),
            (b"<html><body>404</body></html>\n", Some("a web page")),
            ("Fichier non trouv\u{e9}".as_bytes(), Some("a text file")),
            (&"Fichier non trouv\u{e9}".as_bytes()[..18], Some("a text file")),
            (&[3, 190, 7, 0, 4], None),
            (b"", None),
        ] {
            assert_eq!(what_else(bytes), expected, "{bytes:?}");
        }
    }

    /// ADTS frames of this length, protection absent.
    fn adts(frames: usize, length: usize) -> Vec<u8> {
        let mut frame = vec![
            0xff,
            0xf1,
            0x50,
            (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8,
            0xfc,
        ];
        frame.resize(length, 0);
        frame.repeat(frames)
    }

    #[test]
    fn containers_are_known_by_how_they_begin() {
        let container = Kind::Container;
        let mut half_a_frame = adts(1, 300);
        half_a_frame.pop();
        for (bytes, expected) in [
            (b"RIFF\x64\x00\x00\x00WAVE".to_vec(), Kind::Wav),
            (b"RF64\xff\xff\xff\xffWAVEds64".to_vec(), Kind::Wav),
            (b"FORM\x00\x00\x00\x00AIFC".to_vec(), Kind::Aiff),
            (b"FORM\x00\x00\x00\x00ILBM".to_vec(), Kind::Mpeg),
            (b"RIFF\x00\x00\x00\x00AVI ".to_vec(), Kind::Mpeg),
            (b"caff\x00\x01".to_vec(), container(Container::Caf)),
            (b"fLaC".to_vec(), container(Container::Flac)),
            (b"OggS\x00".to_vec(), container(Container::Ogg)),
            (b"\x00\x00\x00\x20ftypM4A ".to_vec(), container(Container::Mp4)),
            (b"\x1a\x45\xdf\xa3\x9f".to_vec(), container(Container::Matroska)),
            (b".snd\x00\x00".to_vec(), Kind::SunAudio),
            (adts(2, 300), container(Container::Adts)),
            (adts(1, 8191), container(Container::Adts)),
            (half_a_frame, Kind::Mpeg),
            (b"\xff\xf1\x50\x00\x00\x00\xfc".to_vec(), Kind::Mpeg),
            (b"\xff\xfb\x90\x64".repeat(300), Kind::Mpeg),
            (Vec::new(), Kind::Mpeg),
        ] {
            assert_eq!(kind(&bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            prefix in prop::sample::select(vec![b"".as_slice(), b"ID3\x04\x00\x00", b"RIFF\x00\x00\x00\x00WAVE", b"\xff\xf1"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            suffix in prop::sample::select(vec![b"".as_slice(), b"APETAGEX\xd0\x07\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00"]),
        ) {
            let file = [prefix, &bytes, suffix].concat();
            let range = range(&file);
            prop_assert!(range.start <= range.end && range.end <= file.len() as u64);
            let _ = (what_else(&file), kind(&file));
        }
    }
}
