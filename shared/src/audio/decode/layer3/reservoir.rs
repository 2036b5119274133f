//! The bit reservoir: a frame may use bytes that earlier frames left over.

/// Bytes of main data that are not used up.
#[derive(Default)]
pub(super) struct Reservoir {
    bytes: Vec<u8>,
    used: usize,
}

impl Reservoir {
    /// Appends the main data of a frame that begins `begin` bytes before it. Returns how many of these bytes are missing.
    /// Bytes before the beginning are dropped.
    pub fn fill(&mut self, main_data: &[u8], begin: usize) -> usize {
        let unused = self.bytes.len() - self.used;
        let dropped = self.bytes.len() - begin.min(unused);
        self.bytes.drain(..dropped);
        self.bytes.extend_from_slice(main_data);
        self.used = 0;
        begin.saturating_sub(unused)
    }

    /// The bytes that the frame may read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Marks bytes at the beginning as used. No later frame reads them.
    pub fn use_up(&mut self, count: usize) {
        self.used = count.min(self.bytes.len());
    }

    /// Drops everything after damage.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_bytes_are_kept_and_missing_ones_are_counted() {
        let mut reservoir = Reservoir::default();
        assert_eq!(reservoir.fill(&[1, 2, 3, 4], 3), 3);
        assert_eq!(reservoir.bytes(), [1, 2, 3, 4]);
        reservoir.use_up(1);
        assert_eq!(reservoir.fill(&[5], 2), 0);
        assert_eq!(reservoir.bytes(), [3, 4, 5]);
        reservoir.use_up(9);
        assert_eq!(reservoir.fill(&[6], 1), 1);
        assert_eq!(reservoir.bytes(), [6]);
        reservoir.clear();
        assert_eq!(reservoir.fill(&[], 0), 0);
        assert!(reservoir.bytes().is_empty());
    }
}
