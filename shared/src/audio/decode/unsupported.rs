//! Recognises audio that cannot be decoded, or not correctly: by the first bytes of a file, or by the codec in a
//! supported container.

use super::aac::AacConfig;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::*;

/// The name of the unsupported audio format that these first bytes belong to, if any.
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

/// Whether the bytes begin with an AC-3 or E-AC-3 frame. The sync word has only two bytes, so the fields after it are
/// checked too.
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

/// Why audio with these parameters is refused, as the end of the sentence "it is a file that".
pub(super) fn unsupported_codec(params: &AudioCodecParameters) -> Option<String> {
    let convert = "which is not supported; convert it, for example to FLAC";
    let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
    match params.codec {
        // Symphonia undoes channel coupling in the wrong order, which is correct only for a single pair.
        CODEC_ID_VORBIS if channels > 2 => Some(format!(
            "has Vorbis audio with {channels} channels, of which at most 2 are supported; convert it, for example to FLAC"
        )),
        CODEC_ID_AAC => params.extra_data.as_deref().and_then(AacConfig::parse)?.unsupported(),
        codec => {
            let name = match codec {
                CODEC_ID_OPUS => "Opus",
                CODEC_ID_SPEEX => "Speex",
                CODEC_ID_AC3 => "Dolby Digital (AC-3)",
                CODEC_ID_EAC3 => "Dolby Digital Plus (E-AC-3)",
                CODEC_ID_DCA => "DTS",
                CODEC_ID_TRUEHD => "Dolby TrueHD",
                CODEC_ID_WAVPACK => "WavPack",
                CODEC_ID_MUSEPACK => "Musepack",
                CODEC_ID_TTA => "True Audio",
                CODEC_ID_WMA => "Windows Media",
                _ => return None,
            };
            Some(format!("has {name} audio, {convert}"))
        }
    }
}
