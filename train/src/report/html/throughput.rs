//! The section with training times, device and versions.

use super::run_view::RunView;
use crate::report::curves::lines_by_epoch;
use crate::run::history::EpochRecord;
use maud::html;
use shared::page::{Axis, Chart, Plot, Section, facts, notice, side_by_side};
use shared::runtime::text::{duration, grouped};

pub fn section(view: &RunView<'_>) -> Section {
    let history = &view.history;
    Section {
        id: "time",
        heading: "Time",
        body: html! {
            (facts("Time, device and versions", rows(view)))
            @if history.is_empty() { (notice("history.csv is missing, so training times are unknown.")) } @else {
                p.note { "Times are for training only, without validation." }
                (side_by_side(&[
                    chart("seconds per epoch", history, |epoch| epoch.seconds),
                    chart("fraction of time waiting for data", history, |epoch| epoch.data_wait),
                ]))
            }
        },
    }
}

fn rows(view: &RunView<'_>) -> Vec<(&'static str, String)> {
    let history = &view.history;
    let total: f64 = history.iter().map(|epoch| epoch.seconds).sum();
    let waited: f64 = history.iter().map(|epoch| epoch.seconds * epoch.data_wait).sum();
    let mut rows = vec![("epochs trained", history.len().to_string())];
    if let Some(seconds) = median(history.iter().map(|epoch| epoch.seconds).collect()) {
        rows.push(("training time", duration(total)));
        rows.push(("time per epoch (median)", duration(seconds)));
        let percent = 100.0 * waited / total.max(f64::MIN_POSITIVE);
        rows.push(("waiting for data", format!("{percent:.1} %")));
    }
    if total > 0.0 {
        let clips: usize = history.iter().map(|epoch| epoch.clips).sum();
        let rate = clips as f64 / total;
        rows.push((
            "clips",
            format!("{} in total, {rate:.1} per second", grouped(clips as u64)),
        ));
    }
    if let Some(environment) = &view.environment {
        let machine = format!(
            "{}, {} cores, {} {}",
            environment.device, environment.cores, environment.system, environment.architecture
        );
        rows.push(("device", machine));
        rows.push(("train version", environment.version.clone()));
    }
    rows.push(("seed", view.config.seed.to_string()));
    rows
}

/// `None` if `values` is empty; the mean of the two middle values if their number is even.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

fn chart(title: &str, history: &[EpochRecord], column: fn(&EpochRecord) -> f64) -> Chart {
    let points: Vec<[f64; 2]> = history
        .iter()
        .map(|epoch| [epoch.epoch as f64, column(epoch)])
        .collect();
    let y = Axis::around("", points.iter().map(|point| point[1]).chain([0.0]));
    Plot {
        y,
        ..lines_by_epoch(title, vec![(title.into(), points)])
    }
    .draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_even_counts_is_the_mean_of_the_middle_values() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
