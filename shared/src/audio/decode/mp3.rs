//! MP3: MPEG audio, layer 3, without a container.
//!
//! Encoder delay and padding are trimmed where the file's LAME tag gives them. A frame that does not decode is counted
//! and left out.

use super::downmix::Downmix;
use super::meter::{Meter, MeteredFile};
use super::{AudioStream, DecodeReport, container, io_rejection, possible_samples, silence_non_finite};
use crate::audio::validate::{Rejection, check_format};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, ReadOnlySource};
use symphonia::default::codecs::MpaDecoder;
use symphonia::default::formats::MpaReader;

/// An MP3 file's audio, decoded as it is asked for.
pub(super) struct Mp3Stream {
    reader: MpaReader<'static>,
    decoder: MpaDecoder,
    rate: u32,
    channels: u32,
    padding: usize,
    promised_frames: Option<u64>,
    audio_bytes: u64,
    /// Samples that have not been handed out, because they may turn out to be padding.
    held: Vec<f32>,
    handed_out: usize,
    downmix: Downmix,
    counts: Counts,
    at_end: bool,
    meter: Arc<Meter>,
}

#[derive(Default)]
struct Counts {
    frames: u64,
    decoded_frames: u64,
    bytes: u64,
    decoded_bytes: u64,
    non_finite_samples: u64,
    last_decoded: bool,
}

/// Samples per channel in one frame: 1152 in MPEG 1, which has the rates from 32 kHz, and half of that in MPEG 2 and 2.5.
fn samples_per_frame(rate: u32) -> u64 {
    if rate >= 32_000 { 1152 } else { 576 }
}

impl Mp3Stream {
    /// Finds the first frame in `range`, the bytes of a file between its tags, which begin with `beginning`.
    pub(super) fn open(mut file: MeteredFile, range: Range<u64>, beginning: &[u8]) -> Result<Self, Rejection> {
        let audio_bytes = range.end - range.start;
        let meter = Arc::clone(file.meter());
        file.seek(SeekFrom::Start(range.start))
            .map_err(|error| io_rejection(&error))?;
        let source = file.take(audio_bytes);
        // A source that cannot seek keeps Symphonia from guessing a length out of the first frames' bit rate, which is
        // wrong for a variable one, and from trimming by its guess. Only what a Xing, Info or VBRI header says remains.
        let source = MediaSourceStream::new(Box::new(ReadOnlySource::new(source)), Default::default());
        let reader = match MpaReader::try_new(source, FormatOptions::default()) {
            Ok(reader) => reader,
            Err(Error::IoError(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(io_rejection(&error));
            }
            Err(_) => return Err(not_a_frame(&range, beginning)),
        };
        let track = &reader.tracks()[0];
        let Some(params) = track.codec_params.as_ref().and_then(|params| params.audio()) else {
            return Err(Rejection::NoFrames);
        };
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
        let rate = check_format(params.sample_rate, channels)?;
        let options = AudioDecoderOptions::default().gapless(false);
        let decoder = MpaDecoder::try_new(params, &options)
            .map_err(|error| Rejection::UnsupportedFormat(format!("its codec is not supported: {error}")))?;
        let (delay, padding) = (track.delay.unwrap_or(0), track.padding.unwrap_or(0));
        let promised_samples = track
            .num_frames
            .map(|samples| samples.saturating_add(u64::from(delay) + u64::from(padding)));
        Ok(Self {
            padding: padding as usize,
            promised_frames: promised_samples
                .map(|samples| samples / samples_per_frame(rate))
                .filter(|&frames| frames > 0),
            rate,
            channels: channels as u32,
            reader,
            decoder,
            audio_bytes,
            held: Vec::new(),
            handed_out: 0,
            downmix: Downmix::default(),
            counts: Counts::default(),
            at_end: false,
            meter,
        })
    }

    /// Padding is what the encoder appended to the last of the promised frames: where frames are missing, or others
    /// follow, the samples at the end are music.
    fn trailing_padding(&self) -> usize {
        if self.counts.last_decoded && self.promised_frames == Some(self.counts.frames) {
            self.padding.min(self.held.len())
        } else {
            0
        }
    }

    fn decode(&mut self, packet: &symphonia::core::packet::Packet, trim_start: usize) {
        let counts = &mut self.counts;
        counts.frames += 1;
        counts.bytes += packet.data.len() as u64;
        let decoded = self.decoder.decode(packet);
        counts.last_decoded = decoded.is_ok();
        let Ok(GenericAudioBufferRef::F32(buffer)) = decoded else {
            return;
        };
        counts.decoded_frames += 1;
        counts.decoded_bytes += packet.data.len() as u64;
        let begin = self.held.len();
        let trim_start = trim_start.min(buffer.frames());
        if let Some((left, right)) = buffer.plane_pair(0, 1) {
            self.downmix
                .planar(&[&left[trim_start..], &right[trim_start..]], &mut self.held);
        } else if let Some(mono) = buffer.plane(0) {
            self.downmix.planar(&[&mono[trim_start..]], &mut self.held);
        }
        let new = &mut self.held[begin..];
        counts.non_finite_samples += silence_non_finite(new);
    }
}

impl AudioStream for Mp3Stream {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u32 {
        self.channels
    }

    fn promised_samples(&self) -> Option<u64> {
        let possible = possible_samples(self.audio_bytes, self.rate);
        self.promised_frames
            .map(|frames| frames.saturating_mul(samples_per_frame(self.rate)).min(possible))
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
        self.held.drain(..self.handed_out);
        self.handed_out = 0;
        while !self.at_end && self.handed_out == 0 {
            self.meter.begin_packet()?;
            match self.reader.next_packet() {
                Ok(Some(packet)) => {
                    let trim_start = packet.trim_start.get() as usize;
                    self.decode(&packet, trim_start);
                }
                Ok(None) => self.at_end = true,
                Err(Error::IoError(error)) => return Err(io_rejection(&error)),
                // The reader passes over whatever is not a frame; anything else it reports is the end of what it can do.
                Err(_) => self.at_end = true,
            }
            self.handed_out = self.held.len().saturating_sub(self.padding);
        }
        if self.at_end && self.handed_out == 0 {
            self.handed_out = self.held.len() - self.trailing_padding();
            self.padding = 0;
            if self.handed_out == 0 {
                self.held.clear();
            }
        }
        Ok((self.handed_out > 0).then(|| &self.held[..self.handed_out]))
    }

    fn report(&self) -> Result<DecodeReport, Rejection> {
        let counts = &self.counts;
        if counts.decoded_frames == 0 {
            return Err(Rejection::NoFrames);
        }
        let expected_frames = match self.promised_frames {
            Some(promised) => promised.max(counts.frames),
            // No header: as many as the file has room for, at the mean size of those that decoded.
            None => counts.frames.max(
                u64::try_from(
                    u128::from(self.audio_bytes) * u128::from(counts.decoded_frames) / u128::from(counts.decoded_bytes),
                )
                .unwrap_or(u64::MAX),
            ),
        };
        DecodeReport::new(
            counts.decoded_frames,
            expected_frames,
            counts.non_finite_samples,
            &self.downmix,
        )
    }
}

fn not_a_frame(range: &Range<u64>, beginning: &[u8]) -> Rejection {
    /// What a page or a picture is known by.
    const ENOUGH: usize = 512;
    // Behind a tag, whatever is no frame is damaged audio rather than something else.
    let beginning = if range.start == 0 { beginning } else { &[] };
    container::what_else(&beginning[..beginning.len().min(ENOUGH)]).map_or(Rejection::NoFrames, Rejection::NotAudio)
}

#[cfg(test)]
mod tests {
    use super::super::open;
    use super::*;
    use std::fs;
    use std::path::{Path, PathBuf};
    use tempfile::TempDir;

    /// A frame of silence: MPEG 1, layer 3, 128 kbit/s, 44,100 Hz, joint stereo; no side information, no main data.
    fn silent_frame() -> Vec<u8> {
        let mut frame = vec![0xff, 0xfb, 0x90, 0x64];
        frame.resize(417, 0);
        frame
    }

    /// The frame that LAME puts first: a count of frames, delay and padding.
    fn info_frame(frames: u32, delay: u32, padding: u32) -> Vec<u8> {
        let mut frame = silent_frame();
        frame[36..40].copy_from_slice(b"Info");
        frame[43] = 1;
        frame[44..48].copy_from_slice(&frames.to_be_bytes());
        frame[48..52].copy_from_slice(b"Lavc");
        frame[69..72].copy_from_slice(&(delay << 12 | padding).to_be_bytes()[1..]);
        frame
    }

    struct Outcome {
        samples: usize,
        report: DecodeReport,
    }

    fn write(directory: &TempDir, bytes: &[u8]) -> PathBuf {
        let path = directory.path().join("track.mp3");
        fs::write(&path, bytes).unwrap();
        path
    }

    fn decode(bytes: &[u8]) -> Result<Outcome, Rejection> {
        let directory = tempfile::tempdir().unwrap();
        let mut stream = open(&write(&directory, bytes), &Arc::default())?;
        assert_eq!((stream.rate(), stream.channels()), (44_100, 2));
        let mut samples = 0;
        while let Some(block) = stream.next_block()? {
            assert!(!block.is_empty());
            samples += block.len();
        }
        assert!(stream.next_block()?.is_none());
        Ok(Outcome {
            samples,
            report: stream.report()?,
        })
    }

    #[test]
    fn delay_and_padding_are_trimmed_where_the_file_gives_them() {
        // 576 and 1105 as encoders write them; a decoder adds 529 to the one and takes it from the other.
        let file = [info_frame(10, 576, 1105), silent_frame().repeat(10)].concat();
        let outcome = decode(&file).unwrap();
        assert_eq!(outcome.samples, 10 * 1152 - (576 + 529) - (1105 - 529));
        assert_eq!(outcome.report.bad_frames, 0);
        assert_eq!(outcome.report.decoding.decoded_share, 1.0);
        assert_eq!(decode(&silent_frame().repeat(10)).unwrap().samples, 10 * 1152);
    }

    #[test]
    fn the_end_is_kept_where_the_header_counts_otherwise() {
        for promised in [5, 20] {
            let file = [info_frame(promised, 576, 1105), silent_frame().repeat(10)].concat();
            assert_eq!(decode(&file).unwrap().samples, 10 * 1152 - 1105, "{promised}");
        }
    }

    #[test]
    fn the_decoded_share_follows_the_header() {
        let file = [info_frame(40, 0, 0), silent_frame().repeat(10)].concat();
        let report = decode(&file).unwrap().report;
        assert_eq!(
            (report.decoding.expected_frames, report.decoding.decoded_share),
            (40, 0.25)
        );
        assert_eq!(report.bad_frames, 30);
    }

    #[test]
    fn the_decoded_share_follows_the_size_where_there_is_no_header() {
        let noise: Vec<u8> = (0..10 * 417).map(|at| (at * 7 % 251) as u8 & 0x7f).collect();
        let file = [silent_frame().repeat(10), noise, silent_frame().repeat(20)].concat();
        let report = decode(&file).unwrap().report;
        assert_eq!(
            (report.decoding.decoded_frames, report.decoding.expected_frames),
            (30, 40)
        );
        assert_eq!(report.bad_frames, 10);
    }

    #[test]
    fn a_damaged_frame_in_the_middle_is_counted_and_left_out() {
        let mut file = [info_frame(20, 0, 529), silent_frame().repeat(20)].concat();
        // The number of big values in the side information of one frame: more than there is room for.
        file[417 * 10 + 4..417 * 10 + 36].fill(0xff);
        let outcome = decode(&file).unwrap();
        assert_eq!(outcome.report.bad_frames, 1);
        assert_eq!(outcome.samples, 19 * 1152 - 529);
    }

    #[test]
    fn junk_and_tags_around_the_frames_do_no_harm() {
        let mut tag = b"ID3\x03\x00\x00\x00\x00\x01\x00".to_vec();
        tag.resize(138, 0);
        let page = b"<html>moved</html>\n".repeat(3);
        let mut trailer = b"TAG".to_vec();
        trailer.resize(128, b' ');
        let file = [&tag, &page, &silent_frame().repeat(50), &trailer]
            .map(|part| part.as_slice())
            .concat();
        let outcome = decode(&file).unwrap();
        assert_eq!((outcome.samples, outcome.report.bad_frames), (50 * 1152, 0));
    }

    #[test]
    fn each_hopeless_file_has_its_code() {
        let code = |bytes: &[u8]| decode(bytes).map(|outcome| outcome.samples).unwrap_err().code();
        assert_eq!(code(b""), "empty_file");
        assert_eq!(code(&b"<html>404</html>\n".repeat(100)), "not_audio");
        assert_eq!(code(&[7, 190, 3, 0].repeat(1000)), "no_frames");
        assert_eq!(code(b"ID3\x03\x00\x00\x00\x00\x00\x00"), "no_frames");
        let mut layer_2 = silent_frame();
        layer_2[1] = 0xfd;
        layer_2.resize(626, 0);
        layer_2[2] = 0xa0;
        assert_eq!(code(&layer_2.repeat(3)), "unsupported_format");
        let missing = open(Path::new("absent.mp3"), &Arc::default()).map(|_| ()).unwrap_err();
        assert_eq!(missing, Rejection::MissingFile);
        let directory = tempfile::tempdir().unwrap();
        let unreadable = open(directory.path(), &Arc::default()).map(|_| ()).unwrap_err();
        assert_eq!(unreadable.code(), "io_error");
    }

    #[test]
    fn a_header_that_promises_the_moon_reserves_no_memory_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = [info_frame(u32::MAX, 0, 0), silent_frame().repeat(10)].concat();
        let stream = open(&write(&directory, &file), &Arc::default()).unwrap();
        assert!(stream.promised_samples().unwrap() < 1_000_000);
    }
}
