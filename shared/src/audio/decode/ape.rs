//! Measures APE tags, which have a footer and sometimes a header.

use super::window::Window;
use std::io::{self, Read, Seek};

/// Length of a footer, and also of a header.
pub(super) const APE_FOOTER: u64 = 32;
/// Maximum number of items in a tag. Files have about a dozen.
const MAX_APE_ITEMS: u32 = 4096;

/// The header or footer of an APE tag.
pub(super) struct ApeFooter {
    /// Length of the items and the footer in bytes.
    size: u64,
    items: u32,
    has_header: bool,
    is_header: bool,
}

impl ApeFooter {
    pub(super) fn read(bytes: &[u8; APE_FOOTER as usize]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        const HAS_HEADER: u32 = 1 << 31;
        const IS_HEADER: u32 = 1 << 29;
        let known = bytes.starts_with(b"APETAGEX") && matches!(word(8), 1000 | 2000);
        known.then(|| Self {
            size: u64::from(word(12)),
            items: word(16),
            has_header: word(20) & HAS_HEADER != 0,
            is_header: word(20) & IS_HEADER != 0,
        })
    }

    /// Length of the tag whose footer ends at `end`. It is the stated size if the items fill it exactly, or else that
    /// of the footer alone.
    pub(super) fn checked_length<F: Read + Seek>(
        &self,
        window: &mut Window<F>,
        start: u64,
        end: u64,
    ) -> io::Result<u64> {
        let items_begin = end.checked_sub(self.size).filter(|&at| at >= start);
        let Some(items_begin) = items_begin.filter(|_| self.size >= APE_FOOTER && !self.is_header) else {
            return Ok(APE_FOOTER);
        };
        if ape_items_end(window, items_begin, end - APE_FOOTER, self.items)? != Some(end - APE_FOOTER) {
            return Ok(APE_FOOTER);
        }
        let header = items_begin
            .checked_sub(APE_FOOTER)
            .filter(|&at| self.has_header && at >= start);
        let has_header = match header {
            Some(at) => window.bytes(at, 8)? == b"APETAGEX",
            None => false,
        };
        Ok(self.size + if has_header { APE_FOOTER } else { 0 })
    }
}

/// Length of the APE tag with a header at this position, or of a footer alone.
pub(super) fn ape_header<F: Read + Seek>(window: &mut Window<F>, at: u64) -> io::Result<Option<u64>> {
    let Some(header) = window.array(at)?.as_ref().and_then(ApeFooter::read) else {
        return Ok(None);
    };
    let length = APE_FOOTER + header.size;
    let fits = header.is_header && length <= window.end() - at;
    let footer_begin = at + length.saturating_sub(APE_FOOTER);
    let items_end = match fits {
        true => ape_items_end(window, at + APE_FOOTER, footer_begin, header.items)?,
        false => None,
    };
    Ok(Some(if items_end == Some(footer_begin) {
        length
    } else {
        APE_FOOTER
    }))
}

/// Length of the items before the APE footer at this position, for a tag without a header.
pub(super) fn headless_ape_items<F: Read + Seek>(window: &mut Window<F>, at: u64, start: u64) -> io::Result<u64> {
    Ok(match window.array(at)?.as_ref().and_then(ApeFooter::read) {
        Some(footer) => footer.checked_length(window, start, at + APE_FOOTER)? - APE_FOOTER,
        None => 0,
    })
}

/// The end of this many items of an APE tag, if it is not after `end`. Each item has a size, flags, a name and a value.
fn ape_items_end<F: Read + Seek>(window: &mut Window<F>, at: u64, end: u64, items: u32) -> io::Result<Option<u64>> {
    const LONGEST_NAME: usize = 256;
    let mut at = at;
    if items > MAX_APE_ITEMS {
        return Ok(None);
    }
    for _ in 0..items {
        let item = window.bytes(at, 8 + LONGEST_NAME)?;
        let Some((size, rest)) = item.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some(name) = rest.get(4..).and_then(|rest| rest.iter().position(|&byte| byte == 0)) else {
            return Ok(None);
        };
        at += 8 + name as u64 + 1 + u64::from(u32::from_le_bytes(*size));
        if at > end {
            return Ok(None);
        }
    }
    Ok(Some(at))
}
