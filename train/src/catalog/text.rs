//! The catalog as a table for terminals, and as JSON.

use super::row::{Facts, Metric, Row};
use crate::process::text_table::{Align, fitted_table};
use serde_json::{Value, json};
use shared::runtime::text::{date, last_part};
use std::path::Path;

impl Row {
    /// The path below `root`; the name of `root` for itself.
    pub(super) fn name(&self, root: &Path) -> String {
        match self.path.strip_prefix(root) {
            Ok(below) if below.as_os_str().is_empty() => root.display().to_string(),
            Ok(below) => below.display().to_string(),
            Err(_) => self.path.display().to_string(),
        }
    }

    pub(super) fn changed(&self) -> String {
        self.changed.and_then(date).unwrap_or_else(|| "–".into())
    }

    pub fn to_json(&self) -> Value {
        let mut row = match &self.facts {
            Ok(facts) => json!(facts),
            Err(reason) => json!({ "state": "unreadable", "reason": reason }),
        };
        row["run"] = json!(self.path.to_string_lossy());
        row["changed"] = json!(self.changed.and_then(date));
        row
    }
}

impl Facts {
    /// The name of the data set's directory.
    pub(super) fn data_name(&self) -> String {
        last_part(Path::new(&self.data))
    }
}

/// `top-1 0.575 [0.493, 0.660]`.
pub(super) fn describe(metric: Option<&Metric>) -> String {
    metric.map_or_else(
        || "–".into(),
        |Metric {
             metric,
             value,
             interval,
         }| {
            let interval = interval.map_or_else(String::new, |[low, high]| format!(" [{low:.3}, {high:.3}]"));
            format!("{metric} {value:.3}{interval}")
        },
    )
}

/// A line for each row; in a terminal of this width two lines if one is too long.
pub fn text(rows: &[Row], root: &Path, width: Option<usize>) -> String {
    // In two lines, the first has the run and its state.
    const HEAD: usize = 3;
    let header = [
        "run",
        "changed (UTC)",
        "state",
        "model",
        "data set",
        "split",
        "validation",
        "test",
    ];
    let mut table = vec![header.map(String::from).to_vec()];
    for row in rows {
        let mut cells = vec![row.name(root), row.changed()];
        match &row.facts {
            Ok(facts) => cells.extend([
                facts.state.to_string(),
                facts.model.clone(),
                facts.data_name(),
                facts.split.clone(),
                describe(facts.val.as_ref()),
                describe(facts.test.as_ref()),
            ]),
            Err(_) => {
                cells.push("unreadable".into());
                cells.extend(["–"; 5].map(String::from));
            }
        }
        table.push(cells);
    }
    let mut text = fitted_table(&table, Align::Left, HEAD, width);
    for (row, reason) in rows.iter().filter_map(|row| Some((row, row.facts.as_ref().err()?))) {
        text += &format!("\n{}: {reason}", row.name(root));
    }
    text
}
