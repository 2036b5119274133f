//! Gives access to checked slices of a shard file. The memory map is the only `unsafe` code of this crate.

use super::ShardKind;
use crate::runtime::file_error::FileError;
use half::f16;
use memmap2::{Advice, Mmap, MmapMut};
use safetensors::SafeTensors;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A shard that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The file cannot be opened or mapped.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not match the index.
    #[error("shard {} is damaged: {detail}; run `preprocess verify --repair` on its data set", path.display())]
    Damaged {
        /// The shard.
        path: PathBuf,
        /// The problem.
        detail: String,
    },
}

/// A memory-mapped shard file whose header is checked: every tensor is inside the file, has the dtype and rank of its
/// kind, and is named by a track id.
#[derive(Debug)]
pub struct MappedShard {
    map: Mmap,
    kind: ShardKind,
    tensors: HashMap<u64, Tensor>,
}

#[derive(Clone, Debug)]
struct Tensor {
    begin: usize,
    end: usize,
    rows: usize,
}

impl Tensor {
    /// The tensor as samples; `shard` is the content of the whole file.
    fn samples<'a>(&self, shard: &'a [u8]) -> &'a [i16] {
        bytemuck::cast_slice(&shard[self.begin..self.end])
    }

    /// The tensor as a mel spectrogram; `shard` is the content of the whole file.
    fn mel<'a>(&self, shard: &'a [u8]) -> MelView<'a> {
        let values: &[f16] = bytemuck::cast_slice(&shard[self.begin..self.end]);
        MelView {
            values,
            n_mels: self.rows,
            frames: values.len() / self.rows,
        }
    }
}

/// A track's mel spectrogram in dB (reference 1.0), row by row: band `b` of frame `t` is `values[b * frames + t]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelView<'a> {
    /// `n_mels * frames` values.
    pub values: &'a [f16],
    /// Mel bands.
    pub n_mels: usize,
    /// Frames.
    pub frames: usize,
}

impl MappedShard {
    /// Maps the shard at `path`, which must be `bytes` long.
    pub fn open(path: &Path, kind: ShardKind, bytes: u64) -> Result<Self, ShardError> {
        let damaged = |detail: String| ShardError::Damaged {
            path: path.to_owned(),
            detail,
        };
        let file = File::open(path).map_err(FileError::at(path))?;
        let length = file.metadata().map_err(FileError::at(path))?.len();
        if length != bytes {
            return Err(damaged(format!("it has {length} bytes and should have {bytes}")));
        }
        // SAFETY: a finished shard is never written again: it gets its name by a rename when it is complete, and a
        // repair renames another file over it, which leaves this mapping's pages as they are. Truncating it in place
        // by other means would be undefined behaviour, as for every reader that maps files.
        #[expect(unsafe_code, reason = "a memory map cannot be made without it")]
        let map = unsafe { Mmap::map(&file) }.map_err(FileError::at(path))?;
        let tensors = parse(&map, kind).map_err(damaged)?;
        Ok(Self { map, kind, tensors })
    }

    /// The samples of a track, if the shard is a waveform shard that holds it.
    pub fn waveform(&self, track_id: u64) -> Option<&[i16]> {
        let tensor = self
            .tensors
            .get(&track_id)
            .filter(|_| self.kind == ShardKind::Waveform)?;
        Some(tensor.samples(&self.map))
    }

    /// The mel spectrogram of a track, if the shard is a mel shard that holds it.
    pub fn mel(&self, track_id: u64) -> Option<MelView<'_>> {
        let tensor = self.tensors.get(&track_id).filter(|_| self.kind == ShardKind::Mel)?;
        Some(tensor.mel(&self.map))
    }

    /// The raw bytes of a track's tensor, for checksums.
    pub fn bytes(&self, track_id: u64) -> Option<&[u8]> {
        self.tensors
            .get(&track_id)
            .map(|tensor| &self.map[tensor.begin..tensor.end])
    }

    /// Everything before the tensor data: the length word and the padded header.
    pub fn head(&self) -> &[u8] {
        let begin = self
            .tensors
            .values()
            .map(|tensor| tensor.begin)
            .min()
            .unwrap_or(self.map.len());
        &self.map[..begin]
    }

    /// Tracks in the shard.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether the shard holds no track.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// Asks the kernel to read the whole shard ahead. Advice only: failure costs speed, nothing else.
    pub fn will_need(&self) -> io::Result<()> {
        self.map.advise(Advice::WillNeed)
    }

    /// Copies the shard into this program's memory and forgets the file, so no later access waits for a disk.
    pub fn load(&mut self) -> io::Result<()> {
        let mut copy = MmapMut::map_anon(self.map.len())?;
        // Not `Advice::Sequential`: on file systems in user space Linux then reads one page at a time, 17 times slower
        // than without any advice where each read takes 20 ms.
        let _ = self.will_need();
        copy.copy_from_slice(&self.map);
        self.map = copy.make_read_only()?;
        Ok(())
    }
}

fn parse(bytes: &[u8], kind: ShardKind) -> Result<HashMap<u64, Tensor>, String> {
    let (header_bytes, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let data_start = header_bytes + 8;
    let mut tensors = HashMap::with_capacity(metadata.tensors().len());
    for (name, info) in metadata.tensors() {
        let track_id: u64 = name
            .parse()
            .map_err(|_| format!("tensor `{name}` is not named by a track id"))?;
        if info.dtype != kind.dtype() {
            return Err(format!("tensor `{name}` is {:?}, not {:?}", info.dtype, kind.dtype()));
        }
        let rows = match (kind, info.shape.as_slice()) {
            (ShardKind::Waveform, [_]) => 1,
            (ShardKind::Mel, [rows, _]) if *rows > 0 => *rows,
            (_, shape) => return Err(format!("tensor `{name}` has the shape {shape:?}")),
        };
        let (begin, end) = (data_start + info.data_offsets.0, data_start + info.data_offsets.1);
        // bytemuck would panic on a slice that does not begin on a two-byte boundary.
        if !begin.is_multiple_of(2) {
            return Err(format!("tensor `{name}` begins at the odd byte {begin}"));
        }
        tensors.insert(track_id, Tensor { begin, end, rows });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::super::{DATA_START, ShardWriter};
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn write(path: &Path, tracks: &[(u64, Vec<i16>)]) -> u64 {
        let mut writer = ShardWriter::create(path, ShardKind::Waveform).unwrap();
        for (id, samples) in tracks {
            writer.push_waveform(*id, samples).unwrap();
        }
        writer.finish().unwrap().bytes
    }

    fn raw(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]
        #[test]
        #[cfg_attr(miri, ignore = "Miri maps no files")]
        fn any_waveforms_round_trip(tracks in prop::collection::btree_map(any::<u64>(), prop::collection::vec(any::<i16>(), 0..50), 0..20)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("waveform.safetensors");
            let tracks: Vec<_> = tracks.into_iter().collect();
            let bytes = write(&path, &tracks);
            prop_assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
            let shard = MappedShard::open(&path, ShardKind::Waveform, bytes).unwrap();
            prop_assert_eq!(shard.len(), tracks.len());
            for (id, samples) in &tracks {
                prop_assert_eq!(shard.waveform(*id).unwrap(), samples.as_slice());
                prop_assert!(shard.mel(*id).is_none());
            }
            prop_assert_eq!(shard.head().len(), DATA_START);
            // Another safetensors reader opens it, too.
            let file = fs::read(&path).unwrap();
            prop_assert_eq!(SafeTensors::deserialize(&file).unwrap().len(), tracks.len());
        }

        #[test]
        #[cfg_attr(miri, ignore = "Miri maps no files")]
        fn any_mel_spectrograms_round_trip(n_mels in 1usize..9, tracks in prop::collection::btree_map(any::<u64>(), prop::collection::vec(any::<u16>(), 0..60), 0..9)) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("mel.safetensors");
            let mut writer = ShardWriter::create(&path, ShardKind::Mel).unwrap();
            let whole_rows = |bits: &[u16]| -> Vec<f16> {
                bits[..bits.len() / n_mels * n_mels].iter().map(|&bits| f16::from_bits(bits)).collect()
            };
            for (id, bits) in &tracks {
                writer.push_mel(*id, n_mels, &whole_rows(bits)).unwrap();
            }
            let shard = MappedShard::open(&path, ShardKind::Mel, writer.finish().unwrap().bytes).unwrap();
            for (id, bits) in &tracks {
                let mel = shard.mel(*id).unwrap();
                let expected = whole_rows(bits);
                prop_assert_eq!((mel.n_mels, mel.frames), (n_mels, expected.len() / n_mels));
                // Compared bit by bit, because NaN is not equal to itself.
                prop_assert_eq!(bytemuck::cast_slice::<f16, u16>(mel.values), bytemuck::cast_slice::<f16, u16>(&expected));
            }
        }

        #[test]
        fn parsing_hostile_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, ShardKind::Mel);
        }

        #[test]
        fn parsing_a_changed_header_byte_does_not_panic(at in 0usize..400, value in any::<u8>()) {
            let mut bytes = raw(r#"{"7":{"dtype":"I16","shape":[2],"data_offsets":[0,4]}} "#, &[0; 4]);
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(tensors) = parse(&bytes, ShardKind::Waveform) {
                for tensor in tensors.values() {
                    prop_assert!(tensor.end <= bytes.len());
                }
            }
        }
    }

    /// The same casts as on a memory map, for Miri, which cannot make one.
    #[test]
    fn tensors_are_read_from_plain_bytes() {
        let header = r#"{"7":{"dtype":"I16","shape":[3],"data_offsets":[0,6]},"8":{"dtype":"I16","shape":[0],"data_offsets":[6,6]}}"#;
        let mels = r#"{"7":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}}  "#;
        for (kind, header, data) in [
            (ShardKind::Waveform, header, [1, 0, 0xff, 0xff, 0, 0x80].as_slice()),
            (ShardKind::Mel, mels, &[0, 0x3c, 0, 0x40, 0, 0x42, 0, 0x44]),
        ] {
            let bytes = raw(&format!("{header}{}", " ".repeat(header.len() % 2)), data);
            // Aligned to two bytes; a map is aligned to a page.
            let mut aligned = vec![0u16; bytes.len().div_ceil(2)];
            bytemuck::cast_slice_mut::<u16, u8>(&mut aligned)[..bytes.len()].copy_from_slice(&bytes);
            let shard = &bytemuck::cast_slice::<u16, u8>(&aligned)[..bytes.len()];
            let tensors = parse(shard, kind).unwrap();
            match kind {
                ShardKind::Waveform => {
                    assert_eq!(tensors[&7].samples(shard), [1, -1, i16::MIN]);
                    assert!(tensors[&8].samples(shard).is_empty());
                }
                ShardKind::Mel => {
                    let mel = tensors[&7].mel(shard);
                    assert_eq!((mel.n_mels, mel.frames), (2, 2));
                    assert_eq!(mel.values, [1.0, 2.0, 3.0, 4.0].map(f16::from_f32));
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn mel_spectrogram_is_read_with_its_shape() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mel.safetensors");
        let mut writer = ShardWriter::create(&path, ShardKind::Mel).unwrap();
        let values: Vec<f16> = (0..6).map(|value| f16::from_f32(value as f32)).collect();
        writer.push_mel(3, 2, &values).unwrap();
        let bytes = writer.finish().unwrap().bytes;
        let shard = MappedShard::open(&path, ShardKind::Mel, bytes).unwrap();
        assert_eq!(
            shard.mel(3),
            Some(MelView {
                values: &values,
                n_mels: 2,
                frames: 3
            })
        );
        assert_eq!(shard.mel(4), None);
    }

    #[test]
    fn error_names_each_kind_of_damage() {
        let cases = [
            (
                raw(r#"{"x":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}"#, &[0; 2]),
                "not named by a track id",
            ),
            (
                raw(r#"{"1":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4]),
                "F32",
            ),
            (
                raw(r#"{"1":{"dtype":"I16","shape":[1,1],"data_offsets":[0,2]}}"#, &[0; 2]),
                "shape",
            ),
            (
                raw(r#"{"1":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}} "#, &[0; 2]),
                "odd byte",
            ),
            (
                raw(r#"{"1":{"dtype":"I16","shape":[9],"data_offsets":[0,18]}}"#, &[0; 2]),
                "",
            ),
            (vec![255; 8], ""),
        ];
        for (bytes, expected) in cases {
            let error = parse(&bytes, ShardKind::Waveform).unwrap_err();
            assert!(error.contains(expected), "{error} should contain {expected}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn a_shard_of_the_wrong_size_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("waveform.safetensors");
        let bytes = write(&path, &[(1, vec![1, 2, 3])]);
        let error = MappedShard::open(&path, ShardKind::Waveform, bytes + 1)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("waveform.safetensors") && error.contains("should have"),
            "{error}"
        );
    }
}
