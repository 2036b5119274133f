//! Builds valid and invalid PyTorch files byte by byte.

use half::{bf16, f16};

/// A zip archive without compression, as `torch.save` writes it.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

impl Archive {
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.entry(name, bytes, STORED, bytes.len() as u64);
    }

    /// Adds an entry that claims a larger size than it has.
    pub fn add_promising(&mut self, name: &str, bytes: &[u8], promised: u64) {
        self.entry(name, bytes, STORED, promised);
    }

    /// Adds an entry that claims to be compressed.
    pub fn add_deflated(&mut self, name: &str, bytes: &[u8]) {
        self.entry(name, bytes, DEFLATED, bytes.len() as u64);
    }

    fn entry(&mut self, name: &str, bytes: &[u8], method: u16, promised: u64) {
        let offset = self.bytes.len() as u32;
        // 64-bit sizes go to an extra field, which the maximal 32-bit sizes announce.
        let large = promised > u64::from(u32::MAX);
        let sizes = if large {
            [u32::MAX, u32::MAX]
        } else {
            [bytes.len() as u32, promised as u32]
        };
        let mut extra = Vec::new();
        if large {
            extra.extend([1u16.to_le_bytes(), 16u16.to_le_bytes()].concat());
            extra.extend([promised.to_le_bytes(), (bytes.len() as u64).to_le_bytes()].concat());
        }
        let mut shared = Vec::new();
        shared.extend([20u16, 0, method, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
        let words = [crc32(bytes), sizes[0], sizes[1]];
        shared.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        shared.extend(
            [name.len() as u16, extra.len() as u16]
                .iter()
                .flat_map(|word| word.to_le_bytes()),
        );
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&shared);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(&extra);
        self.bytes.extend(bytes);
        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&shared);
        // No comment, one disk, no attributes.
        self.directory.extend([0; 10]);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.directory.extend(&extra);
        self.entries += 1;
    }

    pub fn finish(self) -> Vec<u8> {
        let (offset, size) = (self.bytes.len() as u32, self.directory.len() as u32);
        let mut bytes = [self.bytes, self.directory].concat();
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([self.entries.to_le_bytes(), self.entries.to_le_bytes()].concat());
        bytes.extend([size.to_le_bytes(), offset.to_le_bytes()].concat());
        bytes.extend([0, 0]);
        bytes
    }
}

/// The CRC-32 of zip archives, computed bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// The precision of a storage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    Half,
    BFloat16,
    Single,
    Double,
}

impl Precision {
    /// The name of PyTorch's storage class.
    fn storage(self) -> &'static str {
        match self {
            Self::Half => "HalfStorage",
            Self::BFloat16 => "BFloat16Storage",
            Self::Single => "FloatStorage",
            Self::Double => "DoubleStorage",
        }
    }

    pub fn bytes(self, number: f32) -> Vec<u8> {
        match self {
            Self::Half => f16::from_f32(number).to_le_bytes().to_vec(),
            Self::BFloat16 => bf16::from_f32(number).to_le_bytes().to_vec(),
            Self::Single => number.to_le_bytes().to_vec(),
            Self::Double => f64::from(number).to_le_bytes().to_vec(),
        }
    }
}

/// A tensor of a state dict: name, shape, strides, and number of elements in its storage.
pub struct Entry {
    pub name: String,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
    pub elements: usize,
    pub precision: Precision,
}

impl Entry {
    /// A contiguous tensor in row-major order.
    pub fn new(name: &str, shape: &[usize]) -> Self {
        let strides = (0..shape.len())
            .map(|axis| shape[axis + 1..].iter().product())
            .collect();
        Self {
            name: name.into(),
            shape: shape.into(),
            strides,
            elements: shape.iter().product(),
            precision: Precision::Single,
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    [b"X", (text.len() as u32).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

fn int(value: usize) -> Vec<u8> {
    let bytes = (value as u64).to_le_bytes();
    [b"\x8a\x09".as_slice(), &bytes, b"\0"].concat()
}

fn tuple(values: &[usize]) -> Vec<u8> {
    [
        b"(".to_vec(),
        values.iter().flat_map(|&value| int(value)).collect(),
        b"t".to_vec(),
    ]
    .concat()
}

/// A pickle at protocol 2 of a dictionary of tensors. The key of each storage is its index.
pub fn state_dict(entries: &[Entry]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}".to_vec();
    for (key, entry) in entries.iter().enumerate() {
        pickle.extend(text(&entry.name));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        pickle.extend(text("storage"));
        pickle.extend(format!("ctorch\n{}\n", entry.precision.storage()).bytes());
        pickle.extend([text(&key.to_string()), text("cpu"), int(entry.elements)].concat());
        pickle.extend(b"tQ");
        pickle.extend([int(0), tuple(&entry.shape), tuple(&entry.strides)].concat());
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtRs");
    }
    pickle.push(b'.');
    pickle
}

/// Bytes of a storage. Element `at` of storage `key` is `key + at / 100`.
fn storage(key: usize, entry: &Entry) -> Vec<u8> {
    (0..entry.elements)
        .flat_map(|at| entry.precision.bytes(key as f32 + at as f32 / 100.0))
        .collect()
}

/// A file in the format of PyTorch 1.6 and later.
pub fn zip_file(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.add("model/data.pkl", &state_dict(entries));
    archive.add("model/byteorder", b"little");
    for (key, entry) in entries.iter().enumerate() {
        archive.add(&format!("model/data/{key}"), &storage(key, entry));
    }
    archive.add("model/version", b"3\n");
    archive.finish()
}

/// A file in PyTorch's older format, with any pickle as its object.
pub fn legacy_file(root: &[u8], entries: &[Entry]) -> Vec<u8> {
    let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    file.extend(b"\x80\x02}(");
    file.extend(
        [
            text("protocol_version"),
            b"M\xe9\x03".to_vec(),
            text("little_endian"),
            b"\x88".to_vec(),
        ]
        .concat(),
    );
    file.extend([text("type_sizes"), b"}u.".to_vec()].concat());
    file.extend(root);
    file.extend(b"\x80\x02](");
    (0..entries.len()).for_each(|key| file.extend(text(&key.to_string())));
    file.extend(b"e.");
    for (key, entry) in entries.iter().enumerate() {
        file.extend((entry.elements as u64).to_le_bytes());
        file.extend(storage(key, entry));
    }
    file
}
