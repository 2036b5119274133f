//! `tags.csv`: a row per tag.

use crate::metrics::{SetMetrics, SetReport};

/// The table as CSV; only the header for a single-label report. An undefined area is empty.
pub fn to_csv(report: &SetReport) -> Vec<u8> {
    const HEADER: [&str; 9] = [
        "tag",
        "support",
        "threshold",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "auc_roc",
        "auc_pr",
    ];
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).expect("writing into memory cannot fail");
    let area = |area: Option<f64>| area.map_or(String::new(), |area| format!("{area:.6}"));
    if let SetMetrics::Tags(metrics) = &report.tracks {
        for tag in &metrics.per_tag {
            let row = [
                tag.name.clone(),
                tag.support.to_string(),
                format!("{:.6}", tag.threshold),
                format!("{:.6}", tag.accuracy),
                format!("{:.6}", tag.precision),
                format!("{:.6}", tag.recall),
                format!("{:.6}", tag.f1),
                area(tag.auc_roc),
                area(tag.auc_pr),
            ];
            writer
                .write_record(row)
                .expect("writing into memory cannot fail and rows are as long as the header");
        }
    }
    writer.into_inner().expect("writing into memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MultiLabelMetrics;

    #[test]
    fn each_tag_has_a_row() {
        let names = ["fast", "slow, sad"].map(String::from);
        let metrics = MultiLabelMetrics::new(&[0.9, 0.1, 0.2, 0.3], &[true, false, false, false], &names, 0.0, None);
        let report = SetReport {
            tracks: SetMetrics::Tags(metrics.unwrap()),
            ece: 0.0,
            clips: 0,
            per_clip: None,
        };
        let csv = String::from_utf8(to_csv(&report)).unwrap();
        let lines: Vec<_> = csv.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("fast,1,0.500000,1.000000,"), "{csv}");
        assert!(
            lines[2].starts_with("\"slow, sad\",0,") && lines[2].ends_with(",,"),
            "{csv}"
        );
    }
}
