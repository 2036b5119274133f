//! The bars of both programs.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Whether bars are seen: standard error is a terminal.
pub fn has_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// A bar of this length on standard error; hidden where that is no terminal, and if `quiet`.
///
/// # Panics
/// When the template of indicatif is malformed.
pub fn bar(template: &str, length: u64, quiet: bool) -> ProgressBar {
    if quiet || !has_terminal() {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template(template).expect("the template is constant and valid");
    ProgressBar::new(length).with_style(style)
}
