//! MPEG audio, layers 1 to 3, without a container: MP3 files above all.
//!
//! Encoder delay and padding are trimmed where the file's LAME tag gives them. A frame that does not decode is counted
//! and left out. Files may be joined: each piece has a header of its own then, which counts its own frames only.

use super::downmix::Downmix;
use super::frames::{FrameHeader, Frames};
use super::meter::Meter;
use super::mpeg_header::{FileHeader, MpegHeader};
use super::stream::{AudioStream, DecodeReport, append_mean, possible_samples, silence_non_finite};
use crate::audio::validate::{Rejection, check_format};
use std::sync::Arc;
use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::codecs::MpaDecoder;

/// The audio of a file of MPEG frames, decoded as it is asked for.
pub(super) struct MpegStream {
    frames: Frames<MpegHeader>,
    decoder: MpaDecoder,
    /// Header of the frame that was decoded last, or of the first.
    header: MpegHeader,
    channels: u32,
    /// Samples still to be left out at the beginning.
    delay: usize,
    /// Samples that may have to be left out at the end of the only piece.
    padding: usize,
    promised_frames: Option<u64>,
    audio_bytes: u64,
    /// Samples that have not been handed out, because they may turn out to be padding.
    held: Vec<f32>,
    handed_out: usize,
    pieces: Pieces,
    piece: Piece,
    downmix: Downmix,
    counts: Counts,
    at_end: bool,
    meter: Arc<Meter>,
}

#[derive(Default)]
struct Counts {
    decoded_frames: u64,
    decoded_bytes: u64,
    non_finite_samples: u64,
    last_decoded: bool,
}

/// The frames of one of the files that were joined.
#[derive(Default)]
struct Piece {
    promised: Option<u64>,
    frames: u64,
    lost_bytes: u64,
}

/// The pieces that have ended.
#[derive(Default)]
struct Pieces {
    count: u64,
    first_promise: Option<u64>,
    frames: u64,
    /// Frames that the pieces promise, or have where they promise nothing.
    expected: u64,
    /// Bytes of audio lost in pieces that promise nothing.
    lost_bytes: u64,
}

impl Pieces {
    fn add(&mut self, piece: &Piece) {
        if self.count == 0 {
            self.first_promise = piece.promised;
        }
        self.count += 1;
        self.frames += piece.frames;
        self.expected = self
            .expected
            .saturating_add(piece.promised.unwrap_or(0).max(piece.frames));
        if piece.promised.is_none() {
            self.lost_bytes += piece.lost_bytes;
        }
    }

    /// Frames that there should be, where a frame has so many bytes on average.
    fn expected(&self, frame_bytes: f64) -> u64 {
        // A program that joins files may count all of them in the first header and leave the others where they are.
        let counts_all = |promise: u64| promise.abs_diff(self.frames) <= self.count;
        if self.count > 1 && self.first_promise.is_some_and(counts_all) {
            return self.frames;
        }
        self.expected
            .saturating_add((self.lost_bytes as f64 / frame_bytes) as u64)
    }
}

/// The decoder of frames with this header.
pub(super) fn decoder(header: &MpegHeader) -> Result<MpaDecoder, Rejection> {
    let codec = match header.layer {
        1 => CODEC_ID_MP1,
        2 => CODEC_ID_MP2,
        _ => CODEC_ID_MP3,
    };
    let mut params = AudioCodecParameters::new();
    params.for_codec(codec);
    MpaDecoder::try_new(&params, &AudioDecoderOptions::default().gapless(false))
        .map_err(|error| Rejection::UnsupportedFormat(format!("its codec is not supported: {error}")))
}

impl MpegStream {
    /// Finds the first of these frames.
    pub(super) fn open(mut frames: Frames<MpegHeader>) -> Result<Self, Rejection> {
        let first = frames.next()?.ok_or(Rejection::NoFrames)?;
        let header = first.header;
        let rate = check_format(Some(header.rate), header.channels as usize)?;
        if header.is_refused_by_the_decoder() {
            return Err(Rejection::UnsupportedFormat(format!(
                "it is MPEG 2 audio of layer 2 with {} channels at {rate} Hz, of a bit rate that is not supported; convert it, \
                 to FLAC for example",
                header.channels
            )));
        }
        let whole = FileHeader::parse(frames.bytes(&first)?, &header);
        if whole.is_none() {
            frames.rewind();
        }
        let promised = whole.and_then(|whole| whole.frames).filter(|&frames| frames > 0);
        let whole = whole.unwrap_or_default();
        let meter = Arc::clone(frames.meter());
        Ok(Self {
            decoder: decoder(&header)?,
            header,
            channels: header.channels,
            delay: whole.delay,
            padding: whole.padding,
            promised_frames: promised,
            audio_bytes: frames.range_bytes(),
            frames,
            held: Vec::new(),
            handed_out: 0,
            pieces: Pieces::default(),
            piece: Piece {
                promised,
                ..Piece::default()
            },
            downmix: Downmix::default(),
            counts: Counts::default(),
            at_end: false,
            meter,
        })
    }

    /// Reads and decodes a frame, or ends.
    fn step(&mut self) -> Result<(), Rejection> {
        let Some(frame) = self.frames.next()? else {
            self.piece.lost_bytes += self.frames.gap().lost_bytes(false);
            self.end();
            return Ok(());
        };
        let header = frame.header;
        if header.rate != self.header.rate {
            return Err(Rejection::UnsupportedFormat(format!(
                "its sample rate changes from {} Hz to {} Hz at byte {}; convert it, to FLAC for example",
                self.header.rate, header.rate, frame.at
            )));
        }
        if !header.same_stream(&self.header) {
            self.decoder = decoder(&header)?;
        }
        self.header = header;
        let data = self.frames.bytes(&frame)?;
        let inner = FileHeader::parse(data, &header);
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, data);
        let decoded = self.decoder.decode_ref(&packet);
        let is_decoded = decoded.is_ok();
        let begin = self.held.len();
        if let Ok(GenericAudioBufferRef::F32(buffer)) = decoded {
            append_mean(buffer, &mut self.downmix, &mut self.held);
            self.counts.non_finite_samples += silence_non_finite(&mut self.held[begin..]);
        }
        if let Some(inner) = inner {
            // The frame is silence, which players play, and not counted by either header. Zeros in front of it are padding.
            self.piece.lost_bytes += frame.gap.lost_bytes(false);
            self.end_piece(Piece {
                promised: inner.frames.filter(|&frames| frames > 0),
                ..Piece::default()
            });
        } else {
            let is_first = self.pieces.frames + self.piece.frames == 0;
            self.piece.lost_bytes += frame.lost_bytes(is_first);
            self.piece.frames += 1;
            self.counts.last_decoded = is_decoded;
            if is_decoded {
                self.counts.decoded_frames += 1;
                self.counts.decoded_bytes += header.frame_bytes() as u64;
            }
        }
        let late = self.delay.min(self.held.len() - begin);
        self.held.drain(begin..begin + late);
        self.delay -= late;
        Ok(())
    }

    /// Begins another piece, whose beginning is played, and the end of this one, as players do.
    fn end_piece(&mut self, next: Piece) {
        self.pieces.add(&std::mem::replace(&mut self.piece, next));
        self.padding = 0;
    }

    /// Ends the last piece. Padding is what the encoder appended to the last of the promised frames: where frames are missing
    /// the samples at the end are music.
    fn end(&mut self) {
        if self.counts.last_decoded && self.piece.promised == Some(self.piece.frames) {
            self.held.truncate(self.held.len().saturating_sub(self.padding));
        }
        self.end_piece(Piece::default());
        self.at_end = true;
    }
}

impl AudioStream for MpegStream {
    fn rate(&self) -> u32 {
        self.header.rate
    }

    fn channels(&self) -> u32 {
        self.channels
    }

    fn promised_samples(&self) -> Option<u64> {
        let possible = possible_samples(self.audio_bytes, self.header.rate);
        self.promised_frames
            .map(|frames| frames.saturating_mul(self.header.samples()).min(possible))
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
        self.held.drain(..self.handed_out);
        self.handed_out = 0;
        while !self.at_end && self.handed_out == 0 {
            self.meter.begin_packet()?;
            self.step()?;
            self.handed_out = self.held.len().saturating_sub(self.padding);
        }
        if self.at_end && self.handed_out == 0 {
            self.handed_out = self.held.len();
        }
        Ok((self.handed_out > 0).then(|| &self.held[..self.handed_out]))
    }

    fn report(&self) -> Result<DecodeReport, Rejection> {
        let counts = &self.counts;
        if counts.decoded_frames == 0 {
            return Err(Rejection::NoFrames);
        }
        let frame_bytes = counts.decoded_bytes as f64 / counts.decoded_frames as f64;
        let expected = self.pieces.expected(frame_bytes).max(counts.decoded_frames);
        DecodeReport::new(
            counts.decoded_frames,
            expected,
            counts.non_finite_samples,
            &self.downmix,
        )
    }
}
