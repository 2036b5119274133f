//! From a clip's plan to normalized model input.
//!
//! On the host the loader threads do it, with the same signal processing that built the shards. On the device whole
//! batches are made of raw samples, in tensor operations.

mod device;
mod host;

pub use device::{DeviceFrontEnd, UnsupportedFeatures};
pub use host::{HostFrontEnd, HostScratch};
