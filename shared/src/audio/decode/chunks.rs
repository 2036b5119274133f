//! The chunks that WAV and AIFF files are made of: four bytes of name, four of size, and so many of content, with a byte
//! of padding behind an odd size.
//!
//! Only the file's own end is believed, not the size that the outermost chunk gives itself, and the padding byte may be
//! missing: both are wrong in many files that every player plays.

use super::meter::MeteredFile;
use super::pcm::ByteOrder;
use std::io::{self, Read, Seek, SeekFrom};

/// Most chunks that are looked at; files have a dozen. Each costs a read, however small it is.
const MOST_CHUNKS: usize = 4096;

const HEADER: usize = 8;

/// The chunks whose place in a file matters most, so their names are believed whatever size follows.
const ESSENTIAL: [&[u8; 4]; 4] = [b"fmt ", b"data", b"COMM", b"SSND"];

/// A chunk's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) name: [u8; 4],
    pub(super) size: u32,
    /// Where its content begins.
    pub(super) body: u64,
}

/// Chunks one after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    /// Where the previous chunk ends; a byte of padding may follow.
    position: u64,
    padded: bool,
    end: u64,
    order: ByteOrder,
    left: usize,
}

impl Chunks {
    /// The chunks from `begin` to `end`, with sizes in this order of bytes.
    pub(super) fn new(begin: u64, end: u64, order: ByteOrder) -> Self {
        Self {
            position: begin,
            padded: false,
            end,
            order,
            left: MOST_CHUNKS,
        }
    }

    /// The header of the next chunk, or `None` at the end.
    pub(super) fn next(&mut self, file: &mut MeteredFile) -> io::Result<Option<Chunk>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let Some(chunk) = self.peek(file)? else {
            return Ok(None);
        };
        self.position = chunk.body.saturating_add(chunk.size.into());
        self.padded = chunk.size % 2 == 1;
        Ok(Some(chunk))
    }

    /// Whether something that looks like a chunk is at this place.
    pub(super) fn is_chunk_at(&self, file: &mut MeteredFile, position: u64) -> io::Result<bool> {
        let at = Self {
            position,
            padded: false,
            ..*self
        };
        Ok(at.peek(file)?.is_some_and(|chunk| at.is_plausible(&chunk)))
    }

    fn peek(&self, file: &mut MeteredFile) -> io::Result<Option<Chunk>> {
        let mut bytes = Vec::with_capacity(HEADER + 1);
        let wanted = self.end.saturating_sub(self.position).min(HEADER as u64 + 1);
        file.seek(SeekFrom::Start(self.position))?;
        file.by_ref().take(wanted).read_to_end(&mut bytes)?;
        let header = |skipped: usize| {
            let [a, b, c, d, size @ ..] = *bytes.get(skipped..)?.first_chunk::<HEADER>()?;
            Some(Chunk {
                name: [a, b, c, d],
                size: self.order.u32(size),
                body: self.position + (skipped + HEADER) as u64,
            })
        };
        let bare = header(0);
        if !self.padded {
            return Ok(bare);
        }
        let padded = header(1);
        let is_plausible = |chunk: &Option<Chunk>| chunk.is_some_and(|chunk| self.is_plausible(&chunk));
        Ok(if is_plausible(&bare) && !is_plausible(&padded) {
            bare
        } else {
            padded
        })
    }

    fn is_plausible(&self, chunk: &Chunk) -> bool {
        let is_name = chunk.name.iter().all(|byte| (b' '..=b'~').contains(byte));
        let fits = chunk.body.saturating_add(chunk.size.into()) <= self.end;
        ESSENTIAL.contains(&&chunk.name) || is_name && fits
    }
}

/// Up to `most` bytes of a chunk's content.
pub(super) fn read_body(file: &mut MeteredFile, chunk: &Chunk, most: u32) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    file.seek(SeekFrom::Start(chunk.body))?;
    file.by_ref().take(chunk.size.min(most).into()).read_to_end(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn names(bytes: &[u8]) -> Vec<String> {
        let length = bytes.len() as u64;
        let mut file = MeteredFile::new(Box::new(Cursor::new(bytes.to_vec())), length, &Default::default());
        let mut chunks = Chunks::new(0, length, ByteOrder::Little);
        std::iter::from_fn(|| chunks.next(&mut file).unwrap())
            .map(|chunk| String::from_utf8_lossy(&chunk.name).into_owned())
            .collect()
    }

    #[test]
    fn padding_is_skipped_where_it_is_and_not_missed_where_it_is_not() {
        for (bytes, expected) in [
            (&b"LIST\x03\0\0\0abc\0data\x02\0\0\0xy"[..], ["LIST", "data"]),
            (b"LIST\x03\0\0\0abcdata\x02\0\0\0xy", ["LIST", "data"]),
            // A pad that is not 0, and sizes beyond the file's end.
            (b"LIST\x03\0\0\0abc data\x02\0\0\0xy", ["LIST", "data"]),
            (b"LIST\x03\0\0\0abc\0data\xff\xff\xff\xffxy", ["LIST", "data"]),
            (b"LIST\x03\0\0\0abcdata\xff\xff\xff\xffxy", ["LIST", "data"]),
            (b"bext\x01\0\0\0aJUNK\x10\0\0\0................", ["bext", "JUNK"]),
        ] {
            assert_eq!(names(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_number_of_chunks_is_limited() {
        assert_eq!(names(&b"JUNK\0\0\0\0".repeat(10_000)).len(), MOST_CHUNKS);
        assert_eq!(names(b"JUNK\xff\xff\xff\xffJUNK"), ["JUNK"]);
        assert_eq!(names(b"JUNK\x01\0\0\0x\0JU"), ["JUNK"]);
    }
}
