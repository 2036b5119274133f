//! A data set's overview and analysis enter; one HTML page that needs nothing else leaves: no network, no script.
//!
//! Every text that comes out of a file is escaped, for the templates escape whatever they are given.

mod analysis_part;
mod splits_part;

use super::analysis::{Analysis, AnalysisConfig};
use super::chart::{self, drawings::Drawings, simple_bars};
use super::files::TrackLabels;
use super::overview::{FeatureSetState, Overview};
use super::overview_text::{describe_features, name_channels, share};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use shared::dataset::Task;
use shared::runtime::atomic_file::{self, WriteError};
use shared::runtime::text::{grouped, size};
use std::path::Path;

const STYLE: &str = include_str!("page.css");

/// Writes the page.
pub fn write(
    path: &Path,
    overview: &Overview,
    analysis: &Analysis,
    labels: &TrackLabels,
    config: &AnalysisConfig,
) -> Result<(), WriteError> {
    let drawings = Drawings::of(analysis, &labels.0);
    let page = page(
        overview,
        &analysis_part::draw(overview, analysis, &drawings, config.sample_tracks),
    );
    atomic_file::write_bytes(path, page.into_string().as_bytes())
}

fn page(overview: &Overview, analysis: &Markup) -> Markup {
    let index = &overview.index;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Data set " (overview.name) }
                style { (PreEscaped(STYLE)) (PreEscaped(chart::STYLE)) }
            }
            body {
                h1 { "Data set " (overview.name) }
                p.soft { (index.source.name) " " (index.source.subset.replace(',', ", ")) @if let Some(part) = &index.source.part { ", part " (part) } }
                (cards(overview))
                @for difference in &index.source.preset_differences { p.bad { (difference) } }
                (classes(overview))
                (tracks(overview))
                (dropped(overview))
                (splits_part::draw(overview))
                (storage(overview))
                (analysis)
                footer {
                    "Made by preprocess " (env!("CARGO_PKG_VERSION")) " from the data set with the checksum "
                    span.long { (index.checksum) } "."
                }
            }
        }
    }
}

fn cards(overview: &Overview) -> Markup {
    let index = &overview.index;
    let live = overview.current_split.as_deref().unwrap_or("none");
    html! {
        dl.cards {
            div { dt { "tracks" } dd { (grouped(index.kept as u64)) } }
            div { dt { "hours" } dd { (format!("{:.2}", overview.hours())) } }
            div { dt { @if index.task == Task::MultiLabel { "tags" } @else { "classes" } } dd { (index.classes.len()) } }
            div { dt { "dropped" } dd { (grouped(index.rejected as u64)) } }
            div { dt { "size" } dd { (size(overview.sizes.total())) } }
            div { dt { "current split" } dd.words { (live) } }
        }
    }
}

fn classes(overview: &Overview) -> Markup {
    let most = overview.classes.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let kept = overview.index.kept;
    html! {
        h2 { @if overview.index.task == Task::MultiLabel { "Tags" } @else { "Classes" } }
        @if overview.classes.is_empty() { p { "There are none." } } @else {
            div.scroll { table style="width: 100%; max-width: 700px" {
                tr { th { "name" } th.number { "tracks" } th.number { "share" } th {} }
                @for (class, count) in &overview.classes {
                    tr {
                        td { (class) } td.number { (grouped(*count as u64)) } td.number { (share(*count, kept)) }
                        td.wide { @if *count > 0 { span.bar style=(format!("width: {:.1}%", 100.0 * *count as f64 / most as f64)) {} } }
                    }
                }
            } }
        }
    }
}

fn tracks(overview: &Overview) -> Markup {
    let (files, levels) = (&overview.files, &overview.levels);
    let counted = |pairs: Vec<(String, usize)>| {
        let words: Vec<String> = pairs
            .into_iter()
            .map(|(word, count)| format!("{} {word}", grouped(count as u64)))
            .collect();
        if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(", ")
        }
    };
    html! {
        h2 { "Tracks" }
        div.charts {
            @if let Some(seconds) = &overview.seconds { div { (simple_bars::draw("Length", "s", seconds).inline()) } }
            @if let Some(rms) = &levels.rms_dbfs { div { (simple_bars::draw("Level, root mean square", "dBFS", rms).inline()) } }
        }
        dl.facts {
            dt { "files" } dd { (counted(files.rates.iter().map(|(rate, count)| (format!("at {} Hz", grouped((*rate).into())), *count)).collect())) }
            dt { "channels" } dd { (counted(files.channels.iter().map(|(channels, count)| (name_channels(*channels), *count)).collect())) }
            dt { "damaged" } dd { (grouped(files.damaged_frames)) " frames that do not decode, in " (grouped(files.damaged_tracks as u64)) " tracks" }
            dt { "clipped" } dd { (grouped(levels.clipped_samples)) " samples cut to full scale, in " (grouped(levels.clipped_tracks as u64)) " tracks" }
            dt { "all zeros" } dd { (grouped(levels.silent_tracks as u64)) " tracks" }
            dt { "flagged" } dd { (counted(overview.flags.iter().map(|(flag, count)| (flag.to_string(), *count)).collect())) }
        }
    }
}

fn dropped(overview: &Overview) -> Markup {
    let mut reasons: Vec<(&String, &usize)> = overview.reasons.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    html! {
        h2 { "Dropped tracks" }
        @if reasons.is_empty() { p { "None." } } @else {
            table {
                tr { th { "reason" } th.number { "tracks" } }
                @for (reason, count) in reasons { tr { td { (reason) } td.number { (grouped(*count as u64)) } } }
            }
            p.soft { "rejected.csv has a sentence for each." }
        }
    }
}

fn storage(overview: &Overview) -> Markup {
    let (index, sizes) = (&overview.index, &overview.sizes);
    html! {
        h2 { "Files and features" }
        div.scroll { table {
            tr { th { "files" } th.number { "size" } }
            tr { td { "waveform shards (" (index.shards.len()) ")" } td.number { (size(sizes.waveforms)) } }
            tr { td { "mel shards (" (index.shards.len()) ")" } td.number { (size(sizes.mels)) } }
            tr { td { "summary" } td.number { (size(sizes.summary)) } }
            tr { td { "tables" } td.number { (size(sizes.tables)) } }
        } }
        h3 { "Features" }
        p { (describe_features(&index.features)) "; fingerprint " (index.fingerprint) }
        @for set in &overview.feature_sets {
            h3 { "Feature set " (set.name) }
            @match &set.state {
                FeatureSetState::Usable { features, fingerprint, tracks, mels } => {
                    p { (describe_features(features)) "; fingerprint " (fingerprint) "; " (grouped(*tracks as u64)) " tracks, " (size(*mels)) }
                }
                FeatureSetState::Unusable { problem } => p.bad { (problem) },
            }
        }
        h3 { "Source" }
        dl.facts {
            dt { "audio" } dd { (index.source.audio) }
            @if let Some(preset) = &index.source.preset { dt { "preset" } dd { (preset) } }
            dt { "format" } dd { "version " (index.format_version) }
        }
    }
}

#[cfg(test)]
mod tests;
