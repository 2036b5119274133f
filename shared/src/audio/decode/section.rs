//! Presents the container inside a file as if it were the whole file, without the tags before and after it.

use super::meter::MeteredFile;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use symphonia::core::io::MediaSource;

pub(super) struct Section {
    file: MeteredFile,
    range: Range<u64>,
    /// Position in the file, not in the range.
    position: u64,
}

impl Section {
    pub(super) fn new(mut file: MeteredFile, range: Range<u64>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(range.start))?;
        Ok(Self {
            position: range.start,
            file,
            range,
        })
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let count = self.file.read(&mut buffer[..wanted])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => self.range.start.checked_add(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.range.end.checked_add_signed(by),
        };
        let position = position
            .filter(|&at| at >= self.range.start)
            .ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        self.position = self.file.seek(SeekFrom::Start(position))?;
        Ok(self.position - self.range.start)
    }
}

impl MediaSource for Section {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.range.end - self.range.start)
    }
}
