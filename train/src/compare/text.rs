//! A comparison as text for terminals.

use super::bootstrap::Interval;
use super::comparison::Comparison;
use super::entry::Entry;
use crate::process::text_table::{Align, fitted_table};
use shared::runtime::text::{counted, last_part};
use std::collections::BTreeSet;

impl Comparison {
    /// Tables of the metrics, the warnings, and the differences from the first run. `width` is that of the terminal.
    pub fn describe(&self, width: Option<usize>) -> String {
        // Runs on the same tracks are in one table, below what they have in common.
        let mut tables: Vec<(String, Vec<&Entry>)> = Vec::new();
        for entry in &self.entries {
            let common = common(entry);
            match tables.iter_mut().find(|(other, _)| *other == common) {
                Some((_, entries)) => entries.push(entry),
                None => tables.push((common, vec![entry])),
            }
        }
        let mut parts: Vec<String> = tables
            .into_iter()
            .map(|(common, entries)| format!("{common}\n{}", metrics(&entries, width)))
            .collect();
        parts.extend(warnings(&self.entries));
        parts.extend((!self.differences.is_empty()).then(|| differences(self, width)));
        parts.join("\n\n")
    }
}

/// `test set of fma_small, 800 tracks, split main (…)`.
fn common(entry: &Entry) -> String {
    format!(
        "{} set of {}, {}, split {}:",
        entry.set.name(),
        last_part(&entry.config.data),
        counted(entry.tracks(), "track", "tracks"),
        split(entry)
    )
}

fn with_interval(value: f64, interval: Option<Interval>) -> String {
    match interval {
        _ if value.is_nan() => "undefined".into(),
        Some([low, high]) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        None => format!("{value:.3}"),
    }
}

fn metrics(entries: &[&Entry], width: Option<usize>) -> String {
    let header = ["run", "model"].into_iter();
    let header = header.chain(entries[0].metrics.iter().map(|metric| metric.name));
    let mut rows = vec![header.map(String::from).collect::<Vec<_>>()];
    for entry in entries {
        let runs = match &entry.run_set {
            Some(set) if !set.is_folds() => format!(" ({} seeds)", set.seeds.len()),
            Some(set) if set.has_seeds() => format!(" ({} seeds, {} folds)", set.seeds.len(), set.folds.len()),
            Some(set) => format!(" ({} folds)", set.folds.len()),
            None => String::new(),
        };
        let mut row = vec![format!("{}{runs}", entry.path.display()), entry.config.model_name()];
        row.extend(
            entry
                .metrics
                .iter()
                .map(|metric| with_interval(metric.mean, metric.interval)),
        );
        rows.push(row);
    }
    let methods: BTreeSet<String> = entries.iter().map(|entry| entry.method()).collect();
    let methods: Vec<String> = methods.into_iter().collect();
    format!(
        "{}\nin brackets: 95 % intervals, {}",
        fitted_table(&rows, Align::Left, 1, width),
        methods.join("; ")
    )
}

/// `main (grouped by artist; 0 artists and 0 recordings in other sets)`.
fn split(entry: &Entry) -> String {
    let name = &entry.config.split;
    let Some(split) = &entry.split else {
        return format!("{name} (unknown)");
    };
    let by = split.group_by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    let (overlap, tracks) = (&split.overlap, entry.tracks());
    let artists = match overlap.tracks_without_artist {
        0 => format!("{} artists", overlap.artists),
        unknown if unknown == tracks => "artists unknown,".into(),
        unknown => format!("{} artists ({unknown} of {tracks} tracks: unknown)", overlap.artists),
    };
    format!(
        "{name} ({}{by}; {artists} and {} recordings in other sets)",
        split.strategy, overlap.recordings
    )
}

fn warnings(entries: &[Entry]) -> Option<String> {
    let entry_warnings = |entry: &Entry| {
        let sentences = entry.warnings.iter().map(|warning| {
            let sign = if warning.leak { "!!" } else { " !" };
            format!("\n {sign} {}", warning.sentence)
        });
        let sentences: String = sentences.collect();
        (!sentences.is_empty()).then(|| format!("{}{sentences}", entry.path.display()))
    };
    let warned: Vec<String> = entries.iter().filter_map(entry_warnings).collect();
    (!warned.is_empty()).then(|| warned.join("\n"))
}

fn differences(comparison: &Comparison, width: Option<usize>) -> String {
    let mut rows = vec![["run", "metric", "difference", "p"].map(String::from).to_vec()];
    let mut refused = String::new();
    for (entry, differences) in comparison.others() {
        let path = entry.path.display();
        match differences {
            Err(reason) => refused += &format!("\n{path} is not compared: {reason}"),
            Ok(differences) => {
                for (metric, difference) in entry.metrics.iter().zip(differences) {
                    let Some(difference) = difference else { continue };
                    let interval = difference.interval;
                    let interval = interval.map_or("".into(), |[low, high]| format!(" [{low:+.3}, {high:+.3}]"));
                    rows.push(vec![
                        path.to_string(),
                        metric.name.to_owned(),
                        format!("{:+.3}{interval}", difference.difference),
                        difference.p.map_or("-".into(), p_value),
                    ]);
                }
            }
        }
    }
    let first = comparison.entries[0].path.display();
    let mut text = format!("differences from {first} on the same tracks, {}:", comparison.test());
    if rows.len() > 1 {
        text += &format!("\n{}", fitted_table(&rows, Align::Left, 1, width));
    }
    text + &refused
}

/// Three digits: 2,000 resamples resolve no more.
fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_three_digits() {
        assert_eq!(with_interval(0.5, Some([0.25, 0.75])), "0.500 [0.250, 0.750]");
        assert_eq!(with_interval(f64::NAN, None), "undefined");
        assert_eq!((&*p_value(0.0004), &*p_value(0.0406)), ("< 0.001", "0.041"));
    }
}
