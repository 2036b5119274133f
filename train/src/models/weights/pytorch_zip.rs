//! Makes PyTorch checkpoints readable for the zip reader of `burn-store`.
//!
//! PyTorch ends every archive with ZIP64 records, even if unnecessary. The `zip` crate (9.1 to 9.4) guesses the start
//! of the central directory from its size and the end record's position, as if nothing was between them, so the 76
//! bytes of the ZIP64 records make it miss by 76 bytes. It notices this unless the first entry's header is exactly 76
//! bytes long: then it starts at the second entry and fails at the end. The published checkpoint is such a file; its
//! first entry is named `checkpoint_baseline1d/data.pkl`.

/// Size of the end record of an archive without a comment.
const END: usize = 22;
/// Sizes of the ZIP64 end record and its locator.
const END64: usize = 56;
const LOCATOR64: usize = 20;

/// The archive without its ZIP64 end records; `None` if it has none or needs them.
pub fn without_zip64_end(archive: &[u8]) -> Option<Vec<u8>> {
    let end = archive.len().checked_sub(END)?;
    let directory_end = end.checked_sub(END64 + LOCATOR64)?;
    let signature = |at: usize, expected: &[u8; 4]| archive[at..].starts_with(expected);
    let u16_at = |at: usize| u16::from_le_bytes([archive[at], archive[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([archive[at], archive[at + 1], archive[at + 2], archive[at + 3]]);
    let records = signature(end, b"PK\x05\x06")
        && signature(directory_end, b"PK\x06\x06")
        && signature(directory_end + END64, b"PK\x06\x07");
    if !records {
        return None;
    }
    let (entries, size, start) = (u16_at(end + 10), u32_at(end + 12), u32_at(end + 16));
    let needed = entries == u16::MAX || size == u32::MAX || start == u32::MAX;
    if needed || start as usize + size as usize != directory_end {
        return None;
    }
    Some([&archive[..directory_end], &archive[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(directory: &[u8], entries: u16) -> Vec<u8> {
        let mut bytes = directory.to_vec();
        bytes.extend(b"PK\x06\x06");
        bytes.resize(bytes.len() + END64 - 4, 0);
        bytes.extend(b"PK\x06\x07");
        bytes.resize(bytes.len() + LOCATOR64 - 4, 0);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([entries.to_le_bytes(), entries.to_le_bytes()].concat());
        bytes.extend((directory.len() as u32).to_le_bytes());
        bytes.extend([0; 6]);
        bytes
    }

    #[test]
    fn only_unnecessary_zip64_records_are_removed() {
        let archive_bytes = archive(b"the central directory", 1);
        let short = without_zip64_end(&archive_bytes).unwrap();
        assert_eq!(short.len(), archive_bytes.len() - END64 - LOCATOR64);
        assert!(short.starts_with(b"the central directoryPK\x05\x06"));
        assert_eq!(without_zip64_end(&short), None);
        assert_eq!(without_zip64_end(&archive(b"the central directory", u16::MAX)), None);
        for length in 0..archive_bytes.len() {
            assert_eq!(without_zip64_end(&archive_bytes[..length]), None);
        }
    }
}
