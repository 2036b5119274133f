//! Reads bits, the most significant of each byte first.

/// A position in a slice of bytes. All bits behind the end are zero; [`Self::position`] shows whether the end was passed.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte to load.
    next: usize,
    /// The bits at the position, from the most significant one on.
    buffer: u64,
    /// Valid bits in the buffer, at most 63. Bits after them are zero or those that will be loaded there.
    count: u32,
}

impl<'a> Bits<'a> {
    /// Begins at this bit.
    pub fn new(bytes: &'a [u8], position: usize) -> Self {
        let mut bits = Self {
            bytes,
            next: position / 8,
            buffer: 0,
            count: 0,
        };
        bits.refill();
        bits.skip((position % 8) as u32);
        bits
    }

    /// The number of bits before the next one.
    #[inline(always)]
    pub fn position(&self) -> usize {
        (8 * self.next).wrapping_sub(self.count as usize)
    }

    /// Loads bytes until there are at least 56 bits.
    #[inline(always)]
    pub fn refill(&mut self) {
        let word = match self.bytes.get(self.next..).and_then(<[u8]>::first_chunk) {
            Some(word) => u64::from_be_bytes(*word),
            None => self.last_word(),
        };
        self.buffer |= word >> (self.count & 63);
        self.next = self.next.wrapping_add((63_u32.wrapping_sub(self.count) >> 3) as usize);
        self.count |= 56;
    }

    #[cold]
    fn last_word(&self) -> u64 {
        let mut word = [0; 8];
        let rest = self.bytes.get(self.next..).unwrap_or_default();
        for (to, from) in word.iter_mut().zip(rest) {
            *to = *from;
        }
        u64::from_be_bytes(word)
    }

    /// The next bits, without going past them. Needs as many valid bits.
    #[inline(always)]
    pub fn peek<const COUNT: u32>(&self) -> usize {
        (self.buffer >> (64 - COUNT)) as usize
    }

    /// [`Self::peek`] with a number of bits that is not constant, at most 32.
    #[inline(always)]
    pub fn peek_some(&self, count: u32) -> usize {
        (self.buffer >> 32 >> (32 - count.min(32))) as usize
    }

    /// Goes past this many valid bits.
    #[inline(always)]
    pub fn skip(&mut self, count: u32) {
        self.buffer <<= count & 63;
        self.count = self.count.wrapping_sub(count);
    }

    /// Valid bits in the buffer.
    #[inline(always)]
    pub fn valid(&self) -> u32 {
        self.count
    }

    /// Reads at most 32 bits.
    #[inline]
    pub fn take(&mut self, count: u32) -> u32 {
        if self.count < count {
            self.refill();
        }
        let value = self.peek_some(count);
        self.skip(count);
        value as u32
    }

    /// Reads one bit.
    #[inline]
    pub fn flag(&mut self) -> bool {
        self.take(1) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_from_any_position_and_zero_behind_the_end() {
        let bytes: Vec<u8> = (0..40_u32).map(|at| (at * at * 37 + 11 * at) as u8).collect();
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| u32::from(byte >> (7 - at % 8) & 1));
        for begin in 0..100 {
            let (mut bits, mut at) = (Bits::new(&bytes, begin), begin);
            for count in [0, 1, 13, 32, 5, 19, 8, 32, 32, 1, 0, 32, 31, 32, 32, 32, 32, 32, 32] {
                let expected = (at..at + count).fold(0, |value, at| value << 1 | bit(at));
                assert_eq!(bits.take(count as u32), expected, "{count} bits at {at}");
                at += count;
                assert_eq!(bits.position(), at);
            }
        }
    }
}
