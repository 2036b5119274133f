//! Splits a Matroska block into its frames (lacing).

use super::ebml::number;

/// The frames in the body of a block. `flags` state the kind of lacing.
pub(super) fn frames(flags: u8, body: &[u8]) -> Option<Vec<&[u8]>> {
    const XIPH: u8 = 1;
    const FIXED: u8 = 2;
    const EBML_LACING: u8 = 3;
    let lacing = flags >> 1 & 3;
    if lacing == 0 {
        return Some(vec![body]);
    }
    let (&last, mut rest) = body.split_first()?;
    let last = usize::from(last);
    let mut sizes = Vec::with_capacity(last + 1);
    match lacing {
        XIPH => {
            for _ in 0..last {
                sizes.push(xiph_size(&mut rest)?);
            }
        }
        FIXED => sizes.resize(last, rest.len() / (last + 1)),
        EBML_LACING => {
            let mut size = 0;
            for frame in 0..last {
                let (value, length) = number(rest)?;
                rest = &rest[length..];
                // All sizes except the first are differences, stored with a bias of half the range of their length.
                let bias = if frame == 0 { 0 } else { (1i64 << (7 * length - 1)) - 1 };
                size = i64::try_from(value).ok()?.checked_sub(bias)?.checked_add(size)?;
                sizes.push(usize::try_from(size).ok()?);
            }
        }
        _ => unreachable!("two bits"),
    }
    let mut frames = Vec::with_capacity(sizes.len() + 1);
    for size in sizes {
        let (frame, after) = rest.split_at_checked(size)?;
        frames.push(frame);
        rest = after;
    }
    frames.push(rest);
    Some(frames)
}

/// Parses a Xiph-laced size: the sum of bytes up to the first that is not 255.
pub(super) fn xiph_size(rest: &mut &[u8]) -> Option<usize> {
    let mut size = 0;
    loop {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        size += usize::from(byte);
        if byte < 255 {
            return Some(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn laced_blocks_are_split_into_frames() {
        let body: Vec<u8> = (0..60).collect();
        assert_eq!(frames(0, &body), Some(vec![&body[..]]));
        let fixed = [&[2], &body[..]].concat();
        assert_eq!(
            frames(0b100, &fixed),
            Some(vec![&body[..20], &body[20..40], &body[40..]])
        );
        let xiph = [&[2, 10, 20], &body[..]].concat();
        assert_eq!(
            frames(0b010, &xiph),
            Some(vec![&body[..10], &body[10..30], &body[30..]])
        );
        // Sizes 10 and 10 - 5.
        let ebml = [&[2, 0x8a, 0x80 | (63 - 5)], &body[..]].concat();
        assert_eq!(
            frames(0b110, &ebml),
            Some(vec![&body[..10], &body[10..15], &body[15..]])
        );
        assert_eq!(frames(0b010, &[1, 255, 255]), None);
        assert_eq!(frames(0b110, &[1, 0x90, 1, 2]), None);
    }

    proptest! {
        #[test]
        fn hostile_blocks_never_panic(flags in 0u8..8, body in prop::collection::vec(any::<u8>(), 0..80)) {
            let total = frames(flags, &body).unwrap_or_default().iter().map(|frame| frame.len()).sum::<usize>();
            prop_assert!(total <= body.len());
        }
    }
}
