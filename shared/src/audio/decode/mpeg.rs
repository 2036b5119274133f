//! Decodes MPEG audio, layers 1 to 3, without a container: mainly MP3 files.
//!
//! Encoder delay and padding are trimmed if a LAME tag states them. A frame that does not decode is counted and
//! skipped. A file may consist of several joined files ("pieces"), each with a file header that counts only its own
//! frames.

use super::downmix::Downmix;
use super::frames::{FrameHeader, Frames};
use super::layer3::Layer3;
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

/// The audio of a file of MPEG frames, decoded lazily.
pub(super) struct MpegStream {
    frames: Frames<MpegHeader>,
    decoder: Decoder,
    /// Header of the frame that was decoded last, initially of the first.
    header: MpegHeader,
    channels: u32,
    /// Samples that are still to be removed at the beginning.
    delay: usize,
    /// Samples to remove at the end if the file has only one piece.
    padding: usize,
    promised_frames: Option<u64>,
    audio_bytes: u64,
    /// Decoded samples. The last `padding` of them are kept back, because they may turn out to be padding.
    held: Vec<f32>,
    /// Samples at the beginning of `held` that have been returned.
    returned: usize,
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

/// The frames of one of several joined files.
#[derive(Default)]
struct Piece {
    promised: Option<u64>,
    frames: u64,
    lost_bytes: u64,
}

/// Sums over the pieces that have ended.
#[derive(Default)]
struct Pieces {
    count: u64,
    first_promise: Option<u64>,
    frames: u64,
    /// Sum over the pieces of the frames that the header states, or of the actual frames if there are more.
    expected: u64,
    /// Bytes of audio lost in pieces whose header does not state the number of frames.
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

    /// Frames that the file should have, given the average size of a frame.
    fn expected(&self, frame_bytes: f64) -> u64 {
        // A program that joins files may count all frames in the first header and keep the other headers.
        let counts_all = |promise: u64| promise.abs_diff(self.frames) <= self.count;
        if self.count > 1 && self.first_promise.is_some_and(counts_all) {
            return self.frames;
        }
        self.expected
            .saturating_add((self.lost_bytes as f64 / frame_bytes) as u64)
    }
}

/// The decoder of a layer.
enum Decoder {
    Layers1And2(Box<MpaDecoder>),
    Layer3(Box<Layer3>),
}

impl Decoder {
    fn new(header: &MpegHeader) -> Result<Self, Rejection> {
        Ok(match header.layer {
            3 => Self::Layer3(Layer3::new(header)),
            _ => Self::Layers1And2(Box::new(symphonia_decoder(header)?)),
        })
    }

    /// Appends the mean of the channels of a frame. Returns whether it decoded.
    fn decode(&mut self, header: &MpegHeader, frame: &[u8], downmix: &mut Downmix, mono: &mut Vec<f32>) -> bool {
        match self {
            Self::Layers1And2(decoder) => {
                let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, frame);
                let decoded = decoder.decode_ref(&packet);
                if let Ok(GenericAudioBufferRef::F32(buffer)) = decoded {
                    append_mean(buffer, downmix, mono);
                }
                decoded.is_ok()
            }
            Self::Layer3(decoder) => {
                let begin = mono.len();
                let decoded = decoder.decode(header, frame, mono);
                if let Ok(energy) = decoded
                    && header.channels > 1
                {
                    downmix.mean(energy, &mono[begin..]);
                }
                decoded.is_ok()
            }
        }
    }
}

/// Creates Symphonia's decoder for frames with this header.
pub(super) fn symphonia_decoder(header: &MpegHeader) -> Result<MpaDecoder, Rejection> {
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
    /// Finds the first frame and reads the file header.
    pub(super) fn open(mut frames: Frames<MpegHeader>) -> Result<Self, Rejection> {
        let first = frames.next()?.ok_or(Rejection::NoFrames)?;
        let header = first.header;
        let rate = check_format(Some(header.rate), header.channels as usize)?;
        if header.is_refused_by_the_decoder() {
            return Err(Rejection::UnsupportedFormat(format!(
                "it is MPEG 2 layer 2 audio with {} channels at {rate} Hz and a bit rate that is not supported; convert it, for \
                 example to FLAC",
                header.channels
            )));
        }
        let file_header = FileHeader::parse(frames.bytes(&first)?, &header);
        if file_header.is_none() {
            frames.rewind();
        }
        let promised = file_header
            .and_then(|header| header.frames)
            .filter(|&frames| frames > 0);
        let file_header = file_header.unwrap_or_default();
        let meter = Arc::clone(frames.meter());
        Ok(Self {
            decoder: Decoder::new(&header)?,
            header,
            channels: header.channels,
            delay: file_header.delay,
            padding: file_header.padding,
            promised_frames: promised,
            audio_bytes: frames.range_bytes(),
            frames,
            held: Vec::new(),
            returned: 0,
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

    /// Reads and decodes the next frame, or ends the stream.
    fn step(&mut self) -> Result<(), Rejection> {
        let Some(frame) = self.frames.next()? else {
            self.piece.lost_bytes += self.frames.gap().lost_bytes(false);
            self.end();
            return Ok(());
        };
        let header = frame.header;
        if header.rate != self.header.rate {
            return Err(Rejection::UnsupportedFormat(format!(
                "its sample rate changes from {} Hz to {} Hz at byte {}; convert it, for example to FLAC",
                self.header.rate, header.rate, frame.at
            )));
        }
        if !header.same_stream(&self.header) {
            self.decoder = Decoder::new(&header)?;
        }
        self.header = header;
        let data = self.frames.bytes(&frame)?;
        let next_header = FileHeader::parse(data, &header);
        let begin = self.held.len();
        let is_decoded = self.decoder.decode(&header, data, &mut self.downmix, &mut self.held);
        self.counts.non_finite_samples += silence_non_finite(&mut self.held[begin..]);
        if let Some(next_header) = next_header {
            // Players play this frame as silence, and neither header counts it. Zeros before it are padding.
            self.piece.lost_bytes += frame.gap.lost_bytes(false);
            self.end_piece(Piece {
                promised: next_header.frames.filter(|&frames| frames > 0),
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
        let delay = self.delay.min(self.held.len() - begin);
        self.held.drain(begin..begin + delay);
        self.delay -= delay;
        Ok(())
    }

    /// Begins another piece. Like players, this keeps the delay of the next piece and the padding of this one.
    fn end_piece(&mut self, next: Piece) {
        self.pieces.add(&std::mem::replace(&mut self.piece, next));
        self.padding = 0;
    }

    /// Ends the last piece. Padding is removed only if the file has all frames that the header states: otherwise the
    /// samples at the end are music.
    fn end(&mut self) {
        if self.counts.last_decoded && self.piece.promised == Some(self.piece.frames) {
            self.held.truncate(self.held.len().saturating_sub(self.padding));
        }
        self.end_piece(Piece::default());
        self.at_end = true;
    }
}

impl AudioStream for MpegStream {
    fn codec(&self) -> &'static str {
        ["mp1", "mp2", "mp3"][usize::from(self.header.layer.clamp(1, 3)) - 1]
    }

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
        self.held.drain(..self.returned);
        self.returned = 0;
        while !self.at_end && self.returned == 0 {
            self.meter.begin_packet()?;
            self.step()?;
            self.returned = self.held.len().saturating_sub(self.padding);
        }
        if self.at_end && self.returned == 0 {
            self.returned = self.held.len();
        }
        Ok((self.returned > 0).then(|| &self.held[..self.returned]))
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
