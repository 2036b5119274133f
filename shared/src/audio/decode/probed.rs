//! Files with a container: what Symphonia reads (CAF, FLAC, Ogg, MP4, ADPCM in WAV), and Matroska.
//!
//! The first audio track is taken. Encoder delay and padding are trimmed where the container gives them.

use super::aac::{EXAMINED_PACKETS, HIGH_EFFICIENCY, SbrDetector};
use super::codec;
use super::container::Container;
use super::downmix::Downmix;
use super::frames::FrameHeader;
use super::matroska::{MatroskaError, MatroskaReader};
use super::meter::{Meter, MeteredFile};
use super::mp4_edits::{self, Edits, TrackEdits};
use super::mpeg;
use super::mpeg_header::MpegHeader;
use super::pcm::ByteOrder;
use super::section::Section;
use super::window::Window;
use super::{AudioStream, DecodeReport, io_rejection, possible_samples, quicktime, silence_non_finite};
use crate::audio::validate::{Rejection, check_format};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::Arc;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::{Error, Result as SymphoniaResult};
use symphonia::core::formats::{FormatOptions, FormatReader, MediaInfo, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::RawValue;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase};
use symphonia::default::formats::{CafReader, FlacReader, IsoMp4Reader, OggReader, WavReader};
use symphonia::default::get_codecs;

/// The audio of a file in a container, decoded as it is asked for.
pub(super) struct ProbedStream {
    reader: Reader,
    decoder: Box<dyn AudioDecoder>,
    container: Container,
    track_id: u32,
    time_base: Option<TimeBase>,
    rate: u32,
    /// 0 until the first packet has been decoded, if the container does not say it.
    channels: u32,
    bytes: u64,
    /// Samples per channel that the container promises.
    promised: Option<u64>,
    /// Samples that are played, by their place in the track.
    played: Option<Range<u64>>,
    /// Packets that were looked at before the first was decoded.
    ahead: VecDeque<Packet>,
    planes: Vec<Vec<f32>>,
    mono: Vec<f32>,
    /// Samples behind the end that the container gives. They are played where another file follows in the same one, as
    /// players do.
    tail: Vec<f32>,
    /// Whether the next packet is the first, of the file or of another behind it.
    begins: bool,
    /// Whether `mono` has been decoded and not handed out.
    is_ready: bool,
    downmix: Downmix,
    counts: Counts,
    at_end: bool,
    meter: Arc<Meter>,
}

/// Most samples per channel that a packet may be said to hold; codecs have 65,536 at most.
const MAX_PACKET_SAMPLES: u64 = 1 << 20;

/// Samples per channel.
#[derive(Default)]
struct Counts {
    decoded: u64,
    failed: u64,
    non_finite: u64,
    /// In the packet that was decoded last.
    last_packet: u64,
}

/// Where packets come from.
enum Reader {
    Symphonia(Box<dyn FormatReader>),
    Matroska(Box<MatroskaReader>),
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
            Self::Matroska => unreachable!("it has a reader of its own"),
        })
    }

    fn unsupported(self, problem: &str) -> Rejection {
        Rejection::UnsupportedFormat(format!("it is {} that {problem}", self.what()))
    }
}

/// The audio track of a file that Symphonia reads.
fn audio_track(reader: &dyn FormatReader, container: Container) -> Result<(&Track, AudioCodecParameters), Rejection> {
    let track = reader
        .default_track(TrackType::Audio)
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| container.unsupported("has no audio track"))?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| container.unsupported("has audio of an unknown codec"))?;
    Ok((track, params.clone()))
}

fn decoder(params: &AudioCodecParameters, container: Container) -> Result<Box<dyn AudioDecoder>, Rejection> {
    if let Some(problem) = codec::unsupported(params) {
        return Err(container.unsupported(&problem));
    }
    // Decoders set aside room for so many samples at once, before they have seen any.
    if let Some(frames) = params
        .max_frames_per_packet
        .filter(|&frames| frames > MAX_PACKET_SAMPLES)
    {
        return Err(container.unsupported(&format!("says to have {frames} samples in a packet")));
    }
    get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|_| {
            container.unsupported("has audio of a codec that is not supported; convert it, to FLAC for example")
        })
}

/// An audio track, and the reader that gives its packets.
struct Source {
    reader: Reader,
    track_id: u32,
    params: AudioCodecParameters,
    time_base: Option<TimeBase>,
    promised: Option<u64>,
    played: Option<Range<u64>>,
}

impl Source {
    fn open(file: MeteredFile, range: Range<u64>, container: Container) -> Result<Self, Rejection> {
        let failed = |error: io::Error| io_rejection(&error);
        if container == Container::Matroska {
            let reader = MatroskaReader::open(file, range).map_err(|error| matroska_rejection(error, container))?;
            return Ok(Self {
                track_id: 0,
                params: reader.track().params.clone(),
                time_base: None,
                promised: None,
                played: None,
                reader: Reader::Matroska(Box::new(reader)),
            });
        }
        let mut window = Window::new(file, range.end);
        let edits = match container {
            Container::Mp4 => mp4_edits::read(&mut window, range.clone()).map_err(failed)?,
            _ => Vec::new(),
        };
        let mut file = window.into_file();
        let order = match container {
            Container::Mp4 => quicktime::byte_order(&mut file, range.start)?,
            _ => None,
        };
        let source = Section::new(file, range).map_err(failed)?;
        Self::of_media(Box::new(source), container, &edits, order)
    }

    /// `order` is that of uncompressed samples, where the container says it and its reader does not see it.
    fn of_media(
        source: Box<dyn MediaSource>,
        container: Container,
        edits: &[TrackEdits],
        order: Option<ByteOrder>,
    ) -> Result<Self, Rejection> {
        let mut reader = match container.reader(MediaSourceStream::new(source, Default::default())) {
            Ok(reader) => reader,
            Err(Error::IoError(error)) if is_the_systems(&error) => {
                return Err(io_rejection(&error));
            }
            Err(Error::Unsupported(problem)) => {
                return Err(container.unsupported(&format!("cannot be read: {problem}")));
            }
            Err(_) => return Err(Rejection::NoFrames),
        };
        let gapless = itunes_gapless(reader.as_mut());
        let (track, mut params) = audio_track(reader.as_ref(), container)?;
        params.codec = quicktime::codec_in_order(params.codec, order);
        let rate = params.sample_rate.unwrap_or(0);
        let played = match edits
            .iter()
            .find(|edits| edits.track_id == track.id)
            .map(|edits| edits.played(rate))
        {
            Some(Some(Edits::Part(played))) => Some(played),
            Some(Some(Edits::Several)) => {
                return Err(container.unsupported(
                    "plays several parts of its audio, which is not supported; convert it, to FLAC for example",
                ));
            }
            Some(None) | None => gapless,
        };
        Ok(Self {
            track_id: track.id,
            time_base: track.time_base,
            promised: promised_samples(track, reader.media_info(), rate),
            params,
            played,
            reader: Reader::Symphonia(reader),
        })
    }
}

impl ProbedStream {
    /// Reads the header of a file whose container is in this range of it, and its first packets.
    pub(super) fn open(file: MeteredFile, range: Range<u64>, container: Container) -> Result<Self, Rejection> {
        let (bytes, meter) = (range.end - range.start, Arc::clone(file.meter()));
        Self::of_source(Source::open(file, range, container)?, bytes, meter, container)
    }

    /// The same of anything else that Symphonia reads, of about so many bytes.
    pub(super) fn open_source(
        source: Box<dyn MediaSource>,
        bytes: u64,
        meter: Arc<Meter>,
        container: Container,
    ) -> Result<Self, Rejection> {
        Self::of_source(Source::of_media(source, container, &[], None)?, bytes, meter, container)
    }

    fn of_source(source: Source, bytes: u64, meter: Arc<Meter>, container: Container) -> Result<Self, Rejection> {
        let params = &source.params;
        let decoder = decoder(params, container)?;
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
        let is_aac = params.codec == CODEC_ID_AAC;
        let is_mpeg = matches!(params.codec, CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3);
        let mut stream = Self {
            // Until a packet says how many there are, one stands for those that the container does not tell.
            rate: check_format(params.sample_rate, channels.max(1))?,
            decoder,
            reader: source.reader,
            container,
            track_id: source.track_id,
            time_base: source.time_base,
            channels: channels as u32,
            bytes,
            promised: source.promised,
            played: source.played,
            ahead: VecDeque::new(),
            planes: Vec::new(),
            mono: Vec::new(),
            tail: Vec::new(),
            begins: true,
            is_ready: false,
            downmix: Downmix::default(),
            counts: Counts::default(),
            at_end: false,
            meter,
        };
        if is_aac {
            stream.refuse_high_efficiency()?;
        }
        if is_mpeg {
            stream.choose_layer()?;
        }
        stream.fill()?;
        stream.is_ready = true;
        Ok(stream)
    }

    /// Looks at the first packets of AAC, which are decoded later.
    fn refuse_high_efficiency(&mut self) -> Result<(), Rejection> {
        /// Packets of AAC have hundreds of bytes.
        const MAX_BYTES: usize = 1 << 20;
        let mut sbr = SbrDetector::default();
        let mut bytes = 0;
        while self.ahead.len() < EXAMINED_PACKETS
            && bytes < MAX_BYTES
            && let Some(packet) = self.read_packet()?
        {
            sbr.examine(&packet.data);
            bytes += packet.data.len();
            self.ahead.push_back(packet);
        }
        match sbr.is_high_efficiency() {
            true => Err(self.container.unsupported(HIGH_EFFICIENCY)),
            false => Ok(()),
        }
    }

    /// Makes a decoder for the layer of the first packet of MPEG audio. MP4 has one name for all layers.
    fn choose_layer(&mut self) -> Result<(), Rejection> {
        if let Some(packet) = self.read_packet()? {
            if let Some(header) = MpegHeader::parse(&packet.data) {
                self.decoder = Box::new(mpeg::decoder(&header)?);
            }
            self.ahead.push_back(packet);
        }
        Ok(())
    }

    /// Decodes packets until there are samples, or the end.
    fn fill(&mut self) -> Result<(), Rejection> {
        self.mono.clear();
        while self.mono.is_empty() {
            let next = match self.ahead.pop_front() {
                Some(packet) => Some(packet),
                None => self.read_packet()?,
            };
            match next {
                Some(packet) => self.decode(packet)?,
                None => break,
            }
        }
        Ok(())
    }

    /// The next packet of the track. None at the end, where the file was cut off, and where the reader cannot find its way
    /// any more.
    fn read_packet(&mut self) -> Result<Option<Packet>, Rejection> {
        while !self.at_end {
            self.meter.begin_packet()?;
            let next = match &mut self.reader {
                Reader::Symphonia(reader) => reader.next_packet(),
                Reader::Matroska(reader) => {
                    let next = reader.next_packet();
                    Ok(next.map_err(|error| matroska_rejection(error, self.container))?)
                }
            };
            match next {
                Ok(Some(packet)) if packet.track_id == self.track_id => {
                    if std::mem::take(&mut self.begins) && self.container == Container::Ogg {
                        // Ogg counts to the end from a beginning that need not be 0, as in a piece of a longer recording.
                        let begin = packet.pts.get().saturating_add_unsigned(packet.trim_start.get());
                        let before = u64::try_from(begin).unwrap_or(0);
                        self.promised = self.promised.map(|end| end.saturating_sub(before));
                    }
                    return Ok(Some(packet));
                }
                Ok(Some(_)) => {}
                Err(Error::IoError(error)) if is_the_systems(&error) => {
                    return Err(io_rejection(&error));
                }
                Err(Error::ResetRequired) => self.begin_link()?,
                Ok(None) | Err(_) => self.at_end = true,
            }
        }
        Ok(None)
    }

    /// Another file begins behind the first, as Ogg allows. It must have the same rate and channels.
    fn begin_link(&mut self) -> Result<(), Rejection> {
        let Reader::Symphonia(reader) = &self.reader else {
            return Ok(());
        };
        let (track, params) = audio_track(reader.as_ref(), self.container)?;
        let rate = params.sample_rate.unwrap_or(0);
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count()) as u32;
        if (rate, channels) != (self.rate, self.channels) {
            return Err(self.container.unsupported(&format!(
                "has several pieces, one with {} Hz and {} channels and one with {rate} Hz and {channels} channels; convert it, \
                 to FLAC for example",
                self.rate, self.channels
            )));
        }
        self.decoder = decoder(&params, self.container)?;
        (self.track_id, self.time_base, self.begins) = (track.id, track.time_base, true);
        let promised = promised_samples(track, reader.media_info(), rate);
        self.promised = self
            .promised
            .zip(promised)
            .map(|(before, more)| before.saturating_add(more));
        Ok(())
    }

    /// Puts a packet's samples into `self.mono`. A packet that does not decode is counted and left out.
    fn decode(&mut self, mut packet: Packet) -> Result<(), Rejection> {
        let behind_end = std::mem::replace(&mut packet.trim_end, Duration::ZERO);
        // A decoder may take an empty packet for silence; Matroska's are those that could not be unpacked.
        let is_lost = packet.data.is_empty() && matches!(self.reader, Reader::Matroska(_));
        let decoded = match is_lost {
            true => Err(Error::DecodeError("an empty packet")),
            false => self.decoder.decode(&packet),
        };
        let buffer = match decoded {
            Ok(buffer) => buffer,
            Err(Error::DecodeError(_) | Error::IoError(_)) => {
                // Matroska does not give the length of most packets.
                let samples = match packet.dur.get() {
                    0 => self.counts.last_packet,
                    ticks => self.time_base.map_or(ticks, |base| samples_of(ticks, base, self.rate)),
                };
                // A damaged duration must not make the sum of them overflow.
                self.counts.failed += samples.clamp(1, u64::from(u32::MAX));
                return Ok(());
            }
            Err(_) => {
                self.at_end = true;
                return Ok(());
            }
        };
        let (rate, channels) = (buffer.spec().rate(), buffer.num_planes());
        if self.channels == 0 {
            check_format(Some(rate), channels)?;
            self.channels = channels as u32;
        }
        if (rate, channels) != (self.rate, self.channels as usize) {
            return Err(Rejection::UnsupportedFormat(format!(
                "its header says {} Hz and {} channels, and its audio has {rate} Hz and {channels} channels",
                self.rate, self.channels
            )));
        }
        buffer.copy_to_vecs_planar(&mut self.planes);
        let frames = buffer.frames();
        let trimmed = usize::try_from(behind_end.get()).unwrap_or(usize::MAX).min(frames);
        self.counts.last_packet = frames as u64;
        self.counts.decoded += (frames - trimmed) as u64;
        self.downmix.planar(&self.planes, &mut self.mono);
        self.counts.non_finite += silence_non_finite(&mut self.mono);
        let tail = self.mono.split_off(frames - trimmed);
        self.mono.splice(..0, std::mem::replace(&mut self.tail, tail));
        if let Some((played, base)) = self.played.clone().zip(self.time_base) {
            let begin = samples_of(u64::try_from(packet.pts.get()).unwrap_or(0), base, self.rate);
            let inside = |place: u64| usize::try_from(place.saturating_sub(begin)).unwrap_or(usize::MAX);
            self.mono.truncate(inside(played.end));
            self.mono.drain(..inside(played.start).min(self.mono.len()));
        }
        Ok(())
    }

    /// Samples per channel that there should be.
    fn expected(&self) -> u64 {
        let seen = self.counts.decoded + self.counts.failed;
        let promised = match &self.reader {
            Reader::Matroska(reader) if self.promised().is_none() => (seen as f64 / reader.share()) as u64,
            _ => self.promised().unwrap_or(0),
        };
        promised.max(seen)
    }

    fn promised(&self) -> Option<u64> {
        match &self.reader {
            Reader::Matroska(reader) => {
                let seconds = reader.promised_seconds()?;
                Some(rounded((seconds * f64::from(self.rate)) as u64))
            }
            Reader::Symphonia(_) => self.promised,
        }
    }
}

fn matroska_rejection(error: MatroskaError, container: Container) -> Rejection {
    match error {
        MatroskaError::Io(error) => io_rejection(&error),
        MatroskaError::NoAudio => Rejection::NoFrames,
        MatroskaError::Unsupported(problem) => container.unsupported(&problem),
    }
}

/// The samples that are played, as a tag of iTunes says.
fn itunes_gapless(reader: &mut dyn FormatReader) -> Option<Range<u64>> {
    let metadata = reader.metadata();
    let tags = &metadata.current()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    match &tag.raw.value {
        RawValue::String(text) => mp4_edits::itunes_gapless(text),
        _ => None,
    }
}

/// Whether the operating system failed, rather than the reader, which runs over the end of a damaged file, and is sent to
/// places that no file has.
fn is_the_systems(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != ErrorKind::InvalidInput
}

fn samples_of(ticks: u64, base: TimeBase, rate: u32) -> u64 {
    let samples = u128::from(ticks) * u128::from(base.numer.get()) * u128::from(rate) / u128::from(base.denom.get());
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// Durations are rounded, and some count an encoder's delay: a hundredth less is promised, so that a whole file is whole.
fn rounded(samples: u64) -> u64 {
    samples - samples.div_ceil(100)
}

/// What the header says of the length: a count of samples, or the duration of the track, or of the whole.
fn promised_samples(track: &Track, media: &MediaInfo, rate: u32) -> Option<u64> {
    let of_duration =
        |duration: Option<Duration>, base: Option<TimeBase>| Some(rounded(samples_of(duration?.get(), base?, rate)));
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
        self.promised().map(|samples| samples.min(possible))
    }

    fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
        if !std::mem::take(&mut self.is_ready) {
            self.fill()?;
        }
        Ok((!self.mono.is_empty()).then_some(self.mono.as_slice()))
    }

    fn report(&self) -> Result<DecodeReport, Rejection> {
        // The reader gives up somewhere in the second of several files.
        if self.container == Container::Flac && self.promised.is_some_and(|promised| self.counts.decoded > promised) {
            return Err(self.container.unsupported(
                "has more audio than its header says, as if files were joined; convert it, to FLAC for example",
            ));
        }
        DecodeReport::new(
            self.counts.decoded,
            self.expected(),
            self.counts.non_finite,
            &self.downmix,
        )
    }
}
