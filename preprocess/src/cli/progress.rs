//! Progress on standard error: a bar on a terminal, otherwise a line from time to time, nothing with `--quiet`.

use crate::build::progress::BuildProgress;
use crate::verify::VerifyProgress;
use indicatif::ProgressBar;
use shared::runtime::progress::{bar, has_terminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::info;

const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A bar that is redrawn in place.
    Bar,
    /// A line every ten seconds, for log files.
    Lines,
    /// Nothing.
    Quiet,
}

impl Style {
    /// A bar if stderr is a terminal, otherwise lines.
    pub fn detect(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if has_terminal() {
            Self::Bar
        } else {
            Self::Lines
        }
    }
}

/// Progress of a build, counted in tracks.
pub struct TrackProgress {
    style: Style,
    bar: ProgressBar,
    begun: Instant,
    last_line: Instant,
    total: usize,
    done: usize,
    done_before: usize,
    dropped: usize,
}

impl TrackProgress {
    /// Hidden until the build begins.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            bar: ProgressBar::hidden(),
            begun: Instant::now(),
            last_line: Instant::now(),
            total: 0,
            done: 0,
            done_before: 0,
            dropped: 0,
        }
    }

    fn line(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        let rate = (self.done - self.done_before) as f64 / seconds.max(1e-3);
        let left = (self.total - self.done) as f64 / rate.max(1e-9);
        format!(
            "{} of {} tracks, {} dropped, {rate:.1} tracks/s, {} left",
            self.done,
            self.total,
            self.dropped,
            if rate > 0.0 { minutes(left) } else { "unknown".into() }
        )
    }
}

/// Formats seconds as `3:05`.
fn minutes(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

impl BuildProgress for TrackProgress {
    fn begin(&mut self, total: usize, done: usize) {
        (self.total, self.done, self.done_before) = (total, done, done);
        (self.begun, self.last_line) = (Instant::now(), Instant::now());
        match self.style {
            Style::Bar => {
                let template = "{bar:32} {pos}/{len} tracks  {per_sec}  {eta} left  {msg}";
                self.bar = bar(template, total as u64, false);
                self.bar.set_position(done as u64);
                self.bar.reset_eta();
            }
            Style::Lines if done > 0 => info!(done, total, "continuing after track {done} of {total}"),
            Style::Lines => info!(total, "{total} tracks"),
            Style::Quiet => {}
        }
    }

    fn track(&mut self, kept: bool) {
        self.done += 1;
        if !kept {
            self.dropped += 1;
            self.bar.set_message(format!("{} dropped", self.dropped));
        }
        self.bar.inc(1);
        if self.style == Style::Lines && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let (done, total, dropped) = (self.done, self.total, self.dropped);
            info!(done, total, dropped, "{}", self.line());
        }
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Progress of a verification, counted in bytes.
pub struct ByteProgress {
    style: Style,
    bar: Mutex<ProgressBar>,
}

impl ByteProgress {
    /// Hidden until the verification begins.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }

    fn with_bar(&self, act: impl FnOnce(&mut ProgressBar)) {
        act(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl VerifyProgress for ByteProgress {
    fn begin(&self, bytes: u64) {
        if self.style == Style::Bar {
            let template = "{bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
            self.with_bar(|shown| *shown = bar(template, bytes, false));
        }
    }

    fn read(&self, bytes: u64) {
        self.with_bar(|shown| shown.inc(bytes));
    }

    fn end(&self) {
        self.with_bar(|shown| shown.finish_and_clear());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_line_has_counts_rate_and_time_left() {
        let mut progress = TrackProgress::new(Style::Quiet);
        progress.begin(10, 2);
        progress.track(true);
        progress.track(false);
        let line = progress.line();
        assert!(line.starts_with("4 of 10 tracks, 1 dropped, "), "{line}");
        assert!(line.contains("tracks/s") && line.ends_with("left"), "{line}");
        assert_eq!((minutes(185.2), minutes(59.6)), ("3:05".into(), "1:00".into()));
    }
}
