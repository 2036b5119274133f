//! Opens the audio track of a container, with Symphonia's reader or with our own for Matroska.

use super::container::Container;
use super::matroska::{MatroskaError, MatroskaReader};
use super::meter::MeteredFile;
use super::mp4_edits::{self, Edits, TrackEdits};
use super::pcm::ByteOrder;
use super::quicktime;
use super::section::Section;
use super::window::Window;
use crate::audio::validate::Rejection;
use std::io::{self, ErrorKind};
use std::ops::Range;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::errors::{Error, Result as SymphoniaResult};
use symphonia::core::formats::{FormatOptions, FormatReader, MediaInfo, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::RawValue;
use symphonia::core::units::{Duration, TimeBase};
use symphonia::default::formats::{CafReader, FlacReader, IsoMp4Reader, OggReader, WavReader};

/// Source of packets.
pub(super) enum Reader {
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
            Self::Matroska => unreachable!("Matroska has its own reader"),
        })
    }

    /// The rejection of a file in this container; `problem` completes "it is a … file that".
    pub(super) fn unsupported(self, problem: &str) -> Rejection {
        Rejection::UnsupportedFormat(format!("it is {} that {problem}", self.name_with_article()))
    }
}

/// An audio track, and the reader that gives its packets.
pub(super) struct TrackSource {
    pub reader: Reader,
    pub track_id: u32,
    pub params: AudioCodecParameters,
    pub time_base: Option<TimeBase>,
    /// Samples per channel that the container states.
    pub promised: Option<u64>,
    /// Range of samples of the track that is played.
    pub played: Option<Range<u64>>,
}

impl TrackSource {
    /// Reads the header of the container in this range of the file.
    pub(super) fn open(file: MeteredFile, range: Range<u64>, container: Container) -> Result<Self, Rejection> {
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
            Container::Mp4 => mp4_edits::read(&mut window, range.clone())?,
            _ => Vec::new(),
        };
        let mut file = window.into_file();
        let order = match container {
            Container::Mp4 => quicktime::byte_order(&mut file, range.start)?,
            _ => None,
        };
        let source = Section::new(file, range)?;
        Self::probe(Box::new(source), container, &edits, order)
    }

    /// Reads the header of a container that Symphonia supports. `order` is the byte order of uncompressed samples if
    /// the container states it and Symphonia ignores it.
    pub(super) fn probe(
        source: Box<dyn MediaSource>,
        container: Container,
        edits: &[TrackEdits],
        order: Option<ByteOrder>,
    ) -> Result<Self, Rejection> {
        let mut reader = match container.reader(MediaSourceStream::new(source, Default::default())) {
            Ok(reader) => reader,
            Err(Error::IoError(error)) if is_os_error(&error) => {
                return Err(error.into());
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
                    "has an edit list with several parts, which is not supported; convert it, for example to FLAC",
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

/// The audio track of a file that Symphonia has opened.
pub(super) fn audio_track(
    reader: &dyn FormatReader,
    container: Container,
) -> Result<(&Track, AudioCodecParameters), Rejection> {
    let track = reader
        .default_track(TrackType::Audio)
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| container.unsupported("has no audio track"))?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| container.unsupported("has audio of an unknown codec"))?;
    Ok((track, params.clone()))
}

pub(super) fn matroska_rejection(error: MatroskaError, container: Container) -> Rejection {
    match error {
        MatroskaError::Io(error) => error.into(),
        MatroskaError::NoAudio => Rejection::NoFrames,
        MatroskaError::Unsupported(problem) => container.unsupported(&problem),
    }
}

/// The range of samples that is played, from the tag `iTunSMPB` of iTunes.
fn itunes_gapless(reader: &mut dyn FormatReader) -> Option<Range<u64>> {
    let metadata = reader.metadata();
    let tags = &metadata.current()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    match &tag.raw.value {
        RawValue::String(text) => mp4_edits::itunes_gapless(text),
        _ => None,
    }
}

/// Whether this is an error of the operating system. The reader itself returns errors if it reads past the end of a
/// damaged file or seeks to an invalid position.
pub(super) fn is_os_error(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != ErrorKind::InvalidInput
}

pub(super) fn samples_of(ticks: u64, base: TimeBase, rate: u32) -> u64 {
    let samples = u128::from(ticks) * u128::from(base.numer.get()) * u128::from(rate) / u128::from(base.denom.get());
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// Subtracts 1 %, because durations are rounded and some include the encoder delay.
pub(super) fn minus_one_percent(samples: u64) -> u64 {
    samples - samples.div_ceil(100)
}

/// The length that the header states: the number of samples, or else the duration of the track or of the file.
pub(super) fn promised_samples(track: &Track, media: &MediaInfo, rate: u32) -> Option<u64> {
    let of_duration = |duration: Option<Duration>, base: Option<TimeBase>| {
        Some(minus_one_percent(samples_of(duration?.get(), base?, rate)))
    };
    track
        .num_frames
        .or_else(|| of_duration(track.duration, track.time_base))
        .or_else(|| of_duration(media.duration, media.time_base))
}
