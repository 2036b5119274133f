//! Finds the length of pictures that are embedded between the frames of a file.

use super::window::Window;
use std::io::{self, Read, Seek};

const MAX_PICTURE: u64 = 32 << 20;

/// Length of the JPEG picture at `begin`. It consists of segments with sizes; after "start of scan", data without a
/// size follows up to the next marker.
pub(super) fn jpeg<F: Read + Seek>(window: &mut Window<F>, begin: u64) -> io::Result<Option<u64>> {
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let end = window.end().min(begin + MAX_PICTURE);
    let mut at = begin + 2;
    while at < end {
        let Some([0xff, marker, high, low]) = window.array::<4>(at)? else {
            // The end marker has no size.
            let is_end = window.bytes(at, 2)? == [0xff, END];
            return Ok(is_end.then_some(at + 2 - begin));
        };
        if marker == END {
            return Ok(Some(at + 2 - begin));
        }
        let size = u64::from(u16::from_be_bytes([high, low]));
        if size < 2 {
            return Ok(None);
        }
        at += 2 + size;
        while marker == SCAN && at < end {
            let scan = window.bytes(at, 4096)?;
            let marker = scan
                .windows(2)
                .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7));
            match marker {
                Some(place) => {
                    at += place as u64;
                    break;
                }
                None => at += (scan.len() as u64 - 1).max(1),
            }
        }
    }
    Ok(None)
}

/// Length of the PNG picture at `begin`.
pub(super) fn png<F: Read + Seek>(window: &mut Window<F>, begin: u64) -> io::Result<Option<u64>> {
    let end = window.end().min(begin + MAX_PICTURE);
    let mut at = begin + 8;
    while at < end {
        let Some([a, b, c, d, kind @ ..]) = window.array::<8>(at)? else {
            break;
        };
        at += 12 + u64::from(u32::from_be_bytes([a, b, c, d]));
        if &kind == b"IEND" && at <= window.end() {
            return Ok(Some(at - begin));
        }
    }
    Ok(None)
}
