//! A run, or a set of runs, to compare.

use crate::report::html::metric::{Metric, f1_by_output, metrics};
use crate::report::html::run_view::RunView;
use crate::report::reported_metric::ReportedMetric;
use crate::run::directory::{RunDirectory, RunError, directory_name};
use crate::settings::RunConfig;
use shared::dataset::split::Set;
use std::path::Path;

/// A run, or a set of runs, to compare.
#[derive(Clone, Copy, Debug)]
pub struct Contestant<'a> {
    pub path: &'a Path,
    /// Its seeds and folds: `seeds 0, 1 of 5 folds`. Empty for a single run.
    pub members: &'a str,
    /// The settings; of a set of runs those that its runs share.
    pub config: &'a RunConfig,
    /// Its runs, at least one.
    pub runs: &'a [(RunDirectory, RunConfig)],
    /// How many tracks were evaluated.
    pub tracks: usize,
    /// Intervals and warnings of its metrics.
    pub reported: &'a [ReportedMetric],
}

/// A contestant that was read, with its unique name on the page.
pub(super) struct Entry<'a> {
    pub name: String,
    pub contestant: Contestant<'a>,
    pub views: Vec<RunView<'a>>,
}

impl<'a> Entry<'a> {
    /// Reads the runs of all contestants. Those with the same directory name are named by their full path.
    pub fn read_all(contestants: &[Contestant<'a>]) -> Result<Vec<Self>, RunError> {
        let names: Vec<String> = contestants.iter().map(|one| directory_name(one.path)).collect();
        let entry = |(contestant, name): (&Contestant<'a>, &String)| {
            let is_unique = names.iter().filter(|other| *other == name).count() == 1;
            let views = contestant.runs.iter().map(|(run, config)| RunView::read(run, config));
            Ok(Entry {
                name: if is_unique {
                    name.clone()
                } else {
                    contestant.path.display().to_string()
                },
                contestant: *contestant,
                views: views.collect::<Result<_, _>>()?,
            })
        };
        contestants.iter().zip(&names).map(entry).collect()
    }

    /// The data set and the split. Metrics of other tracks cannot be compared.
    pub fn tracks_from(&self) -> (&'a str, &'a str) {
        (&self.contestant.config.data_checksum, &self.contestant.config.split)
    }

    pub fn has_tags(&self) -> bool {
        self.views.iter().any(RunView::has_tags)
    }

    /// A metric with its interval on a set, if that was computed.
    pub fn reported(&self, name: &str, set: Set) -> Option<&'a ReportedMetric> {
        let mut reported = self.contestant.reported.iter();
        reported.find(|metric| metric.metric == name && metric.set == set.name())
    }

    /// All metrics on a set. That of several runs is the one with an interval, or else the mean over the runs.
    pub fn metrics(&self, set: Set) -> Vec<Metric> {
        let reports = self.views.iter().filter_map(|view| view.report(set));
        let runs: Vec<Vec<Metric>> = reports.map(metrics).collect();
        let Some((first, others)) = runs.split_first() else {
            return Vec::new();
        };
        let folded = |(at, metric): (usize, &Metric)| {
            let values: Option<Vec<f64>> = runs.iter().map(|run| run[at].value).collect();
            let mean = || values.and_then(mean);
            let reported = self.reported(metric.name, set).filter(|_| !others.is_empty());
            Metric {
                value: reported.map_or_else(mean, |reported| Some(reported.mean)),
                ..*metric
            }
        };
        first.iter().enumerate().map(folded).collect()
    }

    /// Name and F1 of each class or tag, the mean over the runs.
    pub fn f1_by_output(&self, set: Set) -> Vec<(String, f64)> {
        let reports = self.views.iter().filter_map(|view| view.report(set));
        let runs: Vec<Vec<(&str, f64)>> = reports.map(|report| f1_by_output(&report.tracks)).collect();
        let outputs = runs.first().into_iter().flatten().enumerate();
        outputs
            .filter_map(|(at, (name, _))| {
                let values = runs.iter().map(|run| run.get(at).map(|(_, f1)| *f1));
                Some(((*name).to_owned(), mean(values.collect::<Option<_>>()?)?))
            })
            .collect()
    }
}

fn mean(values: Vec<f64>) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
