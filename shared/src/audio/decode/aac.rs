//! Parses the settings of an AAC stream and refuses everything except low-complexity (LC) AAC.
//!
//! High-efficiency AAC is an LC stream of the lower half of the spectrum, plus "fill elements" from which a decoder
//! reconstructs the upper half (spectral band replication, SBR). The LC decoder would ignore these and return music
//! without treble, so it is refused. Many files do not announce SBR in their headers, so the packets are examined too.

/// Number of packets that are examined.
pub(super) const EXAMINED_PACKETS: usize = 64;

/// Why high-efficiency AAC is refused.
pub(super) const HIGH_EFFICIENCY: &str =
    "has high-efficiency AAC (SBR) audio, which is not supported; convert it, for example to FLAC";

/// Counts packets with SBR at the beginning of a stream.
#[derive(Default)]
pub(super) struct SbrDetector {
    examined: usize,
    found: usize,
    last: Vec<u8>,
}

impl SbrDetector {
    /// Examines a packet: a `raw_data_block` of ISO 14496-3.
    pub(super) fn examine(&mut self, packet: &[u8]) {
        // Silence repeats the same packet, which must not count several times.
        if self.examined < EXAMINED_PACKETS && packet != self.last {
            self.examined += 1;
            self.found += usize::from(ends_in_sbr(packet));
            self.last.clear();
            self.last.extend_from_slice(packet);
        }
    }

    /// Whether the stream has SBR: most of its packets end with it. About 1 in 50 other packets match by chance.
    pub(super) fn is_high_efficiency(&self) -> bool {
        self.examined > 0 && 2 * self.found > self.examined
    }
}

const END_ELEMENT: u32 = 7;
const FILL_ELEMENT: u32 = 6;
const EXTENSION_FILL: u32 = 0;
const EXTENSION_FILL_DATA: u32 = 1;
const EXTENSION_SBR: u32 = 13;
const EXTENSION_SBR_CRC: u32 = 14;

/// Whether a packet ends with fill elements, one of them with SBR. The elements before them cannot be skipped without
/// decoding, so the packet is searched backwards for fill elements whose stated length fits.
fn ends_in_sbr(packet: &[u8]) -> bool {
    /// Maximum number of fill elements after the one with SBR.
    const MAX_FILLS: usize = 8;
    let bits = packet.len() * 8;
    // The end element is padded with zero bits to a full byte.
    let Some(mut end) = (3..=10.min(bits)).map(|length| bits - length).find(|&at| {
        let padding = bits - at - 3;
        read(packet, at, 3) == END_ELEMENT && (padding == 0 || read(packet, at + 3, padding) == 0)
    }) else {
        return false;
    };
    for _ in 0..MAX_FILLS {
        match fill_element_before(packet, end) {
            Some((_, EXTENSION_SBR | EXTENSION_SBR_CRC)) => return true,
            Some((begin, _)) => end = begin,
            None => return false,
        }
    }
    false
}

/// Beginning and content type of the fill element that ends at this bit. An SBR match takes precedence over padding.
fn fill_element_before(packet: &[u8], end: usize) -> Option<(usize, u32)> {
    /// Four bits of length, and eight more if all four are set.
    const MAX_LENGTH: usize = 15 + 255 - 1;
    let mut padding = None;
    for length in 1..=MAX_LENGTH {
        for header in [3 + 4, 3 + 4 + 8] {
            let Some(begin) = end.checked_sub(8 * length + header) else {
                continue;
            };
            let stated = match read(packet, begin + 3, 4) {
                15 if header == 15 => 14 + read(packet, begin + 7, 8),
                field if header == 7 && field < 15 => field,
                _ => continue,
            };
            if read(packet, begin, 3) != FILL_ELEMENT || stated as usize != length {
                continue;
            }
            match read(packet, begin + header, 4) {
                kind @ (EXTENSION_SBR | EXTENSION_SBR_CRC) => return Some((begin, kind)),
                kind @ (EXTENSION_FILL | EXTENSION_FILL_DATA) => padding = Some((begin, kind)),
                _ => {}
            }
        }
    }
    padding
}

/// Reads `count` bits from bit `at` on. All of them must be inside `bytes`.
fn read(bytes: &[u8], at: usize, count: usize) -> u32 {
    (at..at + count).fold(0, |sum, bit| sum << 1 | u32::from(bytes[bit / 8] >> (7 - bit % 8) & 1))
}

/// The AudioSpecificConfig of ISO 14496-3, as in MP4 and Matroska.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AacConfig {
    /// 2 is low complexity.
    pub object_type: u32,
    /// 0 if a program config element defines the channels.
    pub channel_configuration: u32,
    /// Whether the config announces SBR.
    pub has_sbr: bool,
}

impl AacConfig {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        const SBR: u32 = 5;
        const PARAMETRIC_STEREO: u32 = 29;
        let mut reader = BitReader { bytes, at: 0 };
        let object_type = reader.object_type()?;
        reader.rate()?;
        let channel_configuration = reader.read(4)?;
        if matches!(object_type, SBR | PARAMETRIC_STEREO) {
            reader.rate()?;
            return Some(Self {
                object_type: reader.object_type()?,
                channel_configuration,
                has_sbr: true,
            });
        }
        Some(Self {
            object_type,
            channel_configuration,
            has_sbr: reader.announces_sbr().unwrap_or(false),
        })
    }

    /// Why this stream cannot be decoded, as the end of the sentence "it is a file that".
    pub(super) fn unsupported(&self) -> Option<String> {
        /// Channels by configuration.
        const CHANNELS: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 8];
        let convert = "which is not supported; convert it, for example to FLAC";
        if self.has_sbr {
            return Some(HIGH_EFFICIENCY.into());
        }
        let kind = match self.object_type {
            2 => None,
            1 => Some("Main"),
            3 => Some("SSR"),
            4 => Some("LTP"),
            23 => Some("LD"),
            39 => Some("ELD"),
            42 => Some("USAC (xHE-AAC)"),
            _ => Some("other than LC"),
        };
        if let Some(kind) = kind {
            return Some(format!("has AAC audio of the profile {kind}, {convert}"));
        }
        match self.channel_configuration {
            1 | 2 => None,
            0 => Some(format!("has AAC audio with a custom channel layout, {convert}")),
            configuration => {
                let channels = CHANNELS.get(configuration as usize).copied().unwrap_or(configuration);
                Some(format!(
                    "has AAC audio with {channels} channels, of which at most 2 are supported; convert it, for example to FLAC"
                ))
            }
        }
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn read(&mut self, count: usize) -> Option<u32> {
        let end = self.at + count;
        let value = (end <= self.bytes.len() * 8).then(|| read(self.bytes, self.at, count));
        self.at = end;
        value
    }

    fn object_type(&mut self) -> Option<u32> {
        match self.read(5)? {
            31 => Some(32 + self.read(6)?),
            object_type => Some(object_type),
        }
    }

    /// Skips the sample rate. Index 15 is followed by an explicit rate.
    fn rate(&mut self) -> Option<()> {
        if self.read(4)? == 15 {
            self.read(24)?;
        }
        Some(())
    }

    /// Whether SBR is announced after the config of the LC stream, where older decoders ignore it.
    fn announces_sbr(&mut self) -> Option<bool> {
        const SYNC_EXTENSION: u32 = 0x2b7;
        // Flags for frame length, core coder and extension.
        if self.read(3)? != 0 || self.read(11)? != SYNC_EXTENSION {
            return Some(false);
        }
        Some(self.object_type()? == 5 && self.read(1)? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes bits, most significant first.
    #[derive(Default)]
    struct Bits(Vec<bool>);

    impl Bits {
        fn push(mut self, value: u32, count: usize) -> Self {
            self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn fill(self, length: u32, extension: u32) -> Self {
            let bits = match length {
                15.. => self.push(6, 3).push(15, 4).push(length - 14, 8),
                _ => self.push(6, 3).push(length, 4),
            };
            (1..length).fold(bits.push(extension, 4).push(9, 4), |bits, _| bits.push(0xa5, 8))
        }

        fn packet(self) -> Vec<u8> {
            let Self(bits) = self.push(7, 3);
            let byte = |bits: &[bool]| {
                bits.iter()
                    .enumerate()
                    .fold(0, |sum, (at, &bit)| sum | u8::from(bit) << (7 - at))
            };
            bits.chunks(8).map(byte).collect()
        }
    }

    fn audio() -> Bits {
        (0..77).fold(Bits::default(), |bits, at| bits.push(at * 37 % 19, 7))
    }

    #[test]
    fn sbr_is_found_in_fill_elements_and_padding_is_not_sbr() {
        for length in [1, 5, 14, 15, 40, 200, 269] {
            assert!(ends_in_sbr(&audio().fill(length, 13).packet()), "{length}");
            assert!(
                ends_in_sbr(&audio().fill(length, 14).fill(3, 0).fill(20, 1).packet()),
                "{length}"
            );
            assert!(!ends_in_sbr(&audio().fill(length, 0).packet()), "{length}");
        }
        assert!(!ends_in_sbr(&audio().packet()));
        for hostile in [
            &b""[..],
            b"\xff",
            b"\xe0",
            &[0xff; 3],
            &[0; 400],
            &[0xff; 400],
            &[0xdb; 400],
        ] {
            ends_in_sbr(hostile);
        }
    }

    #[test]
    fn sbr_in_most_distinct_packets_means_high_efficiency() {
        let (with, without) = (audio().fill(20, 13).packet(), audio().packet());
        let mut detector = SbrDetector::default();
        detector.examine(&without);
        (0..50).for_each(|_| detector.examine(&with));
        assert!(!detector.is_high_efficiency());
        for length in 21..25 {
            detector.examine(&audio().fill(length, 13).packet());
        }
        assert!(detector.is_high_efficiency());
    }

    #[test]
    fn unsupported_configs_are_refused_with_a_reason() {
        let low_complexity = |configuration| Bits::default().push(2, 5).push(4, 4).push(configuration, 4).push(0, 3);
        let reason = |bits: Bits| {
            let mut bytes = bits.push(0, 8).packet();
            bytes.pop();
            AacConfig::parse(&bytes).unwrap().unsupported()
        };
        assert_eq!(reason(low_complexity(2)), None);
        assert!(reason(low_complexity(6)).unwrap().contains("6 channels"));
        assert!(reason(low_complexity(7)).unwrap().contains("8 channels"));
        assert!(reason(low_complexity(0)).unwrap().contains("custom channel layout"));
        let after_config = low_complexity(1).push(0x2b7, 11).push(5, 5).push(1, 1).push(4, 4);
        assert!(reason(after_config).unwrap().contains("SBR"));
        let before_config = |kind| {
            Bits::default()
                .push(kind, 5)
                .push(7, 4)
                .push(1, 4)
                .push(4, 4)
                .push(2, 5)
                .push(0, 3)
        };
        assert!(reason(before_config(5)).unwrap().contains("SBR"));
        assert!(reason(before_config(29)).unwrap().contains("SBR"));
        let main = Bits::default().push(1, 5).push(4, 4).push(2, 4).push(0, 3);
        assert!(reason(main).unwrap().contains("Main"));
        let extended = Bits::default()
            .push(31, 5)
            .push(42 - 32, 6)
            .push(15, 4)
            .push(48_000, 24)
            .push(2, 4);
        assert!(reason(extended).unwrap().contains("USAC"));
        assert_eq!(AacConfig::parse(b""), None);
        assert_eq!(AacConfig::parse(b"\xff"), None);
    }
}
