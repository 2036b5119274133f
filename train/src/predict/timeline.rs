//! The probabilities of one file over time, and their table.

use super::run_predictor::TimelineRow;
use std::io;
use std::path::Path;

/// The classes of a file over time.
#[derive(Clone, Copy, Debug)]
pub struct Timeline<'a> {
    pub file: &'a Path,
    pub classes: &'a [String],
    /// The threshold of each tag; `None` if single-label.
    pub thresholds: Option<&'a [f64]>,
    /// Seconds of the window around each row that its probabilities are the mean of.
    pub window: f64,
    /// Adjacent parts of the file; at least one.
    pub rows: &'a [TimelineRow],
}

impl Timeline<'_> {
    pub fn seconds(&self) -> f64 {
        self.rows.last().map_or(0.0, |row| row.span.end)
    }

    /// `start`, `end` in seconds, and a column per class.
    pub fn write_csv(&self, file: &mut dyn io::Write) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(
            ["start", "end"]
                .into_iter()
                .chain(self.classes.iter().map(String::as_str)),
        )?;
        for TimelineRow { span, probabilities } in self.rows {
            let seconds = [span.start, span.end].map(|seconds| format!("{seconds:.3}"));
            writer.write_record(
                seconds
                    .into_iter()
                    .chain(probabilities.iter().map(|p| format!("{p:.6}"))),
            )?;
        }
        writer.flush()
    }
}
