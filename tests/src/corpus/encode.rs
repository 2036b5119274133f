//! PCM to MP3, to WAV and to Sun's `.au`.
//!
//! The MP3 encoder is `shine-rs`, a Rust port of Shine. A newcomer has Rust and a C compiler, no more: LAME (`mp3lame-sys`)
//! runs `configure` and `make`, and Shine's port needs neither. On 13 s of music, 128 kbit/s, stereo, it takes 0.15 s
//! (LAME 0.12 s) and gives 34 dB of SNR at 256 kbit/s after its level, which it lowers by 1 dB, is matched; `oxideav-mp3`
//! is plain Rust too and takes 6 s. It knows long blocks and constant bit rates only and writes no Xing header, so its
//! files bear no gapless information: decoders play its delay and padding.

use super::catalogue::Track;
use super::synth::Mix;
use shine_rs::error::EncoderError;
use shine_rs::mp3_encoder::{Mp3EncoderConfig, StereoMode, encode_pcm_to_mp3};

/// The bytes of a file with the track's rate and channels, in the format of its extension.
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

/// 16 bits, little-endian, and a header of 44 bytes.
fn wav(pcm: &[i16], track: &Track) -> Vec<u8> {
    let data_bytes = 2 * pcm.len() as u32;
    let channels = u32::from(track.channels);
    // Bytes of the format, linear samples and their channels, frames and bytes per second, bytes of a frame and bits.
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

/// 16 bits, big-endian, and a header of 24 bytes.
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

/// Interleaved samples of one channel or two, as an MP3 file of `kbps` kbit/s.
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

/// Gives every frame of `length` bytes the one byte more that its header can announce.
///
/// Shine fills frames up with bits that may end in the middle of a code word. A decoder reads the word to its end before it
/// drops it, and where the frame, and with it the file's data so far, ends there too, Symphonia drops the frame instead.
/// Files whose frames are not all of one length have such bytes in most of their frames anyway.
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
