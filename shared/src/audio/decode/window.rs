//! Random access to the bytes of a file through one buffer.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// Minimum bytes per read.
const BUFFER: usize = 1 << 16;

/// Random access to a file. Cheap as long as positions only increase.
pub(super) struct Window<F> {
    file: F,
    end: u64,
    buffer: Vec<u8>,
    /// Position of the buffer's first byte in the file.
    start: u64,
}

impl<F: Read + Seek> Window<F> {
    /// Gives access to the bytes of `file` before `end`.
    pub(super) fn new(file: F, end: u64) -> Self {
        Self {
            file,
            end,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Position after the last byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn file(&self) -> &F {
        &self.file
    }

    /// Returns the file, whose position is unspecified.
    pub(super) fn into_file(self) -> F {
        self.file
    }

    /// `length` bytes at this position, or fewer at the end of the file.
    pub(super) fn bytes(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let length = usize::try_from(self.end.saturating_sub(at)).map_or(length, |left| left.min(length));
        let offset = match at
            .checked_sub(self.start)
            .and_then(|offset| usize::try_from(offset).ok())
        {
            Some(offset) if offset + length <= self.buffer.len() => offset,
            _ => {
                self.fill(at, length)?;
                0
            }
        };
        let end = self.buffer.len().min(offset + length);
        Ok(&self.buffer[offset.min(end)..end])
    }

    /// `N` bytes at this position, or `None` if there are fewer.
    pub(super) fn array<const N: usize>(&mut self, at: u64) -> io::Result<Option<[u8; N]>> {
        Ok(self.bytes(at, N)?.first_chunk().copied())
    }

    /// Refills the buffer so it begins at this position.
    fn fill(&mut self, at: u64, length: usize) -> io::Result<()> {
        let kept = match at
            .checked_sub(self.start)
            .and_then(|offset| usize::try_from(offset).ok())
        {
            Some(offset) if offset < self.buffer.len() => {
                self.buffer.drain(..offset);
                self.buffer.len()
            }
            _ => {
                self.buffer.clear();
                0
            }
        };
        self.start = at;
        let from = at + kept as u64;
        let left = usize::try_from(self.end.saturating_sub(from)).unwrap_or(usize::MAX);
        let wanted = kept + (length.max(BUFFER) - kept).min(left);
        self.file.seek(SeekFrom::Start(from))?;
        self.buffer.resize(wanted, 0);
        let mut filled = kept;
        while filled < wanted {
            match self.file.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(filled);
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn positions_can_be_read_in_any_order() {
        let bytes: Vec<u8> = (0..300_000u32).map(|at| (at * 31 % 251) as u8).collect();
        let mut window = Window::new(Cursor::new(bytes.clone()), 299_000);
        for (at, length) in [
            (0, 4),
            (65_530, 20),
            (299_900, 3),
            (298_990, 100),
            (5, 200_000),
            (4, 2),
            (70_000, 65_536),
        ] {
            let end = (at + length).min(299_000);
            assert_eq!(
                window.bytes(at as u64, length).unwrap(),
                &bytes[at.min(end)..end],
                "{at}"
            );
        }
        assert_eq!(window.array::<4>(298_998).unwrap(), None);
    }
}
