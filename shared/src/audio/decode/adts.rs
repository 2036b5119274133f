//! Decodes AAC in ADTS frames (ISO 13818-7 and 14496-3) without a container.

use super::aac::{AacConfig, EXAMINED_PACKETS, HIGH_EFFICIENCY, SbrDetector};
use super::downmix::Downmix;
use super::frames::{FrameHeader, Frames};
use super::meter::Meter;
use super::stream::{AudioStream, DecodeReport, append_mean, silence_non_finite};
use crate::audio::validate::{Rejection, check_format};
use std::sync::Arc;
use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::codecs::AacDecoder;

/// Samples per channel in a frame of one block.
const SAMPLES: u64 = 1024;

/// The header of an ADTS frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AdtsHeader {
    rate: u32,
    /// 0 to 3: Main, LC, SSR, LTP.
    profile: u8,
    channel_configuration: u8,
    /// Length of the header, including the checksum.
    header_bytes: usize,
    frame_bytes: usize,
    /// Packets in the frame.
    blocks: u8,
}

impl FrameHeader for AdtsHeader {
    const BYTES: usize = 7;

    fn parse(bytes: &[u8]) -> Option<Self> {
        const RATES: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
        ];
        // Twelve bits of sync word, and layer 0, which MPEG audio never has.
        let [0xff, second, third, fourth, fifth, sixth, seventh, ..] = *bytes else {
            return None;
        };
        if second & 0xf6 != 0xf0 {
            return None;
        }
        let header_bytes = if second & 1 == 0 { 9 } else { 7 };
        let frame_bytes = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth) >> 5;
        let header = Self {
            rate: *RATES.get(usize::from(third >> 2 & 15))?,
            profile: third >> 6,
            channel_configuration: (third & 1) << 2 | fourth >> 6,
            header_bytes,
            frame_bytes,
            blocks: (seventh & 3) + 1,
        };
        (frame_bytes > header_bytes).then_some(header)
    }

    fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    fn same_stream(&self, other: &Self) -> bool {
        let stream = |header: &Self| (header.rate, header.profile, header.channel_configuration);
        stream(self) == stream(other)
    }
}

impl AdtsHeader {
    fn check(&self) -> Result<u32, Rejection> {
        let unsupported = |problem: &str| Rejection::UnsupportedFormat(format!("it is an AAC file that {problem}"));
        let config = AacConfig {
            object_type: u32::from(self.profile) + 1,
            channel_configuration: self.channel_configuration.into(),
            has_sbr: false,
        };
        if let Some(problem) = config.unsupported() {
            return Err(unsupported(&problem));
        }
        if self.blocks > 1 {
            return Err(unsupported(
                "has several packets per frame, which is not supported; convert it, for example to FLAC",
            ));
        }
        check_format(Some(self.rate), self.channel_configuration.into())
    }
}

/// The audio of an ADTS file, decoded lazily.
pub(super) struct AdtsStream {
    frames: Frames<AdtsHeader>,
    decoder: AacDecoder,
    first: AdtsHeader,
    rate: u32,
    mono: Vec<f32>,
    decoded_frames: u64,
    decoded_bytes: u64,
    seen_frames: u64,
    lost_bytes: u64,
    non_finite: u64,
    downmix: Downmix,
    at_end: bool,
    meter: Arc<Meter>,
}

impl AdtsStream {
    /// Finds the first frame and examines the beginning of the stream for SBR.
    pub(super) fn open(mut frames: Frames<AdtsHeader>) -> Result<Self, Rejection> {
        let mut sbr = SbrDetector::default();
        let mut first = None;
        for _ in 0..EXAMINED_PACKETS {
            let Some(frame) = frames.next()? else {
                break;
            };
            first.get_or_insert(frame.header);
            let data = frames.bytes(&frame)?;
            sbr.examine(data.get(frame.header.header_bytes..).unwrap_or_default());
        }
        let first = first.ok_or(Rejection::NoFrames)?;
        let rate = first.check()?;
        if sbr.is_high_efficiency() {
            return Err(Rejection::UnsupportedFormat(format!(
                "it is an AAC file that {HIGH_EFFICIENCY}"
            )));
        }
        frames.rewind();
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(CODEC_ID_AAC)
            .with_sample_rate(rate)
            .with_channels(match first.channel_configuration {
                1 => CHANNEL_LAYOUT_MONO,
                _ => CHANNEL_LAYOUT_STEREO,
            });
        let decoder = AacDecoder::try_new(&params, &AudioDecoderOptions::default())
            .map_err(|error| Rejection::UnsupportedFormat(format!("it is an AAC file that cannot be read: {error}")))?;
        Ok(Self {
            meter: Arc::clone(frames.meter()),
            frames,
            decoder,
            first,
            rate,
            mono: Vec::new(),
            decoded_frames: 0,
            decoded_bytes: 0,
            seen_frames: 0,
            lost_bytes: 0,
            non_finite: 0,
            downmix: Downmix::default(),
            at_end: false,
        })
    }

    fn step(&mut self) -> Result<(), Rejection> {
        let Some(frame) = self.frames.next()? else {
            self.lost_bytes += self.frames.gap().lost_bytes(false);
            self.at_end = true;
            return Ok(());
        };
        frame.header.check()?;
        if !frame.header.same_stream(&self.first) {
            return Err(Rejection::UnsupportedFormat(format!(
                "its sample rate or channels change at byte {}; convert it, for example to FLAC",
                frame.at
            )));
        }
        self.lost_bytes += frame.lost_bytes(self.seen_frames == 0);
        self.seen_frames += 1;
        let data = self.frames.bytes(&frame)?;
        let packet = data.get(frame.header.header_bytes..).unwrap_or_default();
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::new(SAMPLES), packet);
        if let Ok(GenericAudioBufferRef::F32(buffer)) = self.decoder.decode_ref(&packet) {
            append_mean(buffer, &mut self.downmix, &mut self.mono);
            self.decoded_frames += 1;
            self.decoded_bytes += frame.header.frame_bytes as u64;
            self.non_finite += silence_non_finite(&mut self.mono);
        }
        Ok(())
    }
}

impl AudioStream for AdtsStream {
    fn codec(&self) -> &'static str {
        "aac"
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u32 {
        self.first.channel_configuration.into()
    }

    fn promised_samples(&self) -> Option<u64> {
        None
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
        self.mono.clear();
        while !self.at_end && self.mono.is_empty() {
            self.meter.begin_packet()?;
            self.step()?;
        }
        Ok((!self.mono.is_empty()).then_some(self.mono.as_slice()))
    }

    fn report(&self) -> Result<DecodeReport, Rejection> {
        let lost = match self.decoded_bytes {
            0 => 0,
            bytes => u128::from(self.lost_bytes) * u128::from(self.decoded_frames) / u128::from(bytes),
        };
        let expected = self.seen_frames.saturating_add(u64::try_from(lost).unwrap_or(u64::MAX));
        DecodeReport::new(
            self.decoded_frames * SAMPLES,
            expected.saturating_mul(SAMPLES),
            self.non_finite,
            &self.downmix,
        )
    }
}
