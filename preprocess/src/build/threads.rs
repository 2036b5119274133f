//! The thread pool that works on tracks, and values per thread.

use anyhow::Context;
use std::sync::{Mutex, PoisonError};
pub fn thread_pool(jobs: usize) -> anyhow::Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .thread_name(|index| format!("extract-{index}"))
        .build()
        .with_context(|| format!("could not start {jobs} threads; use a lower --jobs"))
}

/// One value per thread of a pool, so FFT plans and buffers are created once.
pub struct PerThread<T>(Vec<Mutex<T>>);

impl<T> PerThread<T> {
    pub fn new(pool: &rayon::ThreadPool, make: impl Fn() -> T) -> Self {
        Self((0..pool.current_num_threads()).map(|_| Mutex::new(make())).collect())
    }

    /// Runs `work` with the value of the current thread, which is one of the pool's.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let thread = rayon::current_thread_index().expect("work runs on the pool's threads");
        // A panic in the work ends the command, so no one uses a value that it left inconsistent.
        work(&mut self.0[thread].lock().unwrap_or_else(PoisonError::into_inner))
    }
}
