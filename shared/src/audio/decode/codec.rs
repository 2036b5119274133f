//! Audio that a container holds and that is not decoded, or not decoded right, although its container is read.

use super::aac::AacConfig;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::*;

/// Why audio with these parameters is refused, behind "it is a file that".
pub(super) fn unsupported(params: &AudioCodecParameters) -> Option<String> {
    let convert = "which is not supported; convert it, to FLAC for example";
    let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
    match params.codec {
        // Symphonia undoes the coupling of channels in the order in which it was done, which is right for one pair only.
        CODEC_ID_VORBIS if channels > 2 => Some(format!(
            "has Vorbis audio with {channels} channels, of which at most 2 are supported; convert it, to FLAC for example"
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
