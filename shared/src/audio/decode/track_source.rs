//! The audio track of a container, and the reader that gives its packets: Symphonia's, or ours for Matroska.

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

/// Where packets come from.
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
            Self::Matroska => unreachable!("it has a reader of its own"),
        })
    }

    /// The rejection of a file of this kind that has a problem.
    pub(super) fn unsupported(self, problem: &str) -> Rejection {
        Rejection::UnsupportedFormat(format!("it is {} that {problem}", self.what()))
    }
}

/// An audio track, and the reader that gives its packets.
pub(super) struct TrackSource {
    pub reader: Reader,
    pub track_id: u32,
    pub params: AudioCodecParameters,
    pub time_base: Option<TimeBase>,
    /// Samples per channel that the container promises.
    pub promised: Option<u64>,
    /// Samples that are played, by their place in the track.
    pub played: Option<Range<u64>>,
}

impl TrackSource {
    /// Reads the header of a file whose container is in this range of it.
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

    /// Reads the header of a container that Symphonia reads. `order` is that of the bytes in uncompressed samples, where the
    /// container says it and Symphonia does not see it.
    pub(super) fn probe(
        source: Box<dyn MediaSource>,
        container: Container,
        edits: &[TrackEdits],
        order: Option<ByteOrder>,
    ) -> Result<Self, Rejection> {
        let mut reader = match container.reader(MediaSourceStream::new(source, Default::default())) {
            Ok(reader) => reader,
            Err(Error::IoError(error)) if is_the_systems(&error) => {
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

/// The audio track of a file that Symphonia reads.
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
pub(super) fn is_the_systems(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != ErrorKind::InvalidInput
}

pub(super) fn samples_of(ticks: u64, base: TimeBase, rate: u32) -> u64 {
    let samples = u128::from(ticks) * u128::from(base.numer.get()) * u128::from(rate) / u128::from(base.denom.get());
    u64::try_from(samples).unwrap_or(u64::MAX)
}

/// A hundredth less, because durations are rounded and some include the delay of the encoder.
pub(super) fn rounded(samples: u64) -> u64 {
    samples - samples.div_ceil(100)
}

/// The length that the header promises: a count of samples, or the duration of the track, or of the whole.
pub(super) fn promised_samples(track: &Track, media: &MediaInfo, rate: u32) -> Option<u64> {
    let of_duration =
        |duration: Option<Duration>, base: Option<TimeBase>| Some(rounded(samples_of(duration?.get(), base?, rate)));
    track
        .num_frames
        .or_else(|| of_duration(track.duration, track.time_base))
        .or_else(|| of_duration(media.duration, media.time_base))
}
