//! Progress of a build.

/// Receives the progress of a build. The default methods do nothing.
pub trait BuildProgress {
    /// Work begins on `total` tracks, of which an earlier run processed `done`.
    fn begin(&mut self, _total: usize, _done: usize) {}

    /// One more track was kept or dropped.
    fn track(&mut self, _kept: bool) {}

    /// All tracks are processed.
    fn end(&mut self) {}
}
