//! Detects the container of an audio file, or the type of another file, from its first bytes. A file without a known
//! container is later searched for MPEG audio and AAC frames. Nothing is decoded here.

use super::adts::AdtsHeader;
use super::container::Container;
use super::frames::FrameHeader;
use super::{aiff, wav};

/// How to read the audio of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A stream of frames without a container, or an unknown format.
    Frames,
    /// AAC in ADTS frames.
    Adts,
    /// RIFF, RIFX, RF64 or BW64.
    Wav,
    /// AIFF and AIFF-C.
    Aiff,
    /// Sun's and NeXT's `.au`.
    SunAudio,
    /// Another container.
    Container(Container),
}

/// Number of first bytes that [`kind`] needs: the longest ADTS frame and the header of the next.
pub(super) const BEGINNING_BYTES: usize = (1 << 13) + AdtsHeader::BYTES;

/// Detects the kind of a file from its first bytes.
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
        return Kind::Adts;
    } else {
        return Kind::Frames;
    };
    Kind::Container(container)
}

/// Whether the bytes begin with an ADTS frame that is followed by another. One header of a few bits could be chance.
fn is_adts(bytes: &[u8]) -> bool {
    let Some(first) = AdtsHeader::parse(bytes) else {
        return false;
    };
    let Some(next) = bytes.get(first.frame_bytes()..) else {
        return false;
    };
    next.is_empty() || AdtsHeader::parse(next).is_some_and(|next| next.same_stream(&first))
}

/// The type of a file that is not audio, from its first bytes.
pub(super) fn other_file_type(beginning: &[u8]) -> Option<&'static str> {
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
    // The last UTF-8 character may be cut off.
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

    #[test]
    fn types_of_other_files_are_detected() {
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
            assert_eq!(other_file_type(bytes), expected, "{bytes:?}");
        }
    }

    /// ADTS frames of this length, without a checksum.
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
    fn containers_are_detected_from_their_first_bytes() {
        let container = Kind::Container;
        let mut half_a_frame = adts(1, 300);
        half_a_frame.pop();
        for (bytes, expected) in [
            (b"RIFF\x64\x00\x00\x00WAVE".to_vec(), Kind::Wav),
            (b"RF64\xff\xff\xff\xffWAVEds64".to_vec(), Kind::Wav),
            (b"FORM\x00\x00\x00\x00AIFC".to_vec(), Kind::Aiff),
            (b"FORM\x00\x00\x00\x00ILBM".to_vec(), Kind::Frames),
            (b"RIFF\x00\x00\x00\x00AVI ".to_vec(), Kind::Frames),
            (b"caff\x00\x01".to_vec(), container(Container::Caf)),
            (b"fLaC".to_vec(), container(Container::Flac)),
            (b"OggS\x00".to_vec(), container(Container::Ogg)),
            (b"\x00\x00\x00\x20ftypM4A ".to_vec(), container(Container::Mp4)),
            (b"\x1a\x45\xdf\xa3\x9f".to_vec(), container(Container::Matroska)),
            (b".snd\x00\x00".to_vec(), Kind::SunAudio),
            (adts(2, 300), Kind::Adts),
            (adts(1, 8191), Kind::Adts),
            (half_a_frame, Kind::Frames),
            (b"\xff\xf1\x50\x00\x00\x00\xfc".to_vec(), Kind::Frames),
            (b"\xff\xfb\x90\x64".repeat(300), Kind::Frames),
            (Vec::new(), Kind::Frames),
        ] {
            assert_eq!(kind(&bytes), expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            prefix in prop::sample::select(vec![b"".as_slice(), b"RIFF\x00\x00\x00\x00WAVE", b"\xff\xf1"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let file = [prefix, &bytes].concat();
            let _ = (other_file_type(&file), kind(&file));
        }
    }
}
