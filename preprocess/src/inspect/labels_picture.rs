//! Draws the phi coefficients of label pairs as a heat map.

use super::labels::LabelReport;
use shared::page::{Heat, HeatCell, number};

/// With more labels, the values are only shown as tooltips of the cells.
const MAX_LABELS_WITH_VALUES: usize = 24;

impl LabelReport {
    /// The matrix as an SVG file.
    pub fn picture(&self) -> String {
        let cell = |row: usize, column: usize| {
            let phi = self.phi[row][column];
            let words = phi.map_or("–".into(), |phi| number(phi, 2));
            HeatCell {
                shade: phi,
                title: format!("{} and {}: {words}", self.labels[row], self.labels[column]),
                text: if self.labels.len() <= MAX_LABELS_WITH_VALUES {
                    words
                } else {
                    String::new()
                },
                ..HeatCell::default()
            }
        };
        let all = 0..self.labels.len();
        Heat {
            title: format!(
                "Correlation of {} labels (phi), {} tracks",
                self.labels.len(),
                self.tracks
            ),
            subtitle: "blue: together more often than by chance, red: less often".into(),
            rows: self.labels.clone(),
            columns: self.labels.clone(),
            cells: all
                .clone()
                .flat_map(|row| all.clone().map(move |column| (row, column)))
                .map(|(row, column)| cell(row, column))
                .collect(),
            ..Heat::default()
        }
        .draw()
        .file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::dataset::Task;

    #[test]
    fn any_number_of_labels_can_be_drawn() {
        for labels in [0, 1, 10, 188] {
            let phi = |a: usize, b: usize| (b != 1).then(|| if a == b { 1.0 } else { -0.1 * (a % 7) as f64 });
            let report = LabelReport {
                task: Task::MultiLabel,
                tracks: 9,
                labels: (0..labels).map(|at| format!("label <{at}>")).collect(),
                counts: vec![1; labels],
                labels_per_track: vec![0, 9],
                together: vec![vec![0; labels]; labels],
                phi: (0..labels).map(|a| (0..labels).map(|b| phi(a, b)).collect()).collect(),
            };
            let svg = report.picture();
            assert_eq!(svg.matches("class=\"cell").count(), labels * labels);
            assert_eq!(svg.contains("label &lt;0&gt;"), labels > 0);
            assert_eq!(svg.contains(">−0.30<"), labels == 10);
        }
    }
}
