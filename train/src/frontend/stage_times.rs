//! Time that each stage of loading takes.

use std::ops::{Add, AddAssign};
use std::time::{Duration, Instant};

/// Time per stage, summed over threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Copying out of the mapped shards, with page faults and the conversion to f32.
    pub read: Duration,
    pub augment: Duration,
    /// Mel spectrogram, dB and normalization.
    pub front_end: Duration,
}

impl StageTimes {
    pub fn total(&self) -> Duration {
        self.read + self.augment + self.front_end
    }
}

impl Add for StageTimes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            augment: self.augment + other.augment,
            front_end: self.front_end + other.front_end,
        }
    }
}

/// Runs `work` and adds its duration to `stage`.
pub fn timed<T>(stage: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    stage.add_assign(began.elapsed());
    result
}
