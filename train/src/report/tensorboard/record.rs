//! Records of TFRecord files: length, checksum of the length, content, checksum of the content.
//!
//! Source: TensorFlow, `tensorflow/core/lib/io/record_writer.h` and `lib/hash/crc32c.h`.

/// Sizes of a length and of a checksum in bytes.
const LENGTH: usize = 8;
const CHECKSUM: usize = 4;

/// A record with this content.
pub fn encode(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let sums = [&length[..], content].map(|bytes| masked_crc(bytes).to_le_bytes());
    [&length[..], &sums[0], content, &sums[1]].concat()
}

/// CRC-32C, rotated and offset, because the CRC of data that contains its own CRC is weak.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// Iterates over the intact records of a file, each with the offset of its end; stops at the first damaged record.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], usize);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
        let (length_crc, rest) = rest.split_first_chunk::<CHECKSUM>()?;
        let count = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (content, rest) = rest.split_at_checked(count)?;
        let (content_crc, _) = rest.split_first_chunk::<CHECKSUM>()?;
        let is_intact =
            masked_crc(length).to_le_bytes() == *length_crc && masked_crc(content).to_le_bytes() == *content_crc;
        self.at += LENGTH + 2 * CHECKSUM + count;
        is_intact.then_some((content, self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masked_checksum_matches_tensorflow() {
        // RFC 3720, B.4: 32 bytes of zeros. The masked value was computed by hand.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(masked_crc(&[0; 32]), 0x0FD7_FFFA);
    }

    #[test]
    fn a_record_longer_than_the_file_is_ignored() {
        let length = u64::MAX.to_le_bytes();
        let bytes = [&length[..], &masked_crc(&length).to_le_bytes(), &[0; 64]].concat();
        assert_eq!(Records::new(&bytes).count(), 0);
    }

    proptest! {
        #[test]
        fn records_are_read_up_to_the_first_damaged_one(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5), place in any::<prop::sample::Index>(),
        ) {
            let mut bytes: Vec<u8> = contents.iter().flat_map(|content| encode(content)).collect();
            let found: Vec<_> = Records::new(&bytes).map(|(content, _)| content.to_vec()).collect();
            prop_assert_eq!(&found, &contents);
            let place = place.index(bytes.len());
            bytes[place] ^= 0x10;
            let ends: Vec<_> = Records::new(&bytes).map(|(_, end)| end).collect();
            prop_assert!(ends.len() < contents.len() && ends.iter().all(|&end| end <= place));
        }
    }
}
