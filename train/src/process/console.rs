//! Log lines and progress bars on stderr while a command runs. Results go to stdout and are not written here.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use shared::runtime::progress;

/// Progress output of a command.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    quiet: bool,
}

impl Console {
    /// `quiet` hides progress. Warnings still go to the log and results to stdout.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Logs one line, unless quiet.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            tracing::info!("{text}");
        }
    }

    /// A bar over `steps` steps with a label before and a message after it; hidden if stderr is not a terminal.
    pub fn bar(&self, label: String, steps: usize, done: usize) -> ProgressBar {
        const STEPS: &str = "{prefix} {bar:12} {pos}/{len} {msg}";
        self.new_bar(STEPS, steps).with_prefix(label).with_position(done as u64)
    }

    /// A bar over `count` items; `things` is their plural, such as `tracks`.
    pub fn count(&self, things: &'static str, count: usize) -> ProgressBar {
        const THINGS: &str = "{bar:30} {pos}/{len} {prefix}, {per_sec}, {eta} left";
        self.new_bar(THINGS, count).with_prefix(things)
    }

    fn new_bar(&self, template: &str, length: usize) -> ProgressBar {
        progress::bar(template, length as u64, self.quiet)
    }

    /// Several bars below each other; hidden if stderr is not a terminal.
    pub fn lines(&self) -> MultiProgress {
        let lines = MultiProgress::new();
        if self.quiet || !progress::has_terminal() {
            lines.set_draw_target(ProgressDrawTarget::hidden());
        }
        lines
    }
}
