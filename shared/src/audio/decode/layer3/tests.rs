//! Compares whole frames with Symphonia's decoder: random ones of every version, rate and mode, and damaged real ones.
//!
//! Left out is what Symphonia decodes wrongly. It does not scale lines 30 to 35 of mixed blocks. It refuses frames whose
//! channels have different blocks if the header says joint stereo, even if the frame does not use it. In intensity stereo
//! of MPEG 2 it takes the largest scale factor, which is no position, for one.

use super::super::frames::FrameHeader;
use super::super::mpeg::symphonia_decoder;
use super::super::mpeg_header::MpegHeader;
use super::Layer3;
use proptest::prelude::*;
use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

/// Largest difference, relative to the loudest sample or to full scale.
const TOLERANCE: f32 = 1e-5;

/// A decoder and Symphonia's.
struct Pair {
    layer3: Box<Layer3>,
    symphonia: symphonia::default::codecs::MpaDecoder,
    decoded: u32,
    damaged: u32,
}

impl Pair {
    fn new(frame: &[u8]) -> Self {
        let header = MpegHeader::parse(frame).unwrap();
        Self {
            layer3: Layer3::new(&header),
            symphonia: symphonia_decoder(&header).unwrap(),
            decoded: 0,
            damaged: 0,
        }
    }

    /// Decodes a frame with both, and returns how they differ.
    fn difference(&mut self, frame: &[u8]) -> Option<String> {
        let header = MpegHeader::parse(frame).unwrap();
        let (mut sound, mut expected) = (Vec::new(), Vec::new());
        let energy = self.layer3.decode(&header, frame, &mut sound);
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, frame);
        let result = self.symphonia.decode_ref(&packet);
        if result.is_ok() != energy.is_ok() {
            return Some(format!("Symphonia: {:?}, we: {energy:?}", result.map(|_| ())));
        }
        let Ok(GenericAudioBufferRef::F32(buffer)) = result else {
            self.damaged += 1;
            return (!sound.is_empty()).then(|| "a damaged frame has sound".into());
        };
        self.decoded += 1;
        match buffer.plane_pair(0, 1) {
            Some((left, right)) => expected.extend(left.iter().zip(right).map(|(left, right)| 0.5 * (left + right))),
            None => expected.extend_from_slice(buffer.plane(0).unwrap()),
        }
        let scale = buffer
            .iter_planes()
            .flatten()
            .fold(1.0_f32, |peak, sample| peak.max(sample.abs()));
        if sound.len() != expected.len() {
            return Some(format!("{} samples, not {}", sound.len(), expected.len()));
        }
        let errors = sound
            .iter()
            .zip(&expected)
            .map(|(sample, expected)| (sample - expected).abs());
        let error = errors.fold(0.0, f32::max) / scale;
        (error.is_nan() || error > TOLERANCE).then(|| format!("differs by {error} of {scale}"))
    }
}

struct Random(u64);

impl Random {
    /// A number below `end`.
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(end)) as u32
    }
}

/// Appends bits to bytes.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    count: usize,
}

impl BitWriter {
    fn put(&mut self, count: u32, value: u32) {
        for at in (0..count).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> at & 1) as u8) << (7 - self.count % 8);
            self.count += 1;
        }
    }
}

/// The first three bytes of a header, and the channel mode with its extension.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// 0 for MPEG 2.5, 2 for MPEG 2, 3 for MPEG 1.
    version: u32,
    rate: u32,
    /// 0 for stereo, 1 for joint stereo, 3 for one channel.
    mode: u32,
    extension: u32,
    has_crc: bool,
}

/// A frame of random lines.
fn random_frame(random: &mut Random, kind: Kind) -> Vec<u8> {
    let mut bits = BitWriter::default();
    let bit_rate = 5 + random.below(9);
    bits.put(11, 0x7ff);
    bits.put(2, kind.version);
    bits.put(2, 1);
    bits.put(1, u32::from(!kind.has_crc));
    bits.put(4, bit_rate);
    bits.put(2, kind.rate);
    bits.put(2, random.below(2) << 1);
    bits.put(2, kind.mode);
    bits.put(2, kind.extension);
    bits.put(4, 0);
    let header = MpegHeader::parse(&bits.bytes).unwrap();
    if kind.has_crc {
        bits.put(16, random.below(1 << 16));
    }
    let is_mpeg1 = kind.version == 3;
    let channels = if kind.mode == 3 { 1 } else { 2 };
    let granules = if is_mpeg1 { 2 } else { 1 };
    let before = if random.below(4) == 0 {
        random.below(200)
    } else {
        random.below(20)
    };
    if is_mpeg1 {
        bits.put(9, before);
        bits.put(if channels == 1 { 5 } else { 3 }, 0);
        bits.put(4 * channels, random.below(1 << (4 * channels)));
    } else {
        bits.put(8, before);
        bits.put(channels, 0);
    }
    let size = 8 * header.frame_bytes() as u32;
    let share = size / (granules * channels);
    for _ in 0..granules {
        let block = random.below(6);
        for _ in 0..channels {
            bits.put(12, random.below(share).min(4095));
            let many = random.below(20) == 0;
            bits.put(9, random.below(if many { 300 } else { 200 }));
            bits.put(8, 130 + random.below(50));
            bits.put(
                if is_mpeg1 { 4 } else { 9 },
                random.below(if is_mpeg1 { 16 } else { 512 }),
            );
            // Channels of joint stereo have the same block.
            let block = if kind.mode == 1 { block } else { random.below(6) };
            if (1..=3).contains(&block) {
                bits.put(1, 1);
                bits.put(2, block);
                bits.put(1, 0);
                bits.put(10, random.below(1 << 10));
                bits.put(9, random.below(1 << 9));
            } else {
                bits.put(1, 0);
                bits.put(15, random.below(1 << 15));
                bits.put(7, random.below(1 << 7));
            }
            bits.put(if is_mpeg1 { 3 } else { 2 }, random.below(if is_mpeg1 { 8 } else { 4 }));
        }
    }
    while bits.bytes.len() < header.frame_bytes() {
        bits.put(8, random.below(256));
    }
    bits.bytes.truncate(header.frame_bytes());
    bits.bytes
}

#[test]
fn random_frames_decode_like_symphonia() {
    let mut random = Random(1);
    let (mut decoded, mut damaged) = (0, 0);
    for version in [0, 2, 3] {
        for rate in 0..3 {
            for (mode, extensions) in [(0, 1), (1, if version == 3 { 4 } else { 3 }), (3, 1)] {
                let mut kind = Kind {
                    version,
                    rate,
                    mode,
                    extension: 0,
                    has_crc: random.below(2) == 0,
                };
                let mut pair = Pair::new(&random_frame(&mut random, kind));
                for at in 0..60 {
                    // Without intensity stereo in MPEG 2.
                    kind.extension = random.below(extensions) & if version == 3 { 3 } else { 2 };
                    let frame = random_frame(&mut random, kind);
                    assert_eq!(pair.difference(&frame), None, "frame {at} of {kind:?}");
                }
                decoded += pair.decoded;
                damaged += pair.damaged;
            }
        }
    }
    assert!(decoded > 900 && damaged > 50, "{decoded} decoded, {damaged} damaged");
}

/// The frames of a file behind its tag.
fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut at = TAG_BYTES;
    while let Some(header) = file.get(at..).and_then(MpegHeader::parse) {
        let Some(frame) = file.get(at..at + header.frame_bytes()) else {
            break;
        };
        frames.push(frame.to_vec());
        at += header.frame_bytes();
    }
    frames
}

const TAG_BYTES: usize = 20;
const LAME: &[u8] = include_bytes!("../../../../../fuzz/seeds/decode_validate/lame.mp3");
const MPEG25: &[u8] = include_bytes!("../../../../../fuzz/seeds/decode_validate/mpeg25.mp3");

#[test]
fn frames_of_lame_decode_like_symphonia() {
    for file in [LAME, MPEG25] {
        let frames = frames(file);
        assert!(frames.len() >= 3);
        let mut pair = Pair::new(&frames[0]);
        for (at, frame) in frames.iter().enumerate() {
            assert_eq!(pair.difference(frame), None, "frame {at}");
        }
        assert_eq!((pair.decoded as usize, pair.damaged), (frames.len(), 0));
    }
}

#[test]
fn truncated_frame_is_damaged() {
    let frame = &frames(LAME)[1];
    let header = MpegHeader::parse(frame).unwrap();
    for length in 0..frame.len() {
        let mut sound = Vec::new();
        let result = Layer3::new(&header).decode(&header, &frame[..length], &mut sound);
        assert_eq!(result.is_ok(), !sound.is_empty(), "{length} bytes");
    }
}

/// The energy of the channels follows from their spectra, whatever the blocks.
#[test]
fn energy_is_that_of_the_channels() {
    let mut random = Random(5);
    for mode in [0, 1] {
        let (mut energy, mut expected) = (0.0, 0.0);
        let kind = |extension| Kind {
            version: 3,
            rate: 0,
            mode,
            extension,
            has_crc: false,
        };
        let mut pair = Pair::new(&random_frame(&mut random, kind(0)));
        for _ in 0..400 {
            let extension = if mode == 1 { random.below(4) } else { 0 };
            let frame = random_frame(&mut random, kind(extension));
            let header = MpegHeader::parse(&frame).unwrap();
            energy += f64::from(pair.layer3.decode(&header, &frame, &mut Vec::new()).unwrap_or(0.0));
            let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, &frame);
            if let Ok(GenericAudioBufferRef::F32(buffer)) = pair.symphonia.decode_ref(&packet) {
                let squares = buffer
                    .iter_planes()
                    .flatten()
                    .map(|&sample| f64::from(sample) * f64::from(sample));
                expected += 0.5 * squares.sum::<f64>();
            }
        }
        assert!(
            (energy / expected - 1.0).abs() < 0.02,
            "mode {mode}: {energy} instead of {expected}"
        );
    }
}

proptest! {
    /// Bytes after the header are damaged, so both decoders read the same frames.
    #[test]
    fn damaged_frames_count_as_in_symphonia(
        file in prop_oneof![Just(LAME), Just(MPEG25)],
        damage in prop::collection::vec((any::<prop::sample::Index>(), 4usize..400, 0u32..8), 0..40),
    ) {
        let mut frames = frames(file);
        for (frame, byte, bit) in damage {
            let frame = frame.index(frames.len());
            if let Some(byte) = frames[frame].get_mut(byte) {
                *byte ^= 1 << bit;
            }
        }
        let mut pair = Pair::new(&frames[0]);
        for frame in &frames {
            let header = MpegHeader::parse(frame).unwrap();
            let ours = pair.layer3.decode(&header, frame, &mut Vec::new()).is_ok();
            let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, frame);
            prop_assert_eq!(ours, pair.symphonia.decode_ref(&packet).is_ok());
        }
    }
}
