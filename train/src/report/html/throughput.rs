//! Where the time went, and on what.

use super::page::{Section, boxed, duration, grouped, notice};
use super::plot::{Line, Look, Plot};
use super::run_view::RunView;
use crate::run::history::EpochRecord;
use maud::{Markup, html};

/// The section.
pub fn section(view: &RunView<'_>) -> Section {
    let history = &view.history;
    Section {
        id: "time",
        heading: "Time",
        body: html! {
            (boxed("Time, device and versions", &table(view)))
            @if history.is_empty() {
                (notice("history.csv is not there, so that no time is known."))
            } @else {
                p.note { "Seconds are those of training, without validation." }
                div.plots {
                    (plot("seconds per epoch", history, |epoch| epoch.seconds))
                    (plot("share spent waiting for data", history, |epoch| epoch.data_wait))
                }
            }
        },
    }
}

fn table(view: &RunView<'_>) -> Markup {
    let history = &view.history;
    let seconds = median(history.iter().map(|epoch| epoch.seconds).collect());
    let total: f64 = history.iter().map(|epoch| epoch.seconds).sum();
    let waited: f64 = history.iter().map(|epoch| epoch.seconds * epoch.data_wait).sum();
    let mut rows: Vec<(&str, String)> = vec![("epochs trained", history.len().to_string())];
    if let Some(seconds) = seconds {
        rows.push(("training in all", duration(total)));
        rows.push(("an epoch (median)", duration(seconds)));
        rows.push((
            "waiting for data",
            format!("{:.1} %", 100.0 * waited / total.max(f64::MIN_POSITIVE)),
        ));
    }
    if total > 0.0 {
        let clips: usize = history.iter().map(|epoch| epoch.clips).sum();
        let rate = clips as f64 / total;
        rows.push(("clips", format!("{} in all, {rate:.1} a second", grouped(clips as u64))));
    }
    if let Some(environment) = &view.environment {
        let machine = format!(
            "{}, {} cores, {} {}",
            environment.device, environment.cores, environment.system, environment.architecture
        );
        rows.push(("device", machine));
        rows.push(("version of train", environment.version.clone()));
    }
    rows.push(("seed", view.config.seed.to_string()));
    html! {
        table.facts {
            tbody {
                @for (name, value) in rows { tr { th scope="row" { (name) } td { (value) } } }
            }
        }
    }
}

/// None of nothing; the mean of the two in the middle of an even number.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

fn plot(title: &str, history: &[EpochRecord], column: fn(&EpochRecord) -> f64) -> Markup {
    let most = history.iter().map(column).fold(0.0, f64::max);
    Plot {
        title,
        description: format!("{title} over {} epochs, at most {most:.3}", history.len()),
        x: "epoch",
        y: title,
        lines: vec![Line {
            name: title.into(),
            look: Look::Series(0),
            points: history
                .iter()
                .map(|epoch| [epoch.epoch as f64, column(epoch)])
                .collect(),
            dots: true,
        }],
        range: Some([0.0, if most > 0.0 { 1.1 * most } else { 1.0 }]),
        across: None,
        mark: None,
        diagonal: false,
        whole: true,
    }
    .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
