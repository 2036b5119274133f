//! Memory of the kernels' results, kept when a tensor is dropped and used again.
//!
//! Every training step makes the same tensors anew. Memory fresh from the system must be cleared, first by the system
//! and then by the program, in one thread and before any work is done; for the encoder's first block that is 34 MB a
//! tensor at batch size 8. Memory that is used again needs neither.

use bytemuck::cast_slice;
use bytes::Bytes as SharedBytes;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Below this, memory comes from the allocator, which has such sizes at hand.
const MIN_VALUES: usize = 16 << 10;
/// Buffers that are kept; the largest of more than these. A step of the largest model needs fewer.
const MAX_KEPT: usize = 64;

static KEPT: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Values that have any content until they are written.
#[derive(Debug, Default)]
pub struct Buffer(Vec<f32>);

impl Buffer {
    /// Memory for `count` values: the smallest kept piece that holds them without being twice too large, or new.
    pub fn take(count: usize) -> Self {
        if count < MIN_VALUES {
            return Self(vec![0.0; count]);
        }
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = kept
            .iter()
            .enumerate()
            .filter(|(_, piece)| (count..=2 * count).contains(&piece.capacity()));
        let best = fitting.min_by_key(|(_, piece)| piece.capacity()).map(|(at, _)| at);
        let piece = best.map(|at| kept.swap_remove(at));
        drop(kept);
        let mut piece = piece.unwrap_or_default();
        piece.resize(count, 0.0);
        Self(piece)
    }

    /// As bytes that a tensor can own. Dropping the tensor gives the memory back.
    pub fn into_bytes(self) -> SharedBytes {
        SharedBytes::from_owner(self)
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        Self(values)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() < MIN_VALUES {
            return;
        }
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(std::mem::take(&mut self.0));
        if kept.len() > MAX_KEPT {
            let smallest = kept
                .iter()
                .enumerate()
                .min_by_key(|(_, piece)| piece.capacity())
                .map(|(at, _)| at);
            smallest.map(|at| kept.swap_remove(at));
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        cast_slice(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_dropped_tensor_is_used_again_where_it_fits() {
        let count = 777_777;
        let first = Buffer::take(count);
        let address = first.as_ptr();
        drop(first.into_bytes());
        let second = Buffer::take(count - 5);
        assert_eq!((second.as_ptr(), second.len()), (address, count - 5));
        // Too large by half: left for a tensor that needs it.
        drop(second);
        assert_ne!(Buffer::take(count / 3).as_ptr(), address);
    }
}
