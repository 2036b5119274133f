//! The segments of a timeline: consecutive rows in which the same class is predicted.

use super::run_predictor::TimelineRow;
use super::span::Span;
use super::timeline::Timeline;

/// A part of a file in which a class or a tag is predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Index of the class or tag.
    pub class: usize,
    pub span: Span,
    /// The mean of its rows, weighted by their length.
    pub probability: f64,
}

impl Timeline<'_> {
    /// The segments by their start. Those of classes are adjacent; those of tags may overlap, and the longest of those
    /// with the same start is first.
    pub fn segments(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = (0..self.classes.len()).flat_map(|class| self.of_class(class)).collect();
        segments.sort_by(|a, b| {
            let starts = a.span.start.total_cmp(&b.span.start);
            starts.then(b.span.end.total_cmp(&a.span.end))
        });
        segments
    }

    fn of_class(&self, class: usize) -> Vec<Segment> {
        let parts = self
            .rows
            .chunk_by(|a, b| self.is_predicted(a, class) == self.is_predicted(b, class));
        parts
            .filter(|rows| self.is_predicted(&rows[0], class))
            .map(|rows| {
                let span = Span {
                    start: rows[0].span.start,
                    end: rows[rows.len() - 1].span.end,
                };
                let weighted = rows.iter().map(|row| row.span.seconds() * row.probabilities[class]);
                Segment {
                    class,
                    span,
                    probability: weighted.sum::<f64>() / span.seconds(),
                }
            })
            .collect()
    }

    /// Whether it is the most probable class, the first if several are, or a tag that reaches its threshold.
    fn is_predicted(&self, row: &TimelineRow, class: usize) -> bool {
        let probability = row.probabilities[class];
        match self.thresholds {
            Some(thresholds) => probability >= thresholds[class],
            None => {
                row.probabilities[..class].iter().all(|&other| other < probability)
                    && row.probabilities[class..].iter().all(|&other| other <= probability)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn segments(rows: &[(f64, [f64; 2])], thresholds: Option<&[f64]>) -> Vec<(usize, f64, f64, f64)> {
        let mut start = 0.0;
        let rows = rows.iter().map(|&(end, probabilities)| {
            let span = Span { start, end };
            start = end;
            TimelineRow {
                span,
                probabilities: probabilities.into(),
            }
        });
        let (rows, classes): (Vec<_>, _) = (rows.collect(), ["Rock".to_owned(), "Pop".to_owned()]);
        let timeline = Timeline {
            file: Path::new("mix.mp3"),
            classes: &classes,
            thresholds,
            window: 30.0,
            rows: &rows,
        };
        let segments = timeline.segments().into_iter();
        segments
            .map(|segment| (segment.class, segment.span.start, segment.span.end, segment.probability))
            .collect()
    }

    #[test]
    fn consecutive_rows_of_a_class_are_one_segment() {
        let rows = [
            (10.0, [0.75, 0.25]),
            (15.0, [0.5, 0.5]),
            (25.0, [0.25, 0.75]),
            (35.0, [0.75, 0.25]),
        ];
        let expected = [
            (0, 0.0, 15.0, (7.5 + 2.5) / 15.0),
            (1, 15.0, 25.0, 0.75),
            (0, 25.0, 35.0, 0.75),
        ];
        assert_eq!(segments(&rows, None), expected);
    }

    #[test]
    fn segments_of_tags_overlap_and_may_be_missing() {
        let rows = [(10.0, [0.5, 0.25]), (20.0, [0.75, 0.25]), (30.0, [0.25, 0.125])];
        let expected = [(0, 0.0, 20.0, 0.625), (1, 0.0, 20.0, 0.25)];
        assert_eq!(segments(&rows, Some(&[0.5, 0.25])), expected);
        assert_eq!(segments(&rows, Some(&[0.9, 0.9])), []);
    }
}
