//! Checks the bytes of a PyTorch file before a third-party reader opens it.
//!
//! The reader accepts more than weights need: opaque calls in pickles, compressed entries whose claimed size may be
//! wrong, entries with any name. Files that `torch.save` writes have none of these.

use super::pickle_scan::{PickleRefusal, scan};
use std::io::{Cursor, Read};
use std::path::{Component, Path};
use zip::{CompressionMethod, ZipArchive};

/// Metadata that marks a safetensors file as having PyTorch's layout, as Hugging Face's libraries write it.
pub const PYTORCH_FORMAT: (&str, &str) = ("format", "pt");

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A pickle contains something other than tensors.
    #[error(transparent)]
    Pickle(#[from] PickleRefusal),
    /// The archive cannot be read.
    #[error("its archive is damaged: {0}")]
    Archive(String),
    /// An entry's path is outside the directory that it is unpacked into.
    #[error("the path of its entry `{0}` is outside the archive")]
    Path(String),
    /// An entry claims more bytes than the file has, or is compressed, which PyTorch never does.
    #[error("its entry `{name}` claims {promised} bytes, stored as {stored}, in a file of {file} bytes")]
    Size {
        name: String,
        /// Uncompressed size that the entry claims.
        promised: u64,
        /// Size in the file.
        stored: u64,
        file: usize,
    },
    /// Written by PyTorch before 0.1.10.
    #[error("it is a tar archive of PyTorch before 0.1.10; load it in PyTorch and save it again")]
    Tar,
}

/// Files of PyTorch 0.1.10 to 1.5 begin with this number, 0x1950a86a20f9469cfc6c: in binary or, at protocols 0 and 1,
/// in digits.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const LEGACY_MAGIC_DIGITS: &[u8] = b"119547037146038801333356";
/// The number is searched in this many bytes.
const LEGACY_MAGIC_SEARCH: usize = 64;
/// Pickles of such a file: the number, the protocol, the system information, the object and the keys of its storages,
/// whose bytes follow.
const LEGACY_PICKLES: usize = 5;
/// Offset and value of a tar archive's signature.
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");
/// The reader's limit for a pickle.
const MAX_PICKLE: u64 = 100 << 20;

/// Refuses a file that contains code, has entries outside the archive, or claims sizes that it does not have.
pub fn check(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.starts_with(b"PK") {
        return check_archive(bytes);
    }
    if bytes
        .get(TAR_MAGIC.0..)
        .is_some_and(|tail| tail.starts_with(TAR_MAGIC.1))
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
        if is_outside(&name) {
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

/// Windows separators count on all systems, because weights never need them.
fn is_outside(name: &str) -> bool {
    let unix = name.replace('\\', "/");
    let outside = |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(&unix).components().any(outside) || unix.contains(':') || unix.contains('\0')
}

/// Escapes control characters, which must not reach a terminal.
fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}

#[cfg(test)]
pub(crate) mod crafted;
#[cfg(test)]
mod tests;
