//! The overview, the tracks and the analysis of a data set as one HTML page that needs no network.

mod analysis_part;
mod splits_part;
mod tracks_part;

use super::analysis::{Analysis, AnalysisConfig};
use super::charts::histogram;
use super::drawings::Drawings;
use super::overview::{FeatureSetState, Overview};
use super::overview_text::{describe_features, name_channels, share};
use super::track_list::TrackList;
use maud::{Markup, Render, html};
use shared::dataset::Task;
use shared::page::{Page, Section, Table, bar, cards, cell, facts, notice, side_by_side};
use shared::runtime::atomic_file::{self, WriteError};
use shared::runtime::text::{grouped, size};
use std::path::Path;

pub fn write(
    path: &Path,
    overview: &Overview,
    analysis: &Analysis,
    tracks: &TrackList,
    config: &AnalysisConfig,
) -> Result<(), WriteError> {
    let drawings = Drawings::new(analysis, &tracks.labels());
    let page = Page {
        title: &overview.name,
        lead: lead(overview),
        sections: vec![
            classes(overview),
            tracks_part::section(overview, analysis, tracks),
            files(overview),
            splits_part::section(overview),
            storage(overview),
            analysis_part::section(overview, analysis, &drawings, config.sample_tracks),
        ],
        refresh: None,
    };
    atomic_file::write_bytes(path, page.render().as_bytes())
}

fn is_multi_label(overview: &Overview) -> bool {
    overview.index.task == Task::MultiLabel
}

fn lead(overview: &Overview) -> Markup {
    let index = &overview.index;
    let labels = if is_multi_label(overview) { "tags" } else { "classes" };
    html! {
        p.lead { (index.source.name) " " (index.source.subset.replace(',', ", ")) @if let Some(part) = &index.source.part { ", part " (part) } }
        (cards(&[
            ("tracks", grouped(index.kept as u64)),
            ("hours", format!("{:.2}", overview.hours())),
            (labels, index.classes.len().to_string()),
            ("dropped", grouped(index.rejected as u64)),
            ("size", size(overview.sizes.total())),
            ("current split", overview.current_split.as_deref().unwrap_or("none").to_owned()),
        ]))
        @for difference in &index.source.preset_differences { (notice(difference)) }
    }
}

fn classes(overview: &Overview) -> Section {
    let most = overview
        .classes
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    let rows = overview.classes.iter().map(|(class, count)| {
        let length = *count as f64 / most as f64;
        vec![
            cell(class),
            bar(length, grouped(*count as u64)),
            cell(share(*count, overview.index.kept)),
        ]
    });
    let heading = if is_multi_label(overview) { "Tags" } else { "Classes" };
    let table = Table::new(heading).text("name").number("tracks").number("share");
    let length = overview
        .seconds
        .as_ref()
        .map(|seconds| histogram("Length", "s", seconds));
    let level = overview
        .levels
        .rms_dbfs
        .as_ref()
        .map(|rms| histogram("Level, root mean square", "dBFS", rms));
    Section {
        id: "classes",
        heading,
        body: html! {
            div.pair.third {
                div { (table.rows(rows).render()) }
                div { (side_by_side(&length.into_iter().chain(level).collect::<Vec<_>>())) }
            }
        },
    }
}

fn files(overview: &Overview) -> Section {
    let (files, levels) = (&overview.files, &overview.levels);
    let listed = |pairs: Vec<(String, usize)>| {
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
    let tracks = |count: usize| format!("{} tracks", grouped(count as u64));
    Section {
        id: "decoding",
        heading: "Decoded and dropped files",
        body: html! {
            div.pair {
                div {
                    (facts("Decoded files", [
                        ("files", listed(files.rates.iter().map(|(rate, count)| (format!("at {} Hz", grouped((*rate).into())), *count)).collect())),
                        ("channels", listed(files.channels.iter().map(|(channels, count)| (name_channels(*channels), *count)).collect())),
                        ("damaged", format!("{} frames that do not decode, in {}", grouped(files.damaged_frames), tracks(files.damaged_tracks))),
                        ("clipped", format!("{} samples cut to full scale, in {}", grouped(levels.clipped_samples), tracks(levels.clipped_tracks))),
                        ("all zeros", tracks(levels.silent_tracks)),
                        ("flagged", listed(overview.flags.iter().map(|(flag, count)| (flag.to_string(), *count)).collect())),
                    ]))
                }
                div { (dropped(overview)) }
            }
        },
    }
}

fn dropped(overview: &Overview) -> Markup {
    let mut reasons: Vec<(&String, &usize)> = overview.reasons.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let table = Table::new("Dropped tracks by reason")
        .text("reason why dropped")
        .number("tracks");
    let rows = reasons
        .iter()
        .map(|(reason, count)| vec![cell(reason), cell(grouped(**count as u64))]);
    html! {
        @if reasons.is_empty() { p { "No track was dropped." } } @else {
            (table.rows(rows).render())
            p.note { "rejected.csv has the details of each." }
        }
    }
}

fn storage(overview: &Overview) -> Section {
    let (index, sizes) = (&overview.index, &overview.sizes);
    let shards = |kind: &str| format!("{kind} shards ({})", index.shards.len());
    let files = [
        (shards("waveform"), sizes.waveforms),
        (shards("mel"), sizes.mels),
        ("summary".into(), sizes.summary),
        ("tables".into(), sizes.tables),
    ];
    let table = Table::new("Files").text("files").number("size");
    let mut source = vec![
        ("audio", index.source.audio.render()),
        ("format", html! { "version " (index.format_version) }),
        ("checksum", html! { code { (index.checksum) } }),
    ];
    if let Some(preset) = &index.source.preset {
        source.insert(1, ("preset", preset.render()));
    }
    Section {
        id: "files",
        heading: "Files and features",
        body: html! {
            (table.rows(files.into_iter().map(|(name, bytes)| vec![cell(name), cell(size(bytes))])).render())
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
            (facts("Source", source))
        },
    }
}

#[cfg(test)]
mod tests;
