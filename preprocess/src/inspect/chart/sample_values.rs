//! The sample histogram of a class enters; a drawing of it, before that of all classes, leaves.

use super::axis::Axis;
use super::plot::Plot;
use super::{At, Svg, colour};
use crate::inspect::analysis::samples::{BIN_WIDTH, BINS, SampleHistogram};
use maud::html;
use shared::runtime::text::{counted, grouped};
use std::fmt::Write as _;

/// The least share that is drawn: of samples in a bin, as a power of ten.
const LEAST: f64 = -7.0;

/// Draws how often each sample value occurs in a class, the line, and in all, the area.
pub(super) fn draw(name: &str, place: Option<usize>, class: &SampleHistogram, all: &SampleHistogram) -> Svg {
    let share_ticks = [(0.0, "1"), (-2.0, "10⁻²"), (-4.0, "10⁻⁴"), (-6.0, "10⁻⁶")];
    let value_ticks = [
        (-30_000.0, "−30,000"),
        (-15_000.0, "−15,000"),
        (0.0, "0"),
        (15_000.0, "15,000"),
        (30_000.0, "30,000"),
    ];
    let words = |(at, words): (f64, &str)| (at, words.to_owned());
    let plot = Plot {
        title: name.to_owned(),
        subtitle: format!(
            "variance {}, standard deviation {}; {}",
            grouped(class.variance.round() as u64),
            grouped(class.variance.sqrt().round() as u64),
            counted(class.tracks, "track", "tracks")
        ),
        x: Axis {
            name: "sample value, 16 bits".into(),
            first: -32_768.0,
            last: 32_768.0,
            ticks: value_ticks.map(words).into(),
        },
        y: Axis {
            name: format!("share of samples in {BIN_WIDTH} neighbouring values"),
            first: LEAST,
            last: 0.0,
            ticks: share_ticks.map(words).into(),
        },
        field: 120.0,
        grid: true,
        legend: Vec::new(),
    };
    let foot = plot.y(LEAST);
    plot.draw(&html! {
        path.area.other d=(format!("M{} {}{}V{}z", At(plot.x(-32_768.0)), At(foot), outline(&plot, all), At(foot))) {
            title { "all tracks" }
        }
        path class=(format!("line {}", colour(place)))
            d=(format!("M{} {}{}V{}", At(plot.x(-32_768.0)), At(foot), outline(&plot, class), At(foot))) {}
    })
}

/// From the foot at the left along the tops of all bins.
fn outline(plot: &Plot, histogram: &SampleHistogram) -> String {
    let mut path = String::new();
    for (bin, count) in histogram.counts.iter().enumerate() {
        let share = *count as f64 / histogram.samples as f64;
        let right = f64::from(BIN_WIDTH) * (bin + 1) as f64 - 32_768.0;
        let _ = write!(path, "V{}H{}", At(plot.y(share.log10().max(LEAST))), At(plot.x(right)));
    }
    debug_assert_eq!(histogram.counts.len(), BINS);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_stands_before_all_and_names_its_variance() {
        let histogram = |at: usize| {
            let mut counts = vec![0; BINS];
            counts[at] = 10;
            SampleHistogram {
                tracks: 1,
                samples: 10,
                mean: 0.0,
                variance: 4_000_000.0,
                counts,
            }
        };
        let drawing = draw("<Rock>", Some(2), &histogram(3), &histogram(4))
            .inline()
            .into_string();
        assert!(
            drawing.contains("variance 4,000,000, standard deviation 2,000; 1 track"),
            "{drawing}"
        );
        assert!(
            drawing.contains("&lt;Rock&gt;") && drawing.contains("line k2"),
            "{drawing}"
        );
        assert!(!drawing.contains("inf") && !drawing.contains("NaN"), "{drawing}");
    }
}
