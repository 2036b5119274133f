//! Encodes PCM as MP3, WAV and Sun `.au`.
//!
//! The MP3 encoder is `shine-rs`, a Rust port of Shine. New users may have only Rust and a C compiler: LAME
//! (`mp3lame-sys`) needs `configure` and `make`, `shine-rs` does not. On 13 s of stereo music at 128 kbit/s it takes
//! 0.15 s (LAME: 0.12 s; `oxideav-mp3`, also plain Rust: 6 s). Its SNR is 34 dB at 256 kbit/s, measured after undoing
//! the 1 dB by which it lowers the level. It supports only long blocks and constant bit rates and writes no Xing
//! header, so its files have no gapless information: decoders play its delay and padding.

use super::catalogue::Track;
use super::synth::Mix;
use shine_rs::error::EncoderError;
use shine_rs::mp3_encoder::{Mp3EncoderConfig, StereoMode, encode_pcm_to_mp3};

/// Encodes a track with its rate and channels, in the format of its file extension.
pub(super) fn file(mix: &Mix, track: &Track) -> Result<Vec<u8>, EncoderError> {
    let [left, right] = &mix.channels;
    let both = left.iter().zip(right);
    let pcm: Vec<i16> = if track.channels == 1 {
        both.map(|(left, right)| quantized(0.5 * (left + right))).collect()
    } else {
        both.flat_map(|(left, right)| [quantized(*left), quantized(*right)])
            .collect()
    };
    match track.path.rsplit_once('.') {
        Some((_, "wav")) => Ok(wav(&pcm, track)),
        Some((_, "au")) => Ok(sun_audio(&pcm, track)),
        _ => mp3(&pcm, track.rate, track.channels, track.kbps),
    }
}

/// 16-bit little-endian samples after a header of 44 bytes.
fn wav(pcm: &[i16], track: &Track) -> Vec<u8> {
    let data_bytes = 2 * pcm.len() as u32;
    let channels = u32::from(track.channels);
    // Size of this chunk, PCM and channels, sample rate, bytes per second, block size and bits per sample.
    let format = [
        16,
        (channels << 16) | 1,
        track.rate,
        2 * channels * track.rate,
        (16 << 16) | (2 * channels),
    ];
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data_bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(format.iter().flat_map(|word| word.to_le_bytes()));
    file.extend(b"data");
    file.extend(data_bytes.to_le_bytes());
    file.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// 16-bit big-endian samples after a header of 24 bytes.
fn sun_audio(pcm: &[i16], track: &Track) -> Vec<u8> {
    const LINEAR_16: u32 = 3;
    let header = [
        24,
        2 * pcm.len() as u32,
        LINEAR_16,
        track.rate,
        u32::from(track.channels),
    ];
    let mut file = b".snd".to_vec();
    file.extend(header.iter().flat_map(|word| word.to_be_bytes()));
    file.extend(pcm.iter().flat_map(|sample| sample.to_be_bytes()));
    file
}

/// Encodes interleaved samples of one or two channels as an MP3 file of `kbps` kbit/s.
pub fn mp3(pcm: &[i16], rate: u32, channels: u8, kbps: u32) -> Result<Vec<u8>, EncoderError> {
    let config = Mp3EncoderConfig {
        sample_rate: rate,
        bitrate: kbps,
        channels,
        stereo_mode: if channels == 1 {
            StereoMode::Mono
        } else {
            StereoMode::Stereo
        },
        ..Mp3EncoderConfig::default()
    };
    let file = encode_pcm_to_mp3(config, pcm)?;
    let frame_bits = 576 * 1000 * kbps;
    let has_whole_frames = rate < 32_000 && frame_bits.is_multiple_of(8 * rate);
    Ok(if has_whole_frames {
        padded(&file, (frame_bits / (8 * rate)) as usize)
    } else {
        file
    })
}

/// Adds one padding byte to every frame of `length` bytes and sets the padding bit in its header.
///
/// Shine fills frames up with bits that may end in the middle of a code word. A decoder reads that word to its end
/// before dropping it. If the data read so far ends there too, Symphonia drops the whole frame instead. Files with
/// frames of different lengths have a padding byte in most frames anyway.
fn padded(file: &[u8], length: usize) -> Vec<u8> {
    const PADDING: u8 = 0x02;
    let mut padded = Vec::with_capacity(file.len() + file.len() / length);
    for frame in file.chunks_exact(length) {
        let begin = padded.len();
        padded.extend_from_slice(frame);
        padded[begin + 2] |= PADDING;
        padded.push(0);
    }
    padded
}

fn quantized(sample: f32) -> i16 {
    (sample * f32::from(i16::MAX)).round() as i16
}
