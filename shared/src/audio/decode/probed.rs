//! Everything that is left to Symphonia and has a container: CAF, FLAC, Ogg, MP4, Matroska, ADPCM in WAV, and bare AAC.
//!
//! The first audio track is taken. Encoder delay and padding are trimmed where the container gives them.

use super::container::Container;
use super::downmix::Downmix;
use super::meter::{Meter, MeteredFile};
use super::pcm::ByteOrder;
use super::{AudioStream, DecodeReport, io_rejection, possible_samples, quicktime, silence_non_finite};
use crate::audio::validate::{Rejection, check_format};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::sync::Arc;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::{Error, Result as SymphoniaResult};
use symphonia::core::formats::{FormatOptions, FormatReader, MediaInfo, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase};
use symphonia::default::formats::{AdtsReader, CafReader, FlacReader, IsoMp4Reader, MkvReader, OggReader, WavReader};
use symphonia::default::get_codecs;

/// The audio of a file in a container, decoded as it is asked for.
pub(super) struct ProbedStream {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    container: Container,
    track_id: u32,
    time_base: Option<TimeBase>,
    rate: u32,
    channels: u32,
    bytes: u64,
    /// Samples per channel that the container promises.
    promised: Option<u64>,
    planes: Vec<Vec<f32>>,
    mono: Vec<f32>,
    downmix: Downmix,
    counts: Counts,
    at_end: bool,
    meter: Arc<Meter>,
}

/// Most samples per channel that a packet may be said to hold; codecs have 65,536 at most.
const MAX_PACKET_SAMPLES: u64 = 1 << 20;

/// Samples per channel, and bytes of packets.
#[derive(Default)]
struct Counts {
    decoded: u64,
    failed: u64,
    decoded_bytes: u64,
    non_finite: u64,
}

impl Container {
    fn reader(self, source: MediaSourceStream<'static>) -> SymphoniaResult<Box<dyn FormatReader>> {
        let options = FormatOptions::default();
        Ok(match self {
            Self::Wav => Box::new(WavReader::try_new(source, options)?),
            Self::Caf => Box::new(CafReader::try_new(source, options)?),
            Self::Flac => Box::new(FlacReader::try_new(source, options)?),
            Self::Ogg => Box::new(OggReader::try_new(source, options)?),
            Self::Mp4 => Box::new(IsoMp4Reader::try_new(source, options)?),
            Self::Matroska => Box::new(MkvReader::try_new(source, options)?),
            Self::Adts => Box::new(AdtsReader::try_new(source, options)?),
        })
    }
}

impl ProbedStream {
    /// Reads the header of a file whose container begins at the byte `start`.
    pub(super) fn open(mut file: MeteredFile, start: u64, container: Container) -> Result<Self, Rejection> {
        let (length, meter) = (file.length(), Arc::clone(file.meter()));
        let order = match container {
            Container::Mp4 => quicktime::byte_order(&mut file, start)?,
            _ => None,
        };
        file.seek(SeekFrom::Start(start))
            .map_err(|error| io_rejection(&error))?;
        // Places in a container are counted from its own beginning. And bare AAC must not seek, or Symphonia guesses a
        // length out of its first frames' bit rate.
        let source: Box<dyn MediaSource> = if start > 0 || container == Container::Adts {
            Box::new(ReadOnlySource::new(file))
        } else {
            Box::new(file)
        };
        Self::open_source(source, length - start.min(length), meter, container, order)
    }

    /// The same of any source, of about so many bytes. `order` is that of uncompressed samples, where the container says it
    /// and its reader does not see it.
    pub(super) fn open_source(
        source: Box<dyn MediaSource>,
        bytes: u64,
        meter: Arc<Meter>,
        container: Container,
        order: Option<ByteOrder>,
    ) -> Result<Self, Rejection> {
        let what = container.what();
        let unsupported = |problem: &str| Rejection::UnsupportedFormat(format!("it is {what} that {problem}"));
        let reader = match container.reader(MediaSourceStream::new(source, Default::default())) {
            Ok(reader) => reader,
            Err(Error::IoError(error)) if is_the_systems(&error) => {
                return Err(io_rejection(&error));
            }
            Err(Error::Unsupported(problem)) => return Err(unsupported(&format!("cannot be read: {problem}"))),
            Err(_) => return Err(Rejection::NoFrames),
        };
        let track = reader
            .default_track(TrackType::Audio)
            .or_else(|| reader.first_track(TrackType::Audio))
            .ok_or_else(|| unsupported("has no audio track"))?;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let mut params = params
            .ok_or_else(|| unsupported("has audio of an unknown codec"))?
            .clone();
        params.codec = quicktime::codec_in_order(params.codec, order);
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
        let rate = check_format(params.sample_rate, channels)?;
        // Decoders set aside room for so many samples at once, before they have seen any.
        if let Some(frames) = params
            .max_frames_per_packet
            .filter(|&frames| frames > MAX_PACKET_SAMPLES)
        {
            return Err(unsupported(&format!("says to have {frames} samples in a packet")));
        }
        let decoder = get_codecs()
            .make_audio_decoder(&params, &AudioDecoderOptions::default())
            .map_err(|error| unsupported(&format!("has audio of a codec that is not supported: {error}")))?;
        Ok(Self {
            container,
            track_id: track.id,
            time_base: track.time_base,
            rate,
            channels: channels as u32,
            bytes,
            promised: promised_samples(track, reader.media_info(), rate),
            reader,
            decoder,
            planes: Vec::new(),
            mono: Vec::new(),
            downmix: Downmix::default(),
            counts: Counts::default(),
            at_end: false,
            meter,
        })
    }

    /// Puts a packet's samples into `self.mono`. A packet that does not decode is counted and left out.
    fn decode(&mut self, packet: &Packet) -> Result<(), Rejection> {
        let buffer = match self.decoder.decode(packet) {
            Ok(buffer) => buffer,
            Err(Error::DecodeError(_) | Error::IoError(_)) => {
                self.counts.failed += samples_in(packet, self.time_base, self.rate);
                return Ok(());
            }
            Err(_) => {
                self.at_end = true;
                return Ok(());
            }
        };
        let (rate, channels) = (buffer.spec().rate(), buffer.num_planes());
        if (rate, channels) != (self.rate, self.channels as usize) {
            return Err(Rejection::UnsupportedFormat(format!(
                "its header says {} Hz and {} channels, and its audio has {rate} Hz and {channels} channels",
                self.rate, self.channels
            )));
        }
        buffer.copy_to_vecs_planar(&mut self.planes);
        self.counts.decoded += buffer.frames() as u64;
        self.counts.decoded_bytes += packet.data.len() as u64;
        self.downmix.planar(&self.planes, &mut self.mono);
        self.counts.non_finite += silence_non_finite(&mut self.mono);
        Ok(())
    }

    /// Samples per channel that there should be.
    fn expected(&self) -> u64 {
        let seen = self.counts.decoded + self.counts.failed;
        let promised = match self.container {
            // Nothing counts its frames, and the reader passes over what is none: as many as the file has room for.
            Container::Adts => {
                let room = u128::from(self.bytes) * u128::from(self.counts.decoded);
                // Headers are no part of packets.
                let headers = (self.counts.decoded / 1024).saturating_mul(9);
                let each = u128::from((self.counts.decoded_bytes + headers).max(1));
                Some(u64::try_from(room / each).unwrap_or(u64::MAX))
            }
            _ => self.promised,
        };
        promised.unwrap_or(0).max(seen)
    }
}

/// Whether the operating system failed, rather than the reader, which runs over the end of a damaged file, and is sent to
/// places that no file has.
fn is_the_systems(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != ErrorKind::InvalidInput
}

/// Samples per channel in a packet that does not decode, at least one.
fn samples_in(packet: &Packet, time_base: Option<TimeBase>, rate: u32) -> u64 {
    let ticks = packet.dur.get();
    let samples = time_base.map_or(ticks, |base| samples_of(ticks, base, rate));
    // A damaged duration must not make the sum of them overflow.
    samples.clamp(1, u64::from(u32::MAX))
}

fn samples_of(ticks: u64, base: TimeBase, rate: u32) -> u64 {
    let samples = u128::from(ticks) * u128::from(base.numer.get()) * u128::from(rate) / u128::from(base.denom.get());
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// What the header says of the length: a count of samples, or the duration of the track, or, in Matroska, of the whole.
/// Durations are rounded, and some count an encoder's delay: a hundredth less is promised, so that a whole file is whole.
fn promised_samples(track: &Track, media: &MediaInfo, rate: u32) -> Option<u64> {
    let of_duration = |duration: Option<Duration>, base: Option<TimeBase>| {
        let samples = samples_of(duration?.get(), base?, rate);
        Some(samples - samples.div_ceil(100))
    };
    track
        .num_frames
        .or_else(|| of_duration(track.duration, track.time_base))
        .or_else(|| of_duration(media.duration, media.time_base))
}

impl AudioStream for ProbedStream {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn channels(&self) -> u32 {
        self.channels
    }

    fn promised_samples(&self) -> Option<u64> {
        let possible = possible_samples(self.bytes, self.rate);
        self.promised.map(|samples| samples.min(possible))
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
        self.mono.clear();
        while !self.at_end && self.mono.is_empty() {
            self.meter.begin_packet()?;
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => self.decode(&packet)?,
                Ok(Some(_)) => {}
                Ok(None) => self.at_end = true,
                Err(Error::IoError(error)) if is_the_systems(&error) => {
                    return Err(io_rejection(&error));
                }
                Err(Error::ResetRequired) => {
                    return Err(Rejection::UnsupportedFormat(format!(
                        "it is {} of several pieces, one after another",
                        self.container.what()
                    )));
                }
                // Where the file was cut off, and where the reader cannot find its way any more.
                Err(_) => self.at_end = true,
            }
        }
        Ok((!self.mono.is_empty()).then_some(self.mono.as_slice()))
    }

    fn report(&self) -> Result<DecodeReport, Rejection> {
        DecodeReport::new(
            self.counts.decoded,
            self.expected(),
            self.counts.non_finite,
            &self.downmix,
        )
    }
}
