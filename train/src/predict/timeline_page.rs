//! The page of a timeline: its chart, its segments, and a player if the audio is part of the page.

use super::timeline::Timeline;
use anyhow::bail;
use maud::{Markup, html};
use shared::page::{Page, Section, Table, bar, cell, file_player, full_width, seek};
use shared::runtime::file_error::FileError;
use shared::runtime::text::{clock, size};
use std::fs;
use std::path::Path;

/// Width of the chart in wide windows and on phones.
const WIDTHS: [f64; 2] = [1000.0, 400.0];
/// Browsers load pages with more audio slowly or not at all.
const MOST_BYTES: u64 = 200_000_000;
/// Extensions of files that browsers play, and their MIME types.
const PLAYABLE: [(&str, &str); 9] = [
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("m4a", "audio/mp4"),
    ("mp3", "audio/mpeg"),
    ("mp4", "audio/mp4"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
];

/// An audio file that can be part of a page.
#[derive(Clone, Copy, Debug)]
pub struct PlayableFile<'a> {
    path: &'a Path,
    mime: &'static str,
}

impl<'a> PlayableFile<'a> {
    /// # Errors
    /// If browsers do not play files with this extension, or the file is too large.
    pub fn new(path: &'a Path) -> anyhow::Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let Some((_, mime)) = PLAYABLE.into_iter().find(|(playable, _)| *playable == extension) else {
            bail!(
                "--audio cannot make {} playable, because browsers play only {}; omit --audio",
                path.display(),
                PLAYABLE.map(|(extension, _)| extension).join(", ")
            );
        };
        // A missing file is reported when it is decoded.
        let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
        if bytes > MOST_BYTES {
            bail!(
                "--audio would add {} to the page, and at most {} are possible; omit --audio",
                size(bytes),
                size(MOST_BYTES)
            );
        }
        Ok(Self { path, mime })
    }
}

/// The page of the timeline, with a player if there is audio.
///
/// # Errors
/// If the audio file cannot be read.
pub fn page(timeline: &Timeline<'_>, runs: &str, audio: Option<PlayableFile<'_>>) -> anyhow::Result<String> {
    let player = match audio {
        None => None,
        Some(PlayableFile { path, mime }) => {
            let bytes = fs::read(path).map_err(FileError::at(path))?;
            Some(file_player(mime, &bytes))
        }
    };
    let [wide, narrow] = WIDTHS.map(|width| timeline.chart(width));
    let name = timeline
        .file
        .file_name()
        .unwrap_or(timeline.file.as_os_str())
        .to_string_lossy();
    let page = Page {
        title: &name,
        lead: html! {
            p.lead { (clock(timeline.seconds())) ", " (kind(timeline)) " over time, predicted by " (runs) "." }
        },
        refresh: None,
        sections: vec![
            Section {
                id: "timeline",
                heading: "Timeline",
                body: html! {
                    (full_width(&wide, &narrow))
                    p.note { "Each point is the mean of the " (timeline.window) " s around it." }
                },
            },
            Section {
                id: "segments",
                heading: "Segments",
                body: html! {
                    @if let Some(player) = &player {
                        (player)
                        p.note { "Click a time to play from there." }
                    }
                    (segments(timeline, player.is_some()))
                },
            },
        ],
    };
    Ok(page.render())
}

fn kind(timeline: &Timeline<'_>) -> &'static str {
    match timeline.thresholds {
        None => "classes",
        Some(_) => "tags",
    }
}

fn segments(timeline: &Timeline<'_>, playable: bool) -> Markup {
    let segments = timeline.segments();
    if segments.is_empty() {
        return html! { p { "No tag reaches its threshold." } };
    }
    let time = |seconds: f64| {
        let time = clock(seconds);
        if playable {
            seek(seconds, time)
        } else {
            html! { (time) }
        }
    };
    let heading = match timeline.thresholds {
        None => "class",
        Some(_) => "tag",
    };
    let rows = segments.iter().map(|segment| {
        vec![
            cell(html! { (time(segment.span.start)) "–" (clock(segment.span.end)) }),
            cell(&timeline.classes[segment.class]),
            bar(segment.probability, format!("{:.2}", segment.probability)),
        ]
    });
    Table::new("segments")
        .text("time")
        .text(heading)
        .number("probability")
        .rows(rows)
        .render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_browsers_play_are_playable() {
        assert_eq!(PlayableFile::new(Path::new("a/Mix.MP3")).unwrap().mime, "audio/mpeg");
        let error = PlayableFile::new(Path::new("a/mix.aiff")).unwrap_err().to_string();
        assert!(error.contains("cannot make a/mix.aiff playable"), "{error}");
    }
}
