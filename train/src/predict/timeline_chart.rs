//! The chart of a timeline: stacked areas of the classes, or a line per tag.

use super::timeline::Timeline;
use shared::page::{Axis, Chart, Plot, Series, Shape, Style};
use shared::runtime::text::clock;

/// Classes or tags that the chart shows: as many as there are colours.
const SHOWN: usize = 8;
/// Seconds between the ticks of an axis.
const STEPS: [f64; 14] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
];
/// Width of a label on the axis, with the space around it.
const LABEL: f64 = 55.0;

impl Timeline<'_> {
    /// The chart, so many units wide.
    pub fn chart(&self, width: f64) -> Chart {
        let y = |name| Axis::with_ticks(name, 0.0, 1.0, percents());
        let title = match self.thresholds {
            None => "Classes over time",
            Some(_) => "Tags over time",
        };
        let mut plot = Plot::new(title, time_axis(self.seconds(), width), y("probability"));
        plot.width = width;
        plot.height = 220.0;
        plot.series = match self.thresholds {
            None => self.stacked(),
            Some(_) => self.lines(),
        };
        plot.draw()
    }

    /// Areas on top of each other, the first class at the bottom. The least probable of many classes are one area.
    fn stacked(&self) -> Vec<Series> {
        let shown = self.most_probable(if self.classes.len() > SHOWN { SHOWN - 1 } else { SHOWN });
        let mut lower = vec![0.0; self.rows.len()];
        let mut series = Vec::new();
        for (at, &class) in shown.iter().enumerate() {
            let rows = lower.iter().zip(self.rows);
            let upper: Vec<f64> = rows.map(|(lower, row)| lower + row.probabilities[class]).collect();
            series.push(self.band(self.classes[class].clone(), Style::Series(at), &lower, &upper));
            lower = upper;
        }
        if shown.len() < self.classes.len() {
            series.push(self.band("other classes".into(), Style::Other, &lower, &vec![1.0; lower.len()]));
        }
        series
    }

    fn band(&self, name: String, style: Style, lower: &[f64], upper: &[f64]) -> Series {
        let (lower, upper) = (self.points(lower), self.points(upper));
        let edges = lower
            .iter()
            .zip(upper)
            .map(|([x, lower], [_, upper])| [*x, *lower, upper]);
        Series {
            name,
            style,
            shape: Shape::Band(edges.collect()),
        }
    }

    fn lines(&self) -> Vec<Series> {
        let line = |(at, tag): (usize, usize)| {
            let values: Vec<f64> = self.rows.iter().map(|row| row.probabilities[tag]).collect();
            Series {
                name: self.classes[tag].clone(),
                style: Style::Series(at),
                shape: Shape::Line(self.points(&values)),
            }
        };
        self.most_probable(SHOWN).into_iter().enumerate().map(line).collect()
    }

    /// The classes with the highest mean, in the order of the classes.
    fn most_probable(&self, count: usize) -> Vec<usize> {
        let seconds = |class: usize| -> f64 {
            let rows = self.rows.iter();
            rows.map(|row| row.span.seconds() * row.probabilities[class]).sum()
        };
        let mut classes: Vec<(usize, f64)> = (0..self.classes.len()).map(|class| (class, seconds(class))).collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        classes.truncate(count);
        let mut classes: Vec<usize> = classes.into_iter().map(|(class, _)| class).collect();
        classes.sort_unstable();
        classes
    }

    /// A value per row as points in the middle of the rows, and at both ends of the file.
    fn points(&self, values: &[f64]) -> Vec<[f64; 2]> {
        let middles = self
            .rows
            .iter()
            .zip(values)
            .map(|(row, value)| [0.5 * (row.span.start + row.span.end), *value]);
        let first = values.first().map(|value| [0.0, *value]);
        let last = values.last().map(|value| [self.seconds(), *value]);
        first.into_iter().chain(middles).chain(last).collect()
    }
}

fn percents() -> Vec<(f64, String)> {
    [0, 25, 50, 75, 100]
        .map(|percent| (f64::from(percent) / 100.0, format!("{percent} %")))
        .into()
}

fn time_axis(seconds: f64, width: f64) -> Axis {
    let fits = |step: &f64| seconds / step * LABEL <= width;
    let step = STEPS.into_iter().find(fits).unwrap_or_else(|| {
        let day = STEPS[STEPS.len() - 1];
        (seconds * LABEL / width / day).ceil() * day
    });
    let ticks = (0..=(seconds / step) as usize).map(|at| (at as f64 * step, clock(at as f64 * step)));
    Axis::with_ticks("time", 0.0, seconds, ticks.collect())
}

#[cfg(test)]
mod tests {
    use super::super::run_predictor::TimelineRow;
    use super::super::span::Span;
    use super::*;
    use std::path::Path;

    #[test]
    fn ticks_are_round_times_that_fit() {
        let labels = |seconds, width| -> Vec<String> {
            let axis = time_axis(seconds, width);
            axis.ticks().iter().map(|(_, label)| label.clone()).collect()
        };
        assert_eq!(
            labels(187.0, 400.0),
            ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30", "3:00"]
        );
        assert_eq!(
            labels(3700.0, 400.0),
            ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00", "1:00:00"]
        );
        for seconds in [0.5, 29.0, 86_400.0, 1e6] {
            assert!((1..=8).contains(&labels(seconds, 400.0).len()), "{seconds}");
        }
    }

    #[test]
    fn least_probable_of_many_classes_are_drawn_as_one_area() {
        let classes: Vec<String> = (0..10).map(|class| format!("class {class}")).collect();
        let row = |start: f64, first: f64| TimelineRow {
            span: Span {
                start,
                end: start + 10.0,
            },
            probabilities: (0..10)
                .map(|class| if class == 9 { first } else { (1.0 - first) / 9.0 })
                .collect(),
        };
        let rows = [row(0.0, 0.1), row(10.0, 0.82)];
        let mut timeline = Timeline {
            file: Path::new("mix.mp3"),
            classes: &classes,
            thresholds: None,
            window: 30.0,
            rows: &rows,
        };
        let series = timeline.stacked();
        let names: Vec<&str> = series.iter().map(|series| &*series.name).collect();
        assert_eq!((names.len(), names[6], names[7]), (8, "class 9", "other classes"));
        let Shape::Band(edges) = &series[6].shape else {
            panic!("classes are areas")
        };
        let expected = [[0.0, 0.6, 0.7], [5.0, 0.6, 0.7], [15.0, 0.12, 0.94], [20.0, 0.12, 0.94]];
        for (edge, expected) in edges.iter().flatten().zip(expected.iter().flatten()) {
            assert!((edge - expected).abs() < 1e-12, "{edges:?}");
        }
        let thresholds = [0.5; 10];
        timeline.thresholds = Some(&thresholds);
        assert!(
            timeline
                .lines()
                .iter()
                .all(|series| matches!(series.shape, Shape::Line(_)))
        );
        assert!(timeline.chart(400.0).file().contains("Tags over time"));
    }
}
