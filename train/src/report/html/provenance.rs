//! The last section: how, when and where the run was trained.

use super::run_view::RunView;
use crate::report::curves::lines_by_epoch;
use crate::run::environment::Environment;
use crate::run::history::EpochRecord;
use maud::html;
use shared::page::{Axis, Chart, Plot, Section, facts, notice, side_by_side};
use shared::runtime::text::{duration, grouped};

pub fn section(view: &RunView<'_>) -> Section {
    let history = &view.history;
    let trained_here = view.metrics.best_epoch.is_some();
    let rows = model(view).into_iter().chain(training(view)).chain(environment(view));
    Section {
        id: "run",
        heading: "Run",
        body: html! {
            (facts("Model, training and machine", rows))
            @if trained_here {
                @if history.is_empty() { (notice("history.csv is missing, so training times are unknown.")) } @else {
                    p.note { "Times are for training only, without validation." }
                    (side_by_side(&[
                        chart("seconds per epoch", history, |epoch| epoch.seconds),
                        chart("fraction of time waiting for data", history, |epoch| epoch.data_wait),
                    ]))
                }
            }
        },
    }
}

fn model(view: &RunView<'_>) -> Vec<(&'static str, String)> {
    let config = view.config;
    match &config.combination {
        None => {
            let description = config.model.description();
            vec![
                ("model", format!("{}: {}", config.model, description.paper)),
                ("input", description.input.describe()),
            ]
        }
        Some(combination) => vec![("model", combination.describe())],
    }
}

fn training(view: &RunView<'_>) -> Vec<(&'static str, String)> {
    let (config, history) = (view.config, &view.history);
    let mut rows = Vec::new();
    if let Some(file) = &config.imported_from {
        rows.push(("training", format!("imported from {file}, not trained here")));
    }
    if let Some(best) = view.metrics.best_epoch {
        let ended = view.metrics.ended;
        rows.push((
            "training",
            ended.map_or_else(|| "not finished".into(), |ending| ending.to_string()),
        ));
        let requested = if history.len() == config.epochs {
            String::new()
        } else {
            format!("; {} requested", config.epochs)
        };
        rows.push(("best epoch", format!("{best} of {} trained{requested}", history.len())));
        rows.push(("seed", config.seed.to_string()));
    }
    let total: f64 = history.iter().map(|epoch| epoch.seconds).sum();
    if let Some(seconds) = median(history.iter().map(|epoch| epoch.seconds).collect()) {
        let waited: f64 = history.iter().map(|epoch| epoch.seconds * epoch.data_wait).sum();
        let percent = 100.0 * waited / total.max(f64::MIN_POSITIVE);
        rows.push((
            "training time",
            format!(
                "{}, {} per epoch (median), {percent:.1} % of it waiting for data",
                duration(total),
                duration(seconds)
            ),
        ));
    }
    if total > 0.0 {
        let clips: usize = history.iter().map(|epoch| epoch.clips).sum();
        let rate = clips as f64 / total;
        rows.push((
            "clips",
            format!("{} in total, {rate:.1} per second", grouped(clips as u64)),
        ));
    }
    rows
}

fn environment(view: &RunView<'_>) -> Vec<(&'static str, String)> {
    let Some(environment) = &view.environment else {
        return Vec::new();
    };
    let Environment {
        device,
        version,
        system,
        architecture,
        cores,
        host,
        command,
        date,
    } = environment;
    vec![
        ("trained on", format!("{date} UTC")),
        ("command", command.join(" ")),
        (
            "machine",
            format!("{host}: {device}, {cores} cores, {system} {architecture}"),
        ),
        ("version of train", version.clone()),
    ]
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
