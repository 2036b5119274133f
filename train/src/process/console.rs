//! What a person sees while a command runs: lines and bars on stderr. Results go to stdout and are not written here.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use shared::runtime::progress;

/// How talkative a command is.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    quiet: bool,
}

impl Console {
    /// `quiet` shows no progress; warnings go to the log and results to stdout, quiet or not.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// A line of the log.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            tracing::info!("{text}");
        }
    }

    /// A bar over `steps` steps with rate and time left; invisible where stderr is no terminal.
    pub fn bar(&self, label: String, steps: usize, done: usize) -> ProgressBar {
        const STEPS: &str = "{prefix} {bar:30} {pos}/{len} steps, {per_sec}, {eta} left {msg}";
        self.drawn(STEPS, steps).with_prefix(label).with_position(done as u64)
    }

    /// The same over `count` things that are called so.
    pub fn count(&self, things: &'static str, count: usize) -> ProgressBar {
        const THINGS: &str = "{bar:30} {pos}/{len} {prefix}, {per_sec}, {eta} left";
        self.drawn(THINGS, count).with_prefix(things)
    }

    fn drawn(&self, template: &str, length: usize) -> ProgressBar {
        progress::bar(template, length as u64, self.quiet)
    }

    /// Several bars below each other; invisible where stderr is no terminal.
    pub fn lines(&self) -> MultiProgress {
        let lines = MultiProgress::new();
        if self.quiet || !progress::has_terminal() {
            lines.set_draw_target(ProgressDrawTarget::hidden());
        }
        lines
    }
}
