//! A PyTorch file's bytes enter; whether a reader may see them leaves.
//!
//! The reader is not ours, and what it allows is more than weights need: opaque calls in pickles, compressed entries whose
//! size is a promise, entries of any name. Files that `torch.save` writes have none of these.

use super::pickle_scan::{PickleRefusal, scan};
use std::io::{Cursor, Read};
use std::path::{Component, Path};
use zip::{CompressionMethod, ZipArchive};

/// The key and value of the file's metadata that say that its layouts are PyTorch's, as Hugging Face's libraries write
/// them.
pub const PYTORCH_FORMAT: (&str, &str) = ("format", "pt");

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A pickle is no list of tensors.
    #[error(transparent)]
    Pickle(#[from] PickleRefusal),
    /// The archive cannot be read.
    #[error("its archive is damaged: {0}")]
    Archive(String),
    /// An entry would leave the directory that it is unpacked into.
    #[error("its entry `{0}` leads out of the archive")]
    Path(String),
    /// An entry is larger than the file, or is compressed, which PyTorch does not do.
    #[error("its entry `{name}` promises {promised} bytes in {stored} of a file of {file}")]
    Size {
        name: String,
        /// Its size when it is unpacked.
        promised: u64,
        /// Its size in the file.
        stored: u64,
        file: usize,
    },
    /// PyTorch before 0.1.10.
    #[error("it is a tar archive of PyTorch before 0.1.10; load it there and save it again")]
    Tar,
}

/// PyTorch 0.1.10 to 1.5 begin a file with this number, 0x1950a86a20f9469cfc6c: as a binary number or, at protocols 0 and
/// 1, in digits.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const LEGACY_MAGIC_DIGITS: &[u8] = b"119547037146038801333356";
/// Within so many bytes.
const LEGACY_MAGIC_SEARCH: usize = 64;
/// Pickles of such a file: the number, the protocol, the system, the object and the keys of its storages, whose bytes
/// follow.
const LEGACY_PICKLES: usize = 5;
/// Where a tar archive says that it is one.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
/// The most that the reader takes for a pickle.
const MAX_PICKLE: u64 = 100 << 20;

/// Refuses a file that asks for code, leads out of itself or promises more than it holds.
pub fn check(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.starts_with(b"PK") {
        return check_archive(bytes);
    }
    if bytes
        .get(TAR_MAGIC.0..)
        .is_some_and(|rest| rest.starts_with(TAR_MAGIC.1))
    {
        return Err(Refusal::Tar);
    }
    let pickles = if is_legacy(bytes) { LEGACY_PICKLES } else { 1 };
    let mut at = 0;
    for _ in 0..pickles {
        at += scan(&bytes[at..]).map_err(|refusal| match refusal {
            PickleRefusal::Malformed(within) => PickleRefusal::Malformed(at + within),
            code => code,
        })?;
    }
    Ok(())
}

fn is_legacy(bytes: &[u8]) -> bool {
    let beginning = &bytes[..bytes.len().min(LEGACY_MAGIC_SEARCH)];
    let has = |magic: &[u8]| beginning.windows(magic.len()).any(|window| window == magic);
    has(&LEGACY_MAGIC) || has(LEGACY_MAGIC_DIGITS)
}

fn check_archive(bytes: &[u8]) -> Result<(), Refusal> {
    let damaged = |error: zip::result::ZipError| Refusal::Archive(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    for number in 0..archive.len() {
        let (name, is_pickle) = {
            let entry = archive.by_index_raw(number).map_err(damaged)?;
            let name = entry.name().map_err(damaged)?.into_owned();
            let (promised, stored) = (entry.size(), entry.compressed_size());
            let too_large = promised > bytes.len() as u64 || promised != stored;
            if too_large || entry.compression() != CompressionMethod::Stored {
                return Err(Refusal::Size {
                    name: shown(&name),
                    promised,
                    stored,
                    file: bytes.len(),
                });
            }
            let is_pickle = name == "data.pkl" || name.ends_with("/data.pkl");
            (name, is_pickle)
        };
        if leads_out(&name) {
            return Err(Refusal::Path(shown(&name)));
        }
        if is_pickle {
            let mut pickle = Vec::new();
            let entry = archive.by_index(number).map_err(damaged)?;
            let read = entry.take(MAX_PICKLE).read_to_end(&mut pickle);
            read.map_err(|error| Refusal::Archive(format!("{}: {error}", shown(&name))))?;
            scan(&pickle)?;
        }
    }
    Ok(())
}

/// Windows' separators count everywhere: nobody who packs weights needs them.
fn leads_out(name: &str) -> bool {
    let unix = name.replace('\\', "/");
    let outside = |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(&unix).components().any(outside) || unix.contains(':') || unix.contains('\0')
}

/// Without control characters that would reach a terminal.
fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}

#[cfg(test)]
pub(crate) mod crafted;
#[cfg(test)]
mod tests;
