//! Reads the chunks of WAV and AIFF files: four bytes of name, four bytes of size and the content, plus a padding byte
//! after an odd size.
//!
//! The size of the outermost chunk is ignored, and the padding byte may be missing, because both are wrong in many
//! files that every player plays.

use super::meter::MeteredFile;
use super::pcm::ByteOrder;
use std::io::{self, Read, Seek, SeekFrom};

/// Maximum number of chunks; files have about a dozen. Each one costs a read, however small it is.
const MAX_CHUNKS: usize = 4096;

const HEADER: usize = 8;

/// Chunks that a file cannot do without. Their names are trusted even if the size is implausible.
const ESSENTIAL: [&[u8; 4]; 4] = [b"fmt ", b"data", b"COMM", b"SSND"];

/// A chunk's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) name: [u8; 4],
    pub(super) size: u32,
    /// Position of the content.
    pub(super) body: u64,
}

/// Iterates over chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    /// End of the previous chunk; a padding byte may follow.
    position: u64,
    padded: bool,
    end: u64,
    order: ByteOrder,
    left: usize,
}

impl Chunks {
    /// The chunks from `begin` to `end`, with sizes in this byte order.
    pub(super) fn new(begin: u64, end: u64, order: ByteOrder) -> Self {
        Self {
            position: begin,
            padded: false,
            end,
            order,
            left: MAX_CHUNKS,
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

    /// Whether a plausible chunk header is at this position.
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

/// Up to `max` bytes of the content of a chunk.
pub(super) fn read_body(file: &mut MeteredFile, chunk: &Chunk, max: u32) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    file.seek(SeekFrom::Start(chunk.body))?;
    file.by_ref().take(chunk.size.min(max).into()).read_to_end(&mut body)?;
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
    fn padding_after_an_odd_chunk_is_optional() {
        for (bytes, expected) in [
            (&b"LIST\x03\0\0\0abc\0data\x02\0\0\0xy"[..], ["LIST", "data"]),
            (b"LIST\x03\0\0\0abcdata\x02\0\0\0xy", ["LIST", "data"]),
            // A padding byte that is not 0, and sizes beyond the end of the file.
            (b"LIST\x03\0\0\0abc data\x02\0\0\0xy", ["LIST", "data"]),
            (b"LIST\x03\0\0\0abc\0data\xff\xff\xff\xffxy", ["LIST", "data"]),
            (b"LIST\x03\0\0\0abcdata\xff\xff\xff\xffxy", ["LIST", "data"]),
            (b"bext\x01\0\0\0aJUNK\x10\0\0\0................", ["bext", "JUNK"]),
        ] {
            assert_eq!(names(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn number_of_chunks_is_limited() {
        assert_eq!(names(&b"JUNK\0\0\0\0".repeat(10_000)).len(), MAX_CHUNKS);
        assert_eq!(names(b"JUNK\xff\xff\xff\xffJUNK"), ["JUNK"]);
        assert_eq!(names(b"JUNK\x01\0\0\0x\0JU"), ["JUNK"]);
    }
}
