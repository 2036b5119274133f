//! Parses EBML (RFC 8794), the basis of Matroska: elements with an identifier, a size and content.

use super::window::Window;
use std::io::{self, Read, Seek};

/// The header of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub id: u32,
    /// Position of the content.
    pub begin: u64,
    /// Length of the content. `None` if it is unknown, as in a live recording.
    pub size: Option<u64>,
}

impl Element {
    /// Position after the content, or its beginning if the size is unknown.
    pub(super) fn end(&self) -> u64 {
        self.begin.saturating_add(self.size.unwrap_or(0))
    }
}

/// Reads the header of the element at this position. `None` if there is no valid one.
pub(super) fn element<F: Read + Seek>(window: &mut Window<F>, at: u64) -> io::Result<Option<Element>> {
    /// Four bytes of identifier and eight of size.
    const LONGEST_HEADER: usize = 12;
    let bytes = window.bytes(at, LONGEST_HEADER)?;
    Ok(header(bytes).map(|(id, size, length)| Element {
        id,
        begin: at + length as u64,
        size,
    }))
}

/// Parses an element header into identifier, size and length of the header.
fn header(bytes: &[u8]) -> Option<(u32, Option<u64>, usize)> {
    let id_bytes = bytes.first()?.leading_zeros() as usize + 1;
    if id_bytes > 4 {
        return None;
    }
    let id = bytes
        .get(..id_bytes)?
        .iter()
        .fold(0, |sum, &byte| sum << 8 | u32::from(byte));
    let (size, size_bytes) = number(&bytes[id_bytes..])?;
    let unknown = (1 << (7 * size_bytes)) - 1;
    Some((id, (size != unknown).then_some(size), id_bytes + size_bytes))
}

/// Parses a number of variable length, and returns its length too. Leading zero bits count the bytes that follow the
/// first.
pub(super) fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let value = bytes
        .get(1..length)?
        .iter()
        .fold(u64::from(first), |sum, &byte| sum << 8 | u64::from(byte));
    Some((value & ((1 << (7 * length)) - 1), length))
}

/// The complete child elements of an element that is in memory.
pub(super) fn children(content: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let (id, size, length) = header(rest)?;
        let body = &rest[length..];
        let size = usize::try_from(size?).ok().filter(|&size| size <= body.len())?;
        rest = &body[size..];
        Some((id, &body[..size]))
    })
}

/// An unsigned integer of up to eight bytes.
pub(super) fn unsigned(content: &[u8]) -> Option<u64> {
    (content.len() <= 8).then(|| content.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

/// A floating-point number of four or eight bytes.
pub(super) fn float(content: &[u8]) -> Option<f64> {
    match content.len() {
        4 => content.first_chunk().map(|bytes| f32::from_be_bytes(*bytes).into()),
        8 => content.first_chunk().map(|bytes| f64::from_be_bytes(*bytes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    #[test]
    fn numbers_and_headers_have_variable_lengths() {
        assert_eq!(number(b"\x81"), Some((1, 1)));
        assert_eq!(number(b"\x40\x02rest"), Some((2, 2)));
        assert_eq!(number(b"\x01\xff\xff\xff\xff\xff\xff\xfe"), Some(((1 << 56) - 2, 8)));
        assert_eq!(number(b"\x40"), None);
        assert_eq!(number(b"\x00\x01"), None);
        let mut window = Window::new(Cursor::new(b"?\x1a\x45\xdf\xa3\x82ab".to_vec()), 8);
        let found = element(&mut window, 1).unwrap().unwrap();
        assert_eq!((found.id, found.begin, found.end()), (0x1a45_dfa3, 6, 8));
        let mut unknown = Window::new(
            Cursor::new(b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff".to_vec()),
            12,
        );
        assert_eq!(element(&mut unknown, 0).unwrap().unwrap().size, None);
        assert_eq!(float(&2.5f64.to_be_bytes()), Some(2.5));
        assert_eq!(float(&2.5f32.to_be_bytes()), Some(2.5));
        assert_eq!(
            (float(b"abc"), unsigned(b"\x01\x00"), unsigned(&[1; 9])),
            (None, Some(256), None)
        );
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (header(&bytes), number(&bytes), unsigned(&bytes), float(&bytes));
            prop_assert!(children(&bytes).count() <= bytes.len());
        }
    }
}
