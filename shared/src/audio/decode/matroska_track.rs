//! Reads the track header of a Matroska file: the codec, and how packets are compressed.

use super::aac::HIGH_EFFICIENCY;
use super::ebml::{children, float, unsigned};
use super::lacing::xiph_size;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::*;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};

const TRACK_ENTRY: u32 = 0xae;
const AUDIO: u64 = 2;

/// A track of audio.
#[derive(Debug)]
pub(super) struct AudioTrack {
    /// Track number in the headers of blocks.
    pub number: u64,
    pub params: AudioCodecParameters,
    pub compression: Compression,
    /// Whether the file has no other track.
    pub is_only_track: bool,
}

/// How each packet is compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not compressed.
    None,
    /// Compressed with zlib.
    Zlib,
    /// These bytes, common to the beginning of all packets, were removed.
    Header(Vec<u8>),
}

impl Compression {
    /// Decompresses a packet. A damaged one becomes an empty packet, which does not decode.
    pub(super) fn decompress(&self, packet: Vec<u8>) -> Vec<u8> {
        /// One second of eight channels at 192 kHz has 6 MB.
        const LARGEST_PACKET: usize = 8 << 20;
        match self {
            Self::None => packet,
            Self::Header(header) => [header.as_slice(), &packet].concat(),
            Self::Zlib => decompress_to_vec_zlib_with_limit(&packet, LARGEST_PACKET).unwrap_or_default(),
        }
    }
}

/// Finds the default audio track, or else the first, in the content of a `Tracks` element. An error completes the
/// sentence "it is a Matroska file that".
pub(super) fn audio_track(tracks: &[u8]) -> Result<AudioTrack, String> {
    let entries: Vec<&[u8]> = children(tracks)
        .filter(|(id, _)| *id == TRACK_ENTRY)
        .map(|(_, entry)| entry)
        .collect();
    let is_audio = |entry: &&&[u8]| value(entry, 0x83) == Some(AUDIO);
    let is_default = |entry: &&&[u8]| value(entry, 0x88).unwrap_or(1) == 1;
    let first = entries.iter().filter(is_audio).find(is_default);
    let entry = first
        .or_else(|| entries.iter().find(is_audio))
        .ok_or("has no audio track")?;
    Ok(AudioTrack {
        number: value(entry, 0xd7).ok_or("has an audio track without a number")?,
        compression: compression(entry)?,
        params: params(entry)?,
        is_only_track: entries.len() == 1,
    })
}

fn child(entry: &[u8], wanted: u32) -> Option<&[u8]> {
    children(entry)
        .find(|(id, _)| *id == wanted)
        .map(|(_, content)| content)
}

fn value(entry: &[u8], wanted: u32) -> Option<u64> {
    child(entry, wanted).and_then(unsigned)
}

fn compression(entry: &[u8]) -> Result<Compression, String> {
    const SCOPE_PACKETS: u64 = 1;
    let encodings = child(entry, 0x6d80).unwrap_or_default();
    let mut encodings = children(encodings)
        .filter(|(id, _)| *id == 0x6240)
        .map(|(_, encoding)| encoding);
    let Some(encoding) = encodings.next() else {
        return Ok(Compression::None);
    };
    let unsupported = |what: &str| {
        Err(format!(
            "has {what}, which is not supported; convert it, for example to FLAC"
        ))
    };
    if encodings.next().is_some() {
        return unsupported("packets that are encoded several times");
    }
    if value(encoding, 0x5033).unwrap_or(0) != 0 {
        return unsupported("encrypted packets");
    }
    let scope = value(encoding, 0x5032).unwrap_or(SCOPE_PACKETS);
    if scope & !SCOPE_PACKETS != 0 {
        return unsupported("compressed headers");
    }
    let compression = child(encoding, 0x5034).unwrap_or_default();
    match value(compression, 0x4254).unwrap_or(0) {
        0 => Ok(Compression::Zlib),
        1 => unsupported("bzip2-compressed packets"),
        2 => unsupported("LZO-compressed packets"),
        3 => Ok(Compression::Header(
            child(compression, 0x4255).unwrap_or_default().to_vec(),
        )),
        _ => unsupported("packets with an unknown compression"),
    }
}

/// The codec and its settings, for Symphonia's decoders.
fn params(entry: &[u8]) -> Result<AudioCodecParameters, String> {
    let audio = child(entry, 0xe1).unwrap_or_default();
    let rate = child(audio, 0xb5).map_or(Some(8000.0), float).unwrap_or(0.0);
    let channels = value(audio, 0x9f).unwrap_or(1);
    let bits = value(audio, 0x6264);
    let name = child(entry, 0x86).unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let name = name.trim_end_matches('\0');
    let codec = codec(name, bits).ok_or_else(|| {
        format!("has audio of the codec {name}, which is not supported; convert it, for example to FLAC")
    })?;
    let private = child(entry, 0x63a2);
    // Old files have no config, only the codec name.
    if codec == CODEC_ID_AAC && private.is_none() {
        if name.ends_with("SBR") {
            return Err(HIGH_EFFICIENCY.into());
        }
        if !matches!(name, "A_AAC" | "A_AAC/MPEG2/LC" | "A_AAC/MPEG4/LC") {
            return Err(format!(
                "has audio of the codec {name}, which is not supported; convert it, for example to FLAC"
            ));
        }
    }
    let mut params = AudioCodecParameters::new();
    params
        .for_codec(codec)
        .with_sample_rate(rate.round() as u32)
        .with_channels(Channels::Discrete(u16::try_from(channels).unwrap_or(u16::MAX)));
    if let Some(bits) = bits.and_then(|bits| u32::try_from(bits).ok()) {
        params.with_bits_per_sample(bits);
    }
    let extra = match (codec, private) {
        (CODEC_ID_VORBIS, Some(private)) => Some(vorbis_headers(private).ok_or("has no Vorbis headers")?),
        (CODEC_ID_FLAC, Some(private)) => Some(flac_stream_info(private).ok_or("has no FLAC header")?),
        (_, private) => private.map(<[u8]>::to_vec),
    };
    if let Some(extra) = extra {
        params.with_extra_data(extra.into_boxed_slice());
    }
    Ok(params)
}

fn codec(name: &str, bits: Option<u64>) -> Option<AudioCodecId> {
    Some(match (name, bits) {
        ("A_MPEG/L1", _) => CODEC_ID_MP1,
        ("A_MPEG/L2", _) => CODEC_ID_MP2,
        ("A_MPEG/L3", _) => CODEC_ID_MP3,
        ("A_FLAC", _) => CODEC_ID_FLAC,
        ("A_OPUS", _) => CODEC_ID_OPUS,
        ("A_VORBIS", _) => CODEC_ID_VORBIS,
        ("A_ALAC", _) => CODEC_ID_ALAC,
        ("A_AC3" | "A_AC3/BSID9" | "A_AC3/BSID10", _) => CODEC_ID_AC3,
        ("A_EAC3", _) => CODEC_ID_EAC3,
        ("A_PCM/INT/BIG", Some(16)) => CODEC_ID_PCM_S16BE,
        ("A_PCM/INT/BIG", Some(24)) => CODEC_ID_PCM_S24BE,
        ("A_PCM/INT/BIG", Some(32)) => CODEC_ID_PCM_S32BE,
        ("A_PCM/INT/LIT" | "A_PCM/INT/BIG", Some(8)) => CODEC_ID_PCM_U8,
        ("A_PCM/INT/LIT", Some(16)) => CODEC_ID_PCM_S16LE,
        ("A_PCM/INT/LIT", Some(24)) => CODEC_ID_PCM_S24LE,
        ("A_PCM/INT/LIT", Some(32)) => CODEC_ID_PCM_S32LE,
        ("A_PCM/FLOAT/IEEE", Some(32)) => CODEC_ID_PCM_F32LE,
        ("A_PCM/FLOAT/IEEE", Some(64)) => CODEC_ID_PCM_F64LE,
        (name, _) if name == "A_AAC" || name.starts_with("A_AAC/") => CODEC_ID_AAC,
        _ => return None,
    })
}

/// Concatenates the identification and the setup header, as Symphonia's decoder expects. `private` has the number of
/// headers minus one, their Xiph-laced sizes, and the identification, comment and setup header.
fn vorbis_headers(private: &[u8]) -> Option<Vec<u8>> {
    let (&2, mut rest) = private.split_first()? else {
        return None;
    };
    let sizes = [xiph_size(&mut rest)?, xiph_size(&mut rest)?];
    let (identification, rest) = rest.split_at_checked(sizes[0])?;
    let (_, setup) = rest.split_at_checked(sizes[1])?;
    let are_headers = identification.starts_with(b"\x01vorbis") && setup.starts_with(b"\x05vorbis");
    are_headers.then(|| [identification, setup].concat())
}

/// The `STREAMINFO` block of the FLAC header.
fn flac_stream_info(private: &[u8]) -> Option<Vec<u8>> {
    let block = private.strip_prefix(b"fLaC")?;
    // `STREAMINFO` has type 0 and 34 bytes and is always first.
    let [kind, 0, 0, 34, info @ ..] = block else {
        return None;
    };
    (kind & 0x7f == 0).then(|| info.get(..34).map(<[u8]>::to_vec)).flatten()
}
