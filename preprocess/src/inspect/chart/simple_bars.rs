//! A distribution enters; a drawing of its histogram, its median and its mean leaves.

use super::axis::{Axis, number};
use super::plot::Plot;
use super::{At, Svg};
use crate::inspect::distribution::Distribution;
use maud::html;
use shared::runtime::text::counted;
use std::fmt::Write as _;

/// Draws the histogram of what `title` says, in `unit`s.
pub(in crate::inspect) fn draw(title: &str, unit: &str, distribution: &Distribution) -> Svg {
    let edges = &distribution.edges;
    let highest = distribution.counts.iter().copied().max().unwrap_or(0);
    let plot = Plot {
        title: title.to_owned(),
        subtitle: format!(
            "{}, median {} {unit} (dashed), mean {} {unit}",
            counted(distribution.count, "track", "tracks"),
            number(distribution.median, 1),
            number(distribution.mean, 1)
        ),
        x: Axis::linear(unit, edges[0], edges[edges.len() - 1], 6),
        y: whole_numbers("tracks", highest),
        field: 110.0,
        grid: true,
        legend: Vec::new(),
    };
    let mut bars = String::new();
    for (at, count) in distribution.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (left, right) = (plot.x(edges[at]), plot.x(edges[at + 1]));
        let _ = write!(
            bars,
            "M{} {}V{}H{}V{}z",
            At(left + 0.5),
            At(plot.y(0.0)),
            At(plot.y(*count as f64)),
            At((right - 0.5).max(left + 1.0)),
            At(plot.y(0.0))
        );
    }
    let [_, top, _, height] = plot.field();
    let rule = format!("M{} {}v{}", At(plot.x(distribution.median)), At(top), At(height));
    plot.draw(&html! {
        path.mark.k0 d=(bars) {}
        path.rule d=(rule) { title { "median" } }
    })
}

/// An axis of counts from 0 on.
fn whole_numbers(name: &str, highest: usize) -> Axis {
    let mut axis = Axis::linear(name, 0.0, highest.max(1) as f64, 4);
    axis.ticks.retain(|(value, _)| value.fract() == 0.0);
    for (value, words) in &mut axis.ticks {
        *words = format!("{value}");
    }
    axis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_has_its_figures_beside_it() {
        let distribution = Distribution::of(vec![1.0, 2.0, 2.0, 29.0]).unwrap();
        let drawing = draw("Length", "s", &distribution).inline().into_string();
        assert!(
            drawing.contains("4 tracks, median 2.0 s (dashed), mean 8.5 s"),
            "{drawing}"
        );
        // A bar for each that is not empty.
        assert_eq!(drawing.matches('z').count(), 3, "{drawing}");
        let one = draw("Length", "s", &Distribution::of(vec![30.0]).unwrap())
            .inline()
            .into_string();
        assert!(!one.contains("NaN") && !one.contains("inf"), "{one}");
    }
}
