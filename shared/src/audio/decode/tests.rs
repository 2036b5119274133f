//! Decodes handwritten files of many formats: complete, truncated and with wrong headers.

mod aiff_headers;
mod file_tags;
mod frames;
mod matroska;
mod mp4;
mod ogg;
mod pcm_containers;
pub(super) mod tag_bytes;
mod wav_headers;

use super::*;
use crate::audio::validate::Rejection;
use std::fs;
use std::sync::Arc;

#[derive(Debug)]
struct Decoded {
    samples: Vec<f32>,
    rate: u32,
    channels: u32,
    promised: Option<u64>,
    report: DecodeReport,
}

fn decode(bytes: &[u8]) -> Result<Decoded, Rejection> {
    let directory = tempfile::tempdir().unwrap();
    // The decoder must not depend on the extension.
    let path = directory.path().join("track.mp3");
    fs::write(&path, bytes).unwrap();
    let mut stream = open(&path, &Arc::default())?;
    let promised = stream.promised_samples();
    let mut samples = Vec::new();
    while let Some(block) = stream.next_block()? {
        assert!(!block.is_empty());
        samples.extend_from_slice(block);
    }
    assert!(stream.next_block()?.is_none());
    Ok(Decoded {
        samples,
        rate: stream.rate(),
        channels: stream.channels(),
        promised,
        report: stream.report()?,
    })
}

/// The decoded samples as 16-bit integers.
fn steps(file: &[u8]) -> Vec<i32> {
    let samples = decode(file).unwrap().samples;
    samples.iter().map(|sample| (sample * 32_768.0) as i32).collect()
}

fn code(bytes: &[u8]) -> &'static str {
    match decode(bytes) {
        Ok(decoded) => panic!("{} samples were decoded", decoded.samples.len()),
        Err(rejection) => rejection.code(),
    }
}

/// Interleaved ramps over most of the 16-bit range, with an offset per channel.
fn ramp(frames: usize, channels: usize) -> Vec<i16> {
    let sample = |at: usize| ((at / channels * 7 + at % channels * 1000) % 60_000) as i32 - 30_000;
    (0..frames * channels).map(|at| sample(at) as i16).collect()
}

/// The expected decoder output: the mean of the channels.
fn mean(samples: &[i16], channels: usize) -> Vec<f32> {
    let frames = samples.chunks_exact(channels);
    let value = |&sample: &i16| f32::from(sample) / 32_768.0;
    frames
        .map(|frame| frame.iter().map(value).sum::<f32>() / channels as f32)
        .collect()
}

fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len());
    for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (actual - expected).abs() <= tolerance,
            "sample {at}: {actual} {expected}"
        );
    }
}

/// Rounding error of sums of a few numbers below 1.
const ROUNDING: f32 = 1e-6;

/// A WAV file with this format tag, whose data chunk states `data_size` bytes.
fn wav(format: u16, bits: u16, channels: u16, data: &[u8], data_size: u32) -> Vec<u8> {
    const RATE: u32 = 22_050;
    let frame = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((36u32.saturating_add(data_size)).to_le_bytes());
    file.extend(b"WAVEfmt \x10\x00\x00\x00");
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * u32::from(frame)).to_le_bytes());
    file.extend(frame.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(data_size.to_le_bytes());
    file.extend(data);
    file
}

fn whole_wav(format: u16, bits: u16, channels: u16, data: &[u8]) -> Vec<u8> {
    wav(format, bits, channels, data, data.len() as u32)
}

fn little_endian(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn big_endian(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_be_bytes()).collect()
}

/// The correct size of the content.
const ACTUAL: Option<u32> = None;

/// Asserts that the file decodes to exactly `ramp(frames, 1)`, with no missing frames.
fn assert_complete(file: &[u8], frames: usize, what: &str) {
    let decoded = decode(file).unwrap_or_else(|rejection| panic!("{what}: {rejection}"));
    assert_eq!(decoded.samples, mean(&ramp(frames, 1), 1), "{what}");
    let decoding = decoded.report.decoding;
    assert_eq!((decoded.report.bad_frames, decoding.decoded_share), (0, 1.0), "{what}");
    assert_eq!((decoded.rate, decoded.channels), (22_050, 1), "{what}");
}

#[test]
fn wav_with_integers_or_floats_and_up_to_six_channels_is_decoded() {
    for channels in [1, 2, 6] {
        let samples = ramp(10_000, channels);
        let wide = samples.iter().flat_map(|&sample| {
            let [_, bytes @ ..] = (i32::from(sample) << 16).to_le_bytes();
            bytes
        });
        let floats = samples
            .iter()
            .flat_map(|&sample| (f32::from(sample) / 32_768.0).to_le_bytes());
        let count = channels as u16;
        for file in [
            whole_wav(1, 16, count, &little_endian(&samples)),
            whole_wav(1, 24, count, &wide.collect::<Vec<_>>()),
            whole_wav(3, 32, count, &floats.collect::<Vec<_>>()),
        ] {
            let decoded = decode(&file).unwrap();
            assert_eq!((decoded.rate, decoded.channels), (22_050, channels as u32));
            assert_eq!(decoded.promised, Some(10_000));
            assert_close(&decoded.samples, &mean(&samples, channels), ROUNDING);
            assert_eq!(
                (decoded.report.bad_frames, decoded.report.decoding.decoded_share),
                (0, 1.0)
            );
        }
    }
}

#[test]
fn leading_tag_is_skipped() {
    let samples = ramp(500, 1);
    let mut file = b"ID3\x03\x00\x00\x00\x00\x00\x05hello".to_vec();
    file.extend(whole_wav(1, 16, 1, &little_endian(&samples)));
    assert_eq!(decode(&file).unwrap().samples, mean(&samples, 1));
}

#[test]
fn non_finite_samples_are_counted() {
    let floats: Vec<u8> = [0.5, f32::NAN, f32::INFINITY, -0.5]
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    let report = decode(&whole_wav(3, 32, 1, &floats)).unwrap().report;
    assert_eq!(report.decoding.non_finite_samples, 2);
}

#[test]
fn truncated_wav_file_has_a_low_decoded_share() {
    let data = little_endian(&ramp(10_000, 2));
    let whole = whole_wav(1, 16, 2, &data);
    // Cut in the middle of a sample.
    let decoded = decode(&whole[..44 + 10_001]).unwrap();
    let decoding = decoded.report.decoding;
    assert_eq!((decoding.decoded_frames, decoding.expected_frames), (2_500, 10_000));
    assert_eq!(decoded.report.bad_frames, 7_500);
    for length in 1..44 {
        let code = code(&whole[..length]);
        assert!(
            ["not_audio", "no_frames", "unsupported_format"].contains(&code),
            "{length}: {code}"
        );
    }
    assert_eq!(code(&whole[..44]), "no_frames");
}

#[test]
fn huge_size_in_a_header_does_not_reserve_memory() {
    let data = little_endian(&ramp(1000, 1));
    let decoded = decode(&wav(1, 16, 1, &data, 0xf000_0000)).unwrap();
    assert_eq!(decoded.samples.len(), 1000);
    assert!(decoded.promised.unwrap() < 100_000, "{:?}", decoded.promised);
    assert!(decoded.report.decoding.decoded_share < 1e-6);
    let decoded = decode(&sun_audio(3, 1, &[0; 2000], 0xf000_0000)).unwrap();
    assert_eq!((decoded.samples.len(), decoded.promised), (1000, Some(1000)));
    assert!(decoded.report.decoding.decoded_share < 1e-6);
}

#[test]
fn unsupported_formats_are_refused_with_a_reason() {
    let message = |bytes: &[u8]| {
        let rejection = decode(bytes).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format", "{rejection}");
        rejection.to_string()
    };
    let nine = whole_wav(1, 16, 9, &[0; 180]);
    assert!(message(&nine).contains("9 channels"), "{}", message(&nine));
    let unknown = whole_wav(0x1234, 16, 1, &[0; 180]);
    assert!(message(&unknown).contains("a WAV file"), "{}", message(&unknown));
    assert!(message(&sun_audio(26, 1, &[0; 99], 99)).contains("number 26"));
    let mut inside = sun_audio(3, 1, &[0; 99], 99);
    inside[7] = 20;
    assert!(message(&inside).contains("inside the header"));
}

/// A FLAC file with verbatim (uncompressed) frames.
fn flac(samples: &[i16], channels: usize) -> Vec<u8> {
    const BLOCK: usize = 4096;
    let mut file = b"fLaC\x80\x00\x00\x22".to_vec();
    file.extend((BLOCK as u16).to_be_bytes().repeat(2));
    file.extend([0; 6]);
    let frames = (samples.len() / channels) as u64;
    // 20 bits of sample rate, 3 of channels, 5 of bits per sample, 36 of length.
    let packed = 44_100u64 << 44 | (channels as u64 - 1) << 41 | 15 << 36 | frames;
    file.extend(packed.to_be_bytes());
    file.extend([0; 16]);
    for (number, block) in samples.chunks(BLOCK * channels).enumerate() {
        let length = (block.len() / channels) as u16;
        let mut frame = vec![0xff, 0xf8, 0x70, (channels as u8 - 1) << 4 | 0x08, number as u8];
        frame.extend((length - 1).to_be_bytes());
        frame.push(crc(&frame, 0x07, 8) as u8);
        for channel in 0..channels {
            const VERBATIM: u8 = 0x02;
            frame.push(VERBATIM);
            let samples = block.iter().skip(channel).step_by(channels);
            frame.extend(samples.flat_map(|sample| sample.to_be_bytes()));
        }
        frame.extend((crc(&frame, 0x8005, 16) as u16).to_be_bytes());
        file.extend(frame);
    }
    file
}

fn crc(bytes: &[u8], polynomial: u32, width: u32) -> u32 {
    let (top, mask) = (1 << (width - 1), (1u32 << width) - 1);
    bytes.iter().fold(0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << (width - 8), |sum, _| {
            (if sum & top == 0 {
                sum << 1
            } else {
                sum << 1 ^ polynomial
            }) & mask
        })
    })
}

#[test]
fn flac_is_decoded_and_truncation_lowers_the_decoded_share() {
    for channels in [1, 2] {
        let samples = ramp(20_000, channels);
        let file = flac(&samples, channels);
        let decoded = decode(&file).unwrap();
        assert_eq!((decoded.rate, decoded.channels), (44_100, channels as u32));
        assert_close(&decoded.samples, &mean(&samples, channels), ROUNDING);
        assert_eq!(decoded.report.bad_frames, 0);
        let cut = decode(&file[..file.len() / 2]).unwrap();
        assert!(
            (0.2..0.6).contains(&cut.report.decoding.decoded_share),
            "{:?}",
            cut.report
        );
        assert_eq!(cut.report.decoding.expected_frames, 20_000);
    }
    let whole = flac(&ramp(20_000, 1), 1);
    let mut id3v1 = b"TAG".to_vec();
    id3v1.resize(128, b' ');
    let tagged = [b"ID3\x03\0\0\0\0\0\x05hello".to_vec(), whole.clone(), id3v1].concat();
    let decoded = decode(&tagged).unwrap();
    assert_eq!((decoded.samples.len(), decoded.report.bad_frames), (20_000, 0));
    assert_eq!(code(&whole.repeat(2)), "unsupported_format");
    for length in 1..42 {
        let code = code(&whole[..length]);
        assert!(
            ["not_audio", "no_frames", "unsupported_format"].contains(&code),
            "{length}: {code}"
        );
    }
}

/// An `.au` file with eight bytes of annotation, whose header states `data_size` bytes of data.
fn sun_audio(encoding: u32, channels: u32, data: &[u8], data_size: u32) -> Vec<u8> {
    let words = [32, data_size, encoding, 22_050, channels];
    let mut file = b".snd".to_vec();
    file.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    file.extend(b"made up\0");
    file.extend(data);
    file
}

#[test]
fn sun_audio_is_decoded_in_all_encodings() {
    for channels in [1, 2] {
        let samples = ramp(9_001, channels);
        let wide = |sample: &i16| i32::from(*sample) << 16;
        let real = |sample: &i16| f64::from(*sample) / 32_768.0;
        let files: [(u32, Vec<u8>, f32); 6] = [
            (
                2,
                samples.iter().map(|sample| (sample >> 8) as u8).collect(),
                1.0 / 128.0,
            ),
            (
                3,
                samples.iter().flat_map(|sample| sample.to_be_bytes()).collect(),
                ROUNDING,
            ),
            (
                4,
                samples
                    .iter()
                    .flat_map(|sample| wide(sample).to_be_bytes()[..3].to_vec())
                    .collect(),
                ROUNDING,
            ),
            (
                5,
                samples.iter().flat_map(|sample| wide(sample).to_be_bytes()).collect(),
                ROUNDING,
            ),
            (
                6,
                samples
                    .iter()
                    .flat_map(|sample| (real(sample) as f32).to_be_bytes())
                    .collect(),
                ROUNDING,
            ),
            (
                7,
                samples.iter().flat_map(|sample| real(sample).to_be_bytes()).collect(),
                ROUNDING,
            ),
        ];
        for (encoding, data, tolerance) in files {
            for data_size in [data.len() as u32, u32::MAX, 0] {
                let decoded = decode(&sun_audio(encoding, channels as u32, &data, data_size)).unwrap();
                assert_eq!((decoded.rate, decoded.channels), (22_050, channels as u32));
                assert_close(&decoded.samples, &mean(&samples, channels), tolerance);
                assert_eq!(
                    (decoded.report.bad_frames, decoded.promised),
                    (0, Some(9_001)),
                    "{encoding}"
                );
            }
        }
    }
    let decoded = decode(&sun_audio(1, 1, &[0xff, 0x80, 0x00], 3)).unwrap();
    assert_eq!(decoded.samples, [0.0, 32_124.0 / 32_768.0, -32_124.0 / 32_768.0]);
}

#[test]
fn sun_audio_ends_at_its_stated_size_or_at_the_end_of_the_file() {
    let data: Vec<u8> = ramp(1000, 1).iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let trailing = decode(&sun_audio(3, 1, &[&data, b"trailer".as_slice()].concat(), 2000)).unwrap();
    assert_eq!((trailing.samples.len(), trailing.report.bad_frames), (1000, 0));
    let cut = decode(&sun_audio(3, 1, &data[..1001], 2000)).unwrap();
    assert_eq!((cut.samples.len(), cut.report.bad_frames), (500, 500));
    let whole = sun_audio(3, 1, &data, 2000);
    for length in 4..=32 {
        assert_eq!(code(&whole[..length]), "no_frames", "{length}");
    }
}

#[test]
fn empty_and_invalid_files_get_the_right_rejection_code() {
    assert_eq!(code(b""), "empty_file");
    assert_eq!(code(&b"RIFF\x00\x00\x01\x00AVI LIST".repeat(90)), "not_audio");
    assert_eq!(code(&b"OggS\x00\x02\x07\x09".repeat(90)), "no_frames");
    assert_eq!(code(&[b"\x1a\x45\xdf\xa3".as_slice(), &[0; 900]].concat()), "no_frames");
    for magic in [
        &b"caff\x00\x01\x00\x00"[..],
        b"\x00\x00\x00\x18ftypM4A ",
        b"FORM\x00\x00\x10\x00AIFF",
    ] {
        let code = code(&[magic, &[0x11; 900]].concat());
        assert!(["no_frames", "unsupported_format"].contains(&code), "{magic:?}: {code}");
    }
}
