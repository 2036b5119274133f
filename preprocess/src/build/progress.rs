//! How a build says how far it is.

/// Watches a build; by default, nobody does.
pub trait BuildProgress {
    /// Work begins on `total` tracks, of which `done` were dealt with in an earlier run.
    fn begin(&mut self, _total: usize, _done: usize) {}

    /// One more track is kept or dropped.
    fn track(&mut self, _kept: bool) {}

    /// All tracks are dealt with.
    fn end(&mut self) {}
}
