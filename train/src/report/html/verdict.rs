//! The top of a run's page: its title, the result in one sentence, and what was evaluated.

use super::metric::{metrics, rounded, samples};
use super::metrics_section::{CAVEATS, caveats};
use super::run_view::RunView;
use crate::metrics::{ClassificationMetrics, MultiLabelMetrics, SetMetrics, SetReport};
use crate::report::reported_metric::ReportedMetric;
use crate::report::set_name;
use crate::settings::RunConfig;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::page::cards;
use shared::runtime::text::{counted, grouped, last_part};

/// Number of metrics in large type.
const LARGE: usize = 4;

/// The model and the data set.
pub fn title(config: &RunConfig) -> String {
    format!("{} on {}", config.model_name(), data_name(config))
}

/// The name of the data set's directory.
pub fn data_name(config: &RunConfig) -> String {
    last_part(&config.data)
}

pub fn lead(view: &RunView<'_>, set: Set, report: &SetReport, reported: &[ReportedMetric]) -> Markup {
    let shown = metrics(report);
    let large: Vec<(&str, String)> = shown
        .iter()
        .take(LARGE)
        .map(|metric| (metric.name, rounded(metric.value)))
        .collect();
    let interval = |name: &str| {
        let metric = reported.iter().find(|one| one.metric == name && one.set == set.name());
        metric.and_then(|metric| metric.interval)
    };
    let caveats = caveats(view, reported).len();
    html! {
        p.lead {
            @match &report.tracks {
                SetMetrics::Classes(metrics) => (classes(metrics, set, interval("top-1"))),
                SetMetrics::Tags(metrics) => (tags(metrics, set, interval("mean AUC-ROC"))),
            }
            @if caveats > 0 { " " a href={ "#" (CAVEATS) } { (counted(caveats, "caveat", "caveats")) } "." }
        }
        (cards(&large))
        p.note {
            "Run " b { (view.name) } ": " (summary(view.config)) "evaluated on "
            (counted(samples(&report.tracks), "track", "tracks")) " of the " (set_name(set)) " set of split "
            b { (view.config.split) } "."
        }
    }
}

/// The kind of the model.
fn summary(config: &RunConfig) -> String {
    match &config.combination {
        None => format!("{}, ", config.model.description().summary),
        Some(_) => String::new(),
    }
}

fn classes(metrics: &ClassificationMetrics, set: Set, interval: Option<[f64; 2]>) -> Markup {
    let total = metrics.samples;
    let right = (metrics.top1 * total as f64).round() as u64;
    let percent = |value: f64| format!("{:.1}", 100.0 * value);
    // Of several equally frequent classes the first is named.
    let most = metrics
        .per_class
        .iter()
        .rev()
        .max_by_key(|class| class.support)
        .filter(|class| class.support > 0);
    html! {
        b {
            "Predicts " (grouped(right)) " of " (counted(total as usize, "track", "tracks")) " of the " (set_name(set))
            " set correctly"
        }
        ": " (percent(metrics.top1)) " %"
        @if let Some([low, high]) = interval { ", 95 % interval " (percent(low)) " to " (percent(high)) " %" }
        @if let Some(class) = most {
            ". Always predicting " (class.name) ", the most frequent class, gives "
            (percent(class.support as f64 / total as f64)) " %"
        }
        "."
    }
}

fn tags(metrics: &MultiLabelMetrics, set: Set, interval: Option<[f64; 2]>) -> Markup {
    let tags = metrics.per_tag.iter().filter(|tag| tag.auc_roc.is_some()).count();
    html! {
        b { "Mean AUC-ROC " (rounded(metrics.auc_roc)) " over " (counted(tags, "tag", "tags")) " of the " (set_name(set)) " set" }
        @if let Some([low, high]) = interval { ", 95 % interval " (rounded(low)) " to " (rounded(high)) }
        "; guessing gives 0.5."
    }
}
