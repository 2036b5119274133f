//! Decodes files with a container: CAF, FLAC, Ogg, MP4 and ADPCM in WAV, which Symphonia reads, and Matroska.
//!
//! Only the first audio track is decoded. Encoder delay and padding are trimmed if the container states them.

use super::aac::{EXAMINED_PACKETS, HIGH_EFFICIENCY, SbrDetector};
use super::container::Container;
use super::downmix::Downmix;
use super::frames::FrameHeader;
use super::meter::{Meter, MeteredFile};
use super::mpeg;
use super::mpeg_header::MpegHeader;
use super::stream::{AudioStream, DecodeReport, possible_samples, silence_non_finite};
use super::track_source::{
    Reader, TrackSource, audio_track, is_os_error, matroska_rejection, minus_one_percent, promised_samples, samples_of,
};
use super::unsupported::unsupported_codec;
use crate::audio::validate::{Rejection, check_format};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::io::MediaSource;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;
use symphonia::default::get_codecs;

/// The audio of a file with a container, decoded lazily.
pub(super) struct ProbedStream {
    reader: Reader,
    decoder: Box<dyn AudioDecoder>,
    container: Container,
    track_id: u32,
    time_base: Option<TimeBase>,
    rate: u32,
    /// 0 until the first packet has been decoded if the container does not state it.
    channels: u32,
    bytes: u64,
    /// Samples per channel that the container states.
    promised: Option<u64>,
    /// Range of samples of the track that is played.
    played: Option<Range<u64>>,
    /// Packets that were examined before the first was decoded.
    ahead: VecDeque<Packet>,
    planes: Vec<Vec<f32>>,
    mono: Vec<f32>,
    /// Whether the next packet is the first of the file, or of a file appended to it.
    at_beginning: bool,
    /// Whether `mono` has been decoded but not returned.
    is_ready: bool,
    downmix: Downmix,
    counts: Counts,
    at_end: bool,
    meter: Arc<Meter>,
}

/// Maximum samples per channel that a container may state for a packet; codecs have at most 65,536.
const MAX_PACKET_SAMPLES: u64 = 1 << 20;

/// Samples per channel.
#[derive(Default)]
struct Counts {
    decoded: u64,
    failed: u64,
    non_finite: u64,
    /// Samples in the packet that was decoded last.
    last_packet: u64,
}

fn decoder(params: &AudioCodecParameters, container: Container) -> Result<Box<dyn AudioDecoder>, Rejection> {
    if let Some(problem) = unsupported_codec(params) {
        return Err(container.unsupported(&problem));
    }
    // Decoders allocate this many samples up front.
    if let Some(frames) = params
        .max_frames_per_packet
        .filter(|&frames| frames > MAX_PACKET_SAMPLES)
    {
        return Err(container.unsupported(&format!("claims to have {frames} samples per packet")));
    }
    get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|_| {
            container.unsupported("has audio of a codec that is not supported; convert it, for example to FLAC")
        })
}

impl ProbedStream {
    /// Opens the container in this range of the file.
    pub(super) fn open(file: MeteredFile, range: Range<u64>, container: Container) -> Result<Self, Rejection> {
        let (bytes, meter) = (range.end - range.start, Arc::clone(file.meter()));
        Self::start(TrackSource::open(file, range, container)?, bytes, meter, container)
    }

    /// Opens another source that Symphonia reads, of about this many bytes.
    pub(super) fn open_source(
        source: Box<dyn MediaSource>,
        bytes: u64,
        meter: Arc<Meter>,
        container: Container,
    ) -> Result<Self, Rejection> {
        Self::start(
            TrackSource::probe(source, container, &[], None)?,
            bytes,
            meter,
            container,
        )
    }

    /// Reads the first packets of a track.
    fn start(source: TrackSource, bytes: u64, meter: Arc<Meter>, container: Container) -> Result<Self, Rejection> {
        let params = &source.params;
        let decoder = decoder(params, container)?;
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
        let is_aac = params.codec == CODEC_ID_AAC;
        let is_mpeg = matches!(params.codec, CODEC_ID_MP1 | CODEC_ID_MP2 | CODEC_ID_MP3);
        let mut stream = Self {
            // An unknown number of channels is checked once the first packet has been decoded.
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
            at_beginning: true,
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

    /// Refuses AAC whose first packets have SBR, and queues these packets for decoding.
    fn refuse_high_efficiency(&mut self) -> Result<(), Rejection> {
        /// AAC packets have some hundred bytes.
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

    /// Creates the decoder for the MPEG audio layer of the first packet, because MP4 has one codec name for all layers.
    fn choose_layer(&mut self) -> Result<(), Rejection> {
        if let Some(packet) = self.read_packet()? {
            if let Some(header) = MpegHeader::parse(&packet.data) {
                self.decoder = Box::new(mpeg::symphonia_decoder(&header)?);
            }
            self.ahead.push_back(packet);
        }
        Ok(())
    }

    /// Decodes packets until there are samples or the file ends.
    fn fill(&mut self) -> Result<(), Rejection> {
        self.mono.clear();
        while self.mono.is_empty() {
            let next = match self.ahead.pop_front() {
                Some(packet) => Some(packet),
                None => self.read_packet()?,
            };
            match next {
                Some(packet) => self.decode(&packet)?,
                None => break,
            }
        }
        Ok(())
    }

    /// The next packet of the track. `None` at the end, or if the reader cannot continue in a truncated or damaged
    /// file.
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
                    if std::mem::take(&mut self.at_beginning) && self.container == Container::Ogg {
                        // The timestamps of an Ogg file need not begin at 0, for example in a part of a longer
                        // recording.
                        let begin = packet.pts.get().saturating_add_unsigned(packet.trim_start.get());
                        let before = u64::try_from(begin).unwrap_or(0);
                        self.promised = self.promised.map(|end| end.saturating_sub(before));
                    }
                    return Ok(Some(packet));
                }
                Ok(Some(_)) => {}
                Err(Error::IoError(error)) if is_os_error(&error) => {
                    return Err(error.into());
                }
                Err(Error::ResetRequired) => self.begin_link()?,
                Ok(None) | Err(_) => self.at_end = true,
            }
        }
        Ok(None)
    }

    /// Continues with a file that is appended to the first, as Ogg allows. It must have the same rate and channels.
    fn begin_link(&mut self) -> Result<(), Rejection> {
        let Reader::Symphonia(reader) = &self.reader else {
            return Ok(());
        };
        let (track, params) = audio_track(reader.as_ref(), self.container)?;
        let rate = params.sample_rate.unwrap_or(0);
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count()) as u32;
        if (rate, channels) != (self.rate, self.channels) {
            return Err(self.container.unsupported(&format!(
                "has several parts, one with {} Hz and {} channels and one with {rate} Hz and {channels} channels; convert it, \
                 for example to FLAC",
                self.rate, self.channels
            )));
        }
        self.decoder = decoder(&params, self.container)?;
        (self.track_id, self.time_base, self.at_beginning) = (track.id, track.time_base, true);
        let promised = promised_samples(track, reader.media_info(), rate);
        self.promised = self
            .promised
            .zip(promised)
            .map(|(before, more)| before.saturating_add(more));
        Ok(())
    }

    /// Decodes a packet into `self.mono`. A packet that does not decode is counted and skipped.
    fn decode(&mut self, packet: &Packet) -> Result<(), Rejection> {
        // An empty Matroska packet is one that did not decompress; a decoder might take it for silence.
        let is_lost = packet.data.is_empty() && matches!(self.reader, Reader::Matroska(_));
        let decoded = match is_lost {
            true => Err(Error::DecodeError("an empty packet")),
            false => self.decoder.decode(packet),
        };
        let buffer = match decoded {
            Ok(buffer) => buffer,
            Err(Error::DecodeError(_) | Error::IoError(_)) => {
                // Matroska does not give the length of most packets.
                let samples = match packet.dur.get() {
                    0 => self.counts.last_packet,
                    ticks => self.time_base.map_or(ticks, |base| samples_of(ticks, base, self.rate)),
                };
                // Clamped, so a damaged duration cannot overflow the sum.
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
                "its header states {} Hz and {} channels, but its audio has {rate} Hz and {channels} channels",
                self.rate, self.channels
            )));
        }
        buffer.copy_to_vecs_planar(&mut self.planes);
        self.counts.last_packet = buffer.frames() as u64;
        self.counts.decoded += self.counts.last_packet;
        self.downmix.planar(&self.planes, &mut self.mono);
        self.counts.non_finite += silence_non_finite(&mut self.mono);
        if let Some((played, base)) = self.played.clone().zip(self.time_base) {
            let begin = samples_of(u64::try_from(packet.pts.get()).unwrap_or(0), base, self.rate);
            let offset = |position: u64| usize::try_from(position.saturating_sub(begin)).unwrap_or(usize::MAX);
            self.mono.truncate(offset(played.end));
            self.mono.drain(..offset(played.start).min(self.mono.len()));
        }
        Ok(())
    }

    /// Samples per channel that the file should have.
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
                Some(minus_one_percent((seconds * f64::from(self.rate)) as u64))
            }
            Reader::Symphonia(_) => self.promised,
        }
    }
}

impl AudioStream for ProbedStream {
    fn codec(&self) -> &'static str {
        self.decoder.codec_info().short_name
    }

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
        // Symphonia's reader fails somewhere inside the second of two joined FLAC files.
        if self.container == Container::Flac && self.promised.is_some_and(|promised| self.counts.decoded > promised) {
            return Err(self.container.unsupported(
                "has more audio than its header states, as if files were joined; convert it, for example to FLAC",
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
