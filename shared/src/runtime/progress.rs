//! Progress bars of both programs.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;

/// Whether progress bars are visible: standard error is a terminal.
pub fn has_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// A progress bar of this length on standard error. It is hidden if `quiet`, or if standard error is not a terminal.
///
/// # Panics
/// If `template` is not a valid template of indicatif.
pub fn bar(template: &str, length: u64, quiet: bool) -> ProgressBar {
    if quiet || !has_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template(template).expect("the template is constant and valid");
    ProgressBar::new(length).with_style(style.with_key("per_sec", rate))
}

/// `383.1/s`. indicatif's own has four decimals.
fn rate(state: &ProgressState, text: &mut dyn Write) {
    // A text in memory takes everything.
    let _ = write!(text, "{:.1}/s", state.per_sec());
}
