//! Recognises audio files by their extension or by their first bytes.

use super::container::Container;
use super::kind::{Kind, kind};
use super::unsupported::unsupported;

/// Extensions, in lower case, of the file formats that [`super::open()`] can decode.
pub const EXTENSIONS: [&str; 25] = [
    "aac", "adts", "aif", "aifc", "aiff", "au", "caf", "flac", "m4a", "m4b", "mka", "mkv", "mp1", "mp2", "mp3", "mp4",
    "mpa", "mpga", "oga", "ogg", "ogx", "snd", "wav", "wave", "webm",
];

/// Extensions of audio that usually cannot be decoded. They are listed so such a file is reported as rejected, not
/// silently ignored.
const OTHER_EXTENSIONS: [&str; 38] = [
    "3g2", "3ga", "3gp", "aa3", "ac3", "amr", "ape", "asf", "awb", "bwf", "dff", "dsf", "dts", "eac3", "f4a", "gsm",
    "m4p", "m4r", "m4v", "mov", "mp+", "mpc", "oma", "opus", "ofr", "qt", "ra", "rf64", "rm", "shn", "spx", "tak",
    "tta", "voc", "w64", "weba", "wma", "wv",
];

/// Number of first bytes that [`is_audio`] and [`unsupported`] need.
pub const MAGIC_BYTES: u64 = 64;

/// Whether this file name has the extension of an audio format, supported or not.
pub fn has_audio_extension(name: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let mut known = EXTENSIONS.iter().chain(&OTHER_EXTENSIONS);
    extension.is_some_and(|extension| known.any(|known| *known == extension))
}

/// Whether these first bytes are those of an audio format, supported or not.
pub fn is_audio(beginning: &[u8]) -> bool {
    match kind(beginning) {
        Kind::Frames => beginning.starts_with(b"ID3") || is_mpeg_frame(beginning) || unsupported(beginning).is_some(),
        // Some picture formats use the same container.
        Kind::Container(Container::Mp4) => {
            const PICTURES: [&[u8]; 7] = [b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"crx "];
            !PICTURES.iter().any(|brand| beginning.get(8..12) == Some(brand))
        }
        _ => true,
    }
}

/// Whether the bytes begin with a frame header of MPEG layer 2 or 3. Layer 1 begins like UTF-16 text.
fn is_mpeg_frame(beginning: &[u8]) -> bool {
    let [0xff, second, third, ..] = *beginning else {
        return false;
    };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (bit_rate, rate) = (third >> 4, third >> 2 & 3);
    second >= 0xe0 && version != 1 && matches!(layer, 1 | 2) && (1..15).contains(&bit_rate) && rate != 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_recognised_by_its_extension_in_any_case() {
        for name in ["a.mp3", "a.b.OPUS", "a.Wma", "x/y.mov", ".wv"] {
            assert!(has_audio_extension(name), "{name}");
        }
        for name in ["a.jpg", "a.mid", "mp3", "a.", "a.mp3.part", ""] {
            assert!(!has_audio_extension(name), "{name}");
        }
        assert!(OTHER_EXTENSIONS.iter().all(|other| !EXTENSIONS.contains(other)));
    }

    #[test]
    fn audio_is_recognised_by_its_first_bytes() {
        for (beginning, name) in [
            (
                &b"OggS\0\x02\0\0\0\0\0\0\0\0\x47\xd6\xe7\xfd\0\0\0\0\0\0\0\0\x01\x13OpusHead"[..],
                Some("Opus"),
            ),
            (
                b"OggS\0\x02\0\0\0\0\0\0\0\0\x47\xd6\xe7\xfd\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis",
                None,
            ),
            (b"wvpk\0\0\0\0", Some("WavPack")),
            (b"\x0b\x77\x12\x34\x1c\x40", Some("AC-3")),
            (b"RIFF\0\0\0\0WAVEfmt ", None),
            (b"RF64\xff\xff\xff\xffWAVEds64", None),
            (b"\0\0\0\x14ftypqt  ", None),
            (b"\xff\xfb\x90\x64", None),
            (b"\xff\xfd\xe0\xc4", None),
            (b"ID3\x04\0", None),
        ] {
            assert!(is_audio(beginning), "{beginning:?}");
            assert_eq!(unsupported(beginning), name, "{beginning:?}");
        }
        for other in [
            &b""[..],
            b"\xff\xfet\0e\0x\0t\0",
            b"\xff\xd8\xff\xe0",
            b"\x0b\x77\0\0\xff\x40",
            b"RIFF\0\0\0\0AVI LIST",
            b"\0\0\0\x18ftypheic",
            b"MThd\0\0",
            b"# notes",
        ] {
            assert!(!is_audio(other), "{other:?}");
            assert_eq!(unsupported(other), None, "{other:?}");
        }
    }
}
