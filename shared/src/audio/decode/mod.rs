//! Decodes an audio file of any supported format into blocks of mono `f32` samples at the file's own sample rate, and
//! reports how much of it was damaged.
//!
//! The format is detected from the first bytes, never from the file name. Channels are downmixed to their mean.
//! [`crate::audio::validate`] decides whether a damaged file is good enough. [`read_tags`] reads artist and album.

mod aac;
mod adts;
mod aiff;
mod ape;
mod caf;
mod chunks;
mod container;
mod decoders;
mod downmix;
mod ebml;
mod file_tags;
mod formats;
mod frames;
mod kind;
mod lacing;
mod layer3;
mod matroska;
mod matroska_track;
mod meter;
mod mp4_edits;
mod mpeg;
mod mpeg_header;
mod open;
mod pcm;
mod pictures;
mod probed;
mod quicktime;
mod section;
mod stream;
mod sun_audio;
mod tags;
mod track_source;
mod unsupported;
mod wav;
mod window;

pub use decoders::DECODERS;
pub use file_tags::{FileTags, read_tags};
pub use formats::{EXTENSIONS, MAGIC_BYTES, has_audio_extension, is_audio};
pub use meter::{Bytes, Meter};
pub use open::{open, open_bytes};
pub use stream::{AudioStream, DecodeReport};
pub use unsupported::unsupported;

#[cfg(test)]
mod tests;
