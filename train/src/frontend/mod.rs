//! From a clip's plan to normalized model input.
//!
//! On the host the loader threads do it, with the same signal processing that built the shards.

mod host;

pub use host::{HostFrontEnd, HostScratch};
