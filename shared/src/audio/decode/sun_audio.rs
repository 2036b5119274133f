//! Sun's and NeXT's `.au` format: a header of six big-endian words, an annotation and the samples.
//!
//! Implemented after the SunOS manual page au(4). GTZAN is published in this format, and Symphonia does not support it.

use super::meter::MeteredFile;
use super::pcm::{ByteOrder, Encoding, PcmData, PcmFormat, PcmStream};
use crate::audio::validate::Rejection;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

const HEADER_BYTES: u64 = 24;

fn encoding(number: u32) -> Option<Encoding> {
    Some(match number {
        1 => Encoding::MuLaw,
        2 => Encoding::Signed8,
        3 => Encoding::Signed16,
        4 => Encoding::Signed24,
        5 => Encoding::Signed32,
        6 => Encoding::Float32,
        7 => Encoding::Float64,
        27 => Encoding::ALaw,
        _ => return None,
    })
}

/// Reads the header of the `.au` file in this range, which excludes tags.
pub(super) fn open(mut file: MeteredFile, range: Range<u64>) -> Result<PcmStream, Rejection> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => Rejection::NoFrames,
        _ => error.into(),
    };
    let mut header = [0; HEADER_BYTES as usize];
    file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
    file.read_exact(&mut header).map_err(failed)?;
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let [offset, size, number, rate, channels] = [4, 8, 12, 16, 20].map(word);
    let offset = u64::from(offset);
    if offset < HEADER_BYTES {
        return Err(Rejection::UnsupportedFormat(format!(
            "its header states that the audio begins at byte {offset}, which is inside the header"
        )));
    }
    let encoding = encoding(number).ok_or_else(|| {
        Rejection::UnsupportedFormat(format!(
            "its Sun audio encoding is number {number}; 1 to 7 and 27 are supported (mu-law, linear, float and A-law)"
        ))
    })?;
    let format = PcmFormat {
        encoding,
        order: ByteOrder::Big,
        rate,
        channels,
    };
    PcmStream::open(
        file,
        format,
        PcmData::new(range.start + offset, &[size.into()], range.end),
    )
}
