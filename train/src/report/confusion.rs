//! The chart of a confusion matrix: counts, shaded by their fraction of the true class.

use crate::metrics::ConfusionMatrix;
use shared::page::{Chart, Heat, HeatCell};
use shared::runtime::text::counted;

/// With more classes, counts are shown only in the tooltips.
const MOST_WRITTEN: usize = 40;

/// A row per true class, a column per predicted one.
pub fn chart(matrix: &ConfusionMatrix, names: &[String], set: &str) -> Chart {
    let classes = 0..matrix.classes();
    let written = matrix.classes() <= MOST_WRITTEN;
    let cell = |truth: usize, predicted: usize| {
        let (count, total) = (matrix.count(truth, predicted), matrix.truth_total(truth));
        let share = count as f64 / total.max(1) as f64;
        let title = if truth == predicted {
            format!("{} predicted correctly", names[truth])
        } else {
            format!("{} predicted as {}", names[truth], names[predicted])
        };
        HeatCell {
            shade: Some(share),
            text: if written { count.to_string() } else { String::new() },
            note: if written && count > 0 {
                format!("{:.0} %", 100.0 * share)
            } else {
                String::new()
            },
            title: format!("{title}: {count} of {}", counted(total as usize, "track", "tracks")),
            framed: false,
        }
    };
    Heat {
        title: format!("Confusion on the {set} set"),
        subtitle: "tracks, and their fraction of the true class".into(),
        row_name: "true class".into(),
        column_name: "predicted class".into(),
        rows: names.to_vec(),
        columns: names.to_vec(),
        cells: classes
            .clone()
            .flat_map(|truth| classes.clone().map(move |predicted| (truth, predicted)))
            .map(|(truth, predicted)| cell(truth, predicted))
            .collect(),
    }
    .draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_and_every_name_is_drawn() {
        let mut confusion = ConfusionMatrix::new(2);
        (0..17).for_each(|_| confusion.add(0, 0));
        (0..3).for_each(|_| confusion.add(0, 1));
        let svg = chart(&confusion, &["Folk".into(), "<Rock>".into()], "test").file();
        for text in [
            ">17<",
            ">85 %<",
            ">Folk<",
            ">&lt;Rock&gt;<",
            "on the test set",
            "Folk predicted as &lt;Rock&gt;: 3 of 20 tracks",
            "fill-opacity=\"0.85\"",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(!svg.contains("NaN"));
    }
}
