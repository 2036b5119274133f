//! `preprocess inspect --labels`: how often each label occurs, how many labels a track has, and how labels correlate.

use super::InspectError;
use serde::Serialize;
use shared::dataset::{self, Dataset, Task};
use std::fmt;
use std::path::Path;

/// Number of pairs in the text.
const PAIRS_IN_TEXT: usize = 12;

/// Counts and correlations of the labels of the kept tracks. Rows and columns are in the order of `labels`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelReport {
    pub task: Task,
    pub tracks: usize,
    /// The classes, in the order of a model's outputs.
    pub labels: Vec<String>,
    /// Number of tracks with each label.
    pub counts: Vec<usize>,
    /// Number of tracks with no label, with one, with two, and so on.
    pub labels_per_track: Vec<usize>,
    /// `[labels, labels]`: number of tracks with both labels; on the diagonal, `counts`.
    pub together: Vec<Vec<usize>>,
    /// `[labels, labels]`: the phi coefficient, which is the Pearson correlation of two labels, from -1 to 1. `None` if
    /// all tracks or no tracks have one of the two.
    pub phi: Vec<Vec<Option<f64>>>,
}

impl LabelReport {
    /// Reads the tables of a data set; no shard is opened.
    pub fn read(root: &Path) -> Result<Self, InspectError> {
        let index = Dataset::read_index(root)?;
        let rows = dataset::read_tracks(root, &index)?;
        let place = |label: &String| index.classes.iter().position(|class| class == label);
        let tracks = rows.iter().map(|row| row.labels.iter().filter_map(place).collect());
        Ok(Self::new(index.task, index.classes.clone(), tracks))
    }

    /// `tracks` yields the indices in `labels` of each track's labels.
    fn new(task: Task, labels: Vec<String>, tracks: impl Iterator<Item = Vec<usize>>) -> Self {
        let mut together = vec![vec![0; labels.len()]; labels.len()];
        let (mut count, mut labels_per_track) = (0, Vec::new());
        for mut own in tracks {
            own.sort_unstable();
            own.dedup();
            count += 1;
            if labels_per_track.len() <= own.len() {
                labels_per_track.resize(own.len() + 1, 0);
            }
            labels_per_track[own.len()] += 1;
            for &a in &own {
                for &b in &own {
                    together[a][b] += 1;
                }
            }
        }
        let counts: Vec<usize> = (0..labels.len()).map(|at| together[at][at]).collect();
        let row = |a: usize| {
            (0..labels.len())
                .map(|b| phi(count, counts[a], counts[b], together[a][b]))
                .collect()
        };
        Self {
            task,
            tracks: count,
            phi: (0..labels.len()).map(row).collect(),
            labels,
            counts,
            labels_per_track,
            together,
        }
    }

    /// Average number of labels per track.
    pub fn cardinality(&self) -> f64 {
        let sum: usize = self.counts.iter().sum();
        sum as f64 / self.tracks.max(1) as f64
    }

    /// Pairs of different labels with their phi coefficient, in descending order of its absolute value.
    pub fn pairs(&self) -> Vec<(usize, usize, f64)> {
        let all = (0..self.labels.len()).flat_map(|a| (a + 1..self.labels.len()).map(move |b| (a, b)));
        let mut pairs: Vec<_> = all.filter_map(|(a, b)| Some((a, b, self.phi[a][b]?))).collect();
        pairs.sort_by(|x, y| y.2.abs().total_cmp(&x.2.abs()));
        pairs
    }
}

/// The phi coefficient of two labels: of all `tracks`, `a` have the first, `b` the second and `both` have both.
fn phi(tracks: usize, a: usize, b: usize, both: usize) -> Option<f64> {
    let [n, a, b, both] = [tracks, a, b, both].map(|count| count as f64);
    let variance = a * (n - a) * b * (n - b);
    (variance > 0.0).then(|| (n * both - a * b) / variance.sqrt())
}

impl fmt::Display for LabelReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "tracks    {}, {:.2} labels per track, {} labels in total",
            self.tracks,
            self.cardinality(),
            self.labels.len()
        )?;
        let width = self.labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let mut by_count: Vec<usize> = (0..self.labels.len()).collect();
        by_count.sort_by_key(|&at| std::cmp::Reverse(self.counts[at]));
        for (line, at) in by_count.into_iter().enumerate() {
            let name = if line == 0 { "label" } else { "" };
            let share = 100.0 * self.counts[at] as f64 / self.tracks.max(1) as f64;
            writeln!(
                out,
                "{name:<9} {:<width$} {:>7} tracks {share:>5.1} %",
                self.labels[at], self.counts[at]
            )?;
        }
        for (labels, tracks) in self
            .labels_per_track
            .iter()
            .enumerate()
            .filter(|(_, tracks)| **tracks > 0)
        {
            let plural = if labels == 1 { "label" } else { "labels" };
            writeln!(out, "with      {labels} {plural}: {tracks} tracks")?;
        }
        write!(out, "pairs     most strongly correlated, phi coefficient:")?;
        for (a, b, phi) in self.pairs().into_iter().take(PAIRS_IN_TEXT) {
            write!(
                out,
                "\n          {phi:>+6.2}  {} and {}, {} tracks with both",
                self.labels[a], self.labels[b], self.together[a][b]
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(labels: usize, tracks: Vec<Vec<usize>>) -> LabelReport {
        let names = (0..labels).map(|at| format!("label {at}")).collect();
        LabelReport::new(Task::MultiLabel, names, tracks.into_iter())
    }

    #[test]
    fn labels_are_counted_alone_and_together() {
        let report = report(4, vec![vec![0, 1], vec![1, 0], vec![2], vec![], vec![0, 1, 2]]);
        assert_eq!(report.counts, [3, 3, 2, 0]);
        assert_eq!(report.labels_per_track, [1, 1, 2, 1]);
        assert_eq!(report.together[0], [3, 3, 1, 0]);
        assert_eq!(report.phi[0][1], Some(1.0));
        // The two-by-two table 1, 2, 1, 1: (1 * 1 - 2 * 1) / sqrt(3 * 2 * 2 * 3).
        assert!((report.phi[0][2].unwrap() + 1.0 / 6.0).abs() < 1e-12);
        assert_eq!((report.phi[0][3], report.phi[3][3]), (None, None));
        assert_eq!(report.cardinality(), 8.0 / 5.0);
        assert_eq!(report.pairs()[0].0..=report.pairs()[0].1, 0..=1);
    }

    #[test]
    fn exclusive_labels_have_a_phi_of_minus_one() {
        let report = report(2, vec![vec![0], vec![0], vec![1], vec![1]]);
        assert_eq!(report.phi[0][1], Some(-1.0));
        let text = report.to_string();
        assert!(
            text.contains("-1.00  label 0 and label 1, 0 tracks with both"),
            "{text}"
        );
        assert!(text.contains("with      1 label: 4 tracks"), "{text}");
    }

    #[test]
    fn empty_data_set_is_described() {
        let text = report(0, Vec::new()).to_string();
        assert!(
            text.starts_with("tracks    0, 0.00 labels per track, 0 labels in total"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn phi_is_pearsons_correlation(tracks in prop::collection::vec((any::<bool>(), any::<bool>()), 1..60)) {
            let own = |(a, b): &(bool, bool)| [(0, a), (1, b)].into_iter().filter(|(_, has)| **has).map(|(at, _)| at).collect();
            let report = report(2, tracks.iter().map(own).collect());
            let n = tracks.len() as f64;
            let mean = |value: &dyn Fn(&(bool, bool)) -> f64| tracks.iter().map(value).sum::<f64>() / n;
            let (a, b) = (|t: &(bool, bool)| f64::from(u8::from(t.0)), |t: &(bool, bool)| f64::from(u8::from(t.1)));
            let (mean_a, mean_b) = (mean(&a), mean(&b));
            let covariance = mean(&|t| (a(t) - mean_a) * (b(t) - mean_b));
            let scale = (mean(&|t| (a(t) - mean_a).powi(2)) * mean(&|t| (b(t) - mean_b).powi(2))).sqrt();
            match report.phi[0][1] {
                Some(phi) => prop_assert!((phi - covariance / scale).abs() < 1e-9 && phi.abs() <= 1.0 + 1e-12),
                None => prop_assert!(scale < 1e-9),
            }
        }
    }
}
