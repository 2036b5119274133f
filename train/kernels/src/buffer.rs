//! A pool of buffers for the kernels' results. Dropping a tensor returns its buffer to the pool.
//!
//! Every training step allocates tensors of the same sizes. The operating system zeroes newly mapped memory, and the
//! program initialises it again, in one thread before any kernel starts: 34 MB per tensor for the encoder's first block
//! at batch size 8. A reused buffer needs neither.

use bytemuck::cast_slice;
use bytes::Bytes as SharedBytes;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Smaller buffers come from the allocator, which is fast at these sizes.
const MIN_VALUES: usize = 16 << 10;
/// Buffers kept in the pool. If there are more, the smallest is freed. A step of the largest model needs fewer.
const MAX_KEPT: usize = 64;

static KEPT: Mutex<Vec<Aligned>> = Mutex::new(Vec::new());

/// Bytes of a cache line. A vector of the processor's widest kind that starts at a multiple is read from one line.
const LINE: usize = 64;

/// Values that start at a cache line.
#[derive(Debug, Default)]
pub struct Aligned {
    values: Vec<f32>,
    start: usize,
    count: usize,
}

impl Aligned {
    /// Makes room for `count` values. All values are unspecified.
    pub fn resize(&mut self, count: usize) {
        let size = count + LINE / size_of::<f32>();
        // Not made shorter, because values are initialised again when it grows.
        if self.values.len() < size {
            self.values.resize(size, 0.0);
        }
        // An offset that cannot be determined is huge.
        let offset = self.values.as_ptr().align_offset(LINE);
        self.start = offset.min(LINE / size_of::<f32>());
        self.count = count;
    }

    fn capacity(&self) -> usize {
        self.values.capacity()
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..self.start + self.count]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.count]
    }
}

/// Values that are unspecified until they are written.
#[derive(Debug, Default)]
pub struct Buffer(Aligned);

impl Buffer {
    /// A buffer for `count` values: the smallest pooled one of `count` to twice as many values, or a new one.
    pub fn take(count: usize) -> Self {
        if count < MIN_VALUES {
            return Self::from(vec![0.0; count]);
        }
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = kept
            .iter()
            .enumerate()
            .filter(|(_, piece)| (count + LINE / size_of::<f32>()..=2 * count).contains(&piece.capacity()));
        let best = fitting.min_by_key(|(_, piece)| piece.capacity()).map(|(at, _)| at);
        let piece = best.map(|at| kept.swap_remove(at));
        drop(kept);
        let mut piece = piece.unwrap_or_default();
        piece.resize(count);
        Self(piece)
    }

    /// The buffer as bytes that a tensor can own. Dropping the tensor returns it to the pool.
    pub fn into_bytes(self) -> SharedBytes {
        SharedBytes::from_owner(self)
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        Self(Aligned {
            count: values.len(),
            values,
            start: 0,
        })
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
    fn buffer_of_a_dropped_tensor_is_reused_if_its_size_fits() {
        let count = 777_777;
        let first = Buffer::take(count);
        let address = first.as_ptr();
        drop(first.into_bytes());
        let second = Buffer::take(count - 5);
        assert_eq!((second.as_ptr(), second.len()), (address, count - 5));
        // A third of the buffer's size is too small: the buffer stays in the pool.
        drop(second);
        assert_ne!(Buffer::take(count / 3).as_ptr(), address);
    }
}
