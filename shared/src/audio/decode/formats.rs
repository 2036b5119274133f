//! Which files are audio, by their names and by their first bytes, and which of them cannot be decoded.

use super::container::{self, Kind};

/// Extensions, in lower case, of files that [`super::open`] can decode.
pub const EXTENSIONS: [&str; 25] = [
    "aac", "adts", "aif", "aifc", "aiff", "au", "caf", "flac", "m4a", "m4b", "mka", "mkv", "mp1", "mp2", "mp3", "mp4",
    "mpa", "mpga", "oga", "ogg", "ogx", "snd", "wav", "wave", "webm",
];

/// Extensions of audio that in general cannot be decoded: such a file is somebody's music too, and is not left out of a
/// data set without a word.
const OTHER_EXTENSIONS: [&str; 38] = [
    "3g2", "3ga", "3gp", "aa3", "ac3", "amr", "ape", "asf", "awb", "bwf", "dff", "dsf", "dts", "eac3", "f4a", "gsm",
    "m4p", "m4r", "m4v", "mov", "mp+", "mpc", "oma", "opus", "ofr", "qt", "ra", "rf64", "rm", "shn", "spx", "tak",
    "tta", "voc", "w64", "weba", "wma", "wv",
];

/// Bytes from a file's beginning that [`is_audio`] and [`unsupported`] want to see.
pub const MAGIC_BYTES: u64 = 64;

/// Whether a file of this name is audio of any kind, judged by its extension.
pub fn has_audio_extension(name: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let mut known = EXTENSIONS.iter().chain(&OTHER_EXTENSIONS);
    extension.is_some_and(|extension| known.any(|known| *known == extension))
}

/// Whether a file begins as audio of any kind does.
pub fn is_audio(beginning: &[u8]) -> bool {
    match container::kind(beginning) {
        Kind::Frames => beginning.starts_with(b"ID3") || is_mpeg_frame(beginning) || unsupported(beginning).is_some(),
        // Pictures are in the same container.
        Kind::Container(container::Container::Mp4) => {
            const PICTURES: [&[u8]; 7] = [b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"crx "];
            !PICTURES.iter().any(|brand| beginning.get(8..12) == Some(brand))
        }
        _ => true,
    }
}

/// Whether the header of a frame of layer 2 or 3 is here. Layer 1 begins like text in UTF-16.
fn is_mpeg_frame(beginning: &[u8]) -> bool {
    let [0xff, second, third, ..] = *beginning else {
        return false;
    };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    let (bit_rate, rate) = (third >> 4, third >> 2 & 3);
    second >= 0xe0 && version != 1 && matches!(layer, 1 | 2) && (1..15).contains(&bit_rate) && rate != 3
}

/// The name of the audio format that a file begins as, if it is one that cannot be decoded.
pub fn unsupported(beginning: &[u8]) -> Option<&'static str> {
    const MAGIC: [(usize, &[u8], &str); 24] = [
        (28, b"OpusHead", "Opus"),
        (28, b"Speex   ", "Speex"),
        (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
        (0, b"MAC ", "APE"),
        (0, b"wvpk", "WavPack"),
        (0, b"MPCK", "Musepack"),
        (0, b"MP+", "Musepack"),
        (0, b"DSD ", "DSD"),
        (0, b"FRM8", "DSD"),
        (0, b"TTA1", "TTA"),
        (0, b"TTA2", "TTA"),
        (0, b"tBaK", "TAK"),
        (0, b"OFR ", "OptimFROG"),
        (0, b"ajkg", "Shorten"),
        (0, b"#!AMR", "AMR"),
        (0, b".RMF", "RealAudio"),
        (0, b".ra\xfd", "RealAudio"),
        (0, b"ea3\x03", "ATRAC"),
        (0, b"riff\x2e\x91\xcf\x11", "Wave64"),
        (0, b"Creative Voice File\x1a", "Creative Voice"),
        (0, b"\x7f\xfe\x80\x01", "DTS"),
        (0, b"\xfe\x7f\x01\x80", "DTS"),
        (8, b"8SVX", "8SVX"),
        (8, b"16SV", "16SV"),
    ];
    let is_at = |&(place, magic, _): &(usize, &[u8], &str)| beginning.get(place..place + magic.len()) == Some(magic);
    let ogg = |place: usize| place != 28 || beginning.starts_with(b"OggS");
    let found = MAGIC.iter().find(|entry| is_at(entry) && ogg(entry.0));
    found
        .map(|(_, _, name)| *name)
        .or_else(|| is_ac3(beginning).then_some("AC-3"))
}

/// Whether a frame of AC-3 or E-AC-3 begins here: its sync word is two bytes, so that the fields behind it are looked at.
fn is_ac3(beginning: &[u8]) -> bool {
    let [0x0b, 0x77, _, _, rate_and_size, stream_kind, ..] = *beginning else {
        return false;
    };
    let version = stream_kind >> 3;
    match version {
        ..=10 => rate_and_size >> 6 != 3 && rate_and_size & 0x3f < 38,
        11..=16 => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_known_by_its_extension_whatever_its_case() {
        for name in ["a.mp3", "a.b.OPUS", "a.Wma", "x/y.mov", ".wv"] {
            assert!(has_audio_extension(name), "{name}");
        }
        for name in ["a.jpg", "a.mid", "mp3", "a.", "a.mp3.part", ""] {
            assert!(!has_audio_extension(name), "{name}");
        }
        assert!(OTHER_EXTENSIONS.iter().all(|other| !EXTENSIONS.contains(other)));
    }

    #[test]
    fn audio_is_known_by_its_first_bytes() {
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
