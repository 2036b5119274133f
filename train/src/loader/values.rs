//! Values of a batch that a tensor shares instead of copying them.

use burn::tensor::{AllocationProperty, Bytes};
use bytemuck::{Pod, cast_slice};
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

/// Reusable memory for the values of all clips of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values<T>(Arc<Vec<T>>);

impl<T: Pod + Send + Sync> Values<T> {
    /// Resizes to `count` unspecified values. Allocates only if there never were as many, or if a tensor still has the
    /// old ones.
    pub fn reset(&mut self, count: usize) {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = Arc::default();
        }
        self.resize(count);
    }

    /// Resizes and keeps the values. New ones are zeros.
    pub fn resize(&mut self, count: usize) {
        Arc::<Vec<T>>::make_mut(&mut self.0).resize(count, T::zeroed());
    }

    /// A part of the values for a tensor, which keeps all of them until it is dropped.
    pub fn share(&self, part: Range<usize>) -> Bytes {
        let all = bytes::Bytes::from_owner(Owner(Arc::clone(&self.0)));
        let size = size_of::<T>();
        Bytes::from_shared(all.slice(part.start * size..part.end * size), AllocationProperty::Other)
    }
}

impl<T> From<Vec<T>> for Values<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Arc::new(values))
    }
}

impl<T> FromIterator<T> for Values<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Vec::from_iter(values).into()
    }
}

impl<T> Deref for Values<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Copies the values first if a tensor has them.
impl<T: Clone> DerefMut for Values<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        Arc::<Vec<T>>::make_mut(&mut self.0)
    }
}

struct Owner<T>(Arc<Vec<T>>);

impl<T: Pod> AsRef<[u8]> for Owner<T> {
    fn as_ref(&self) -> &[u8] {
        cast_slice(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, Tensor, TensorData};

    #[test]
    fn memory_is_reused_once_no_tensor_has_it() {
        let mut values = Values::from(vec![1.0f32, 2.0, 3.0]);
        let address = values.as_ptr();
        let data = TensorData::from_bytes(values.share(1..3), [2], DType::F32);
        let tensor = Tensor::<1>::from_data(data, &Device::flex());

        values.reset(3);
        values.fill(9.0);
        assert_ne!(values.as_ptr(), address);
        assert_eq!(tensor.clone().into_data().try_to_vec::<f32>().unwrap(), [2.0, 3.0]);

        let mut values = Values::from(vec![1.0f32, 2.0, 3.0]);
        let address = values.as_ptr();
        let data = TensorData::from_bytes(values.share(0..3), [3], DType::F32);
        drop(Tensor::<1>::from_data(data, &Device::flex()));
        values.reset(2);
        assert_eq!((values.as_ptr(), values.len()), (address, 2));
    }

    #[test]
    fn operations_in_place_do_not_change_the_values() {
        let values = Values::from(vec![1.0f32, 2.0]);
        let data = TensorData::from_bytes(values.share(0..2), [2], DType::F32);
        let sum = Tensor::<1>::from_data(data, &Device::flex()) + 1.0;
        assert_eq!(sum.into_data().try_to_vec::<f32>().unwrap(), [2.0, 3.0]);
        assert_eq!(*values, [1.0, 2.0]);
    }
}
