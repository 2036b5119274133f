//! The section with the wrong predictions of highest probability.

use super::data_view::DataView;
use super::run_view::{RunView, no_predictions};
use crate::data::clips::{clip_features, clip_grid};
use crate::report::set_name;
use crate::run::predictions::{Prediction, Predictions};
use crate::settings::RunConfig;
use maud::{Markup, html};
use shared::dataset::split::Set;
use shared::dsp::features::FeatureConfig;
use shared::page::{Section, Spectrogram, data_url, excerpt_player, notice};
use std::collections::BTreeSet;
use std::ops::Range;

/// The first mistake of a track has this and the track's number as its id.
pub const LINK: &str = "track-";
/// Number of mistakes on the page. Their spectrograms take half a MB together, their audio 8.6 MB.
const SHOWN: usize = 20;
/// Maximum width and height of a spectrogram.
const PIXELS: [usize; 2] = [400, 128];

/// A predicted class, or any tag, that the track does not have.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mistake<'a> {
    track: &'a Prediction,
    /// Index of the class or tag.
    wrong: usize,
    probability: f32,
}

pub fn section(view: &RunView<'_>, set: Set, audio: bool) -> Section {
    let predictions = view.predictions.get(&set);
    Section {
        id: "mistakes",
        heading: "Mistakes",
        body: predictions.map_or_else(no_predictions, |predictions| body(view, predictions, set, audio)),
    }
}

fn body(view: &RunView<'_>, predictions: &Predictions, set: Set, audio: bool) -> Markup {
    let tags = view.has_tags();
    let mistakes = mistakes(predictions, tags);
    let set = set_name(set);
    if mistakes.is_empty() {
        return html! { p { "There are no mistakes on the " (set) " set." } };
    }
    html! {
        p.note {
            @if tags {
                "Tags with a high probability that tracks of the " (set) " set do not have, most probable first. Labels are often \
                 incomplete, so listen before you count a tag as a mistake of the model."
            } @else {
                "Misclassified tracks of the " (set) " set, predictions with the highest probability first."
            }
        }
        @match &view.data {
            Err(reason) => { (notice(format!("Spectrograms and file names are missing, because the data set cannot be read: {reason}"))) }
            Ok(data) => {
                p.note {
                    "Mel spectrograms show the evaluated part of the track: time to the right, mel bands upwards, from the loudest \
                     value (light) to " (data.dataset.features().drawn_db()) " dB below it (black)."
                    @if audio { " Audio is up to ten seconds from the middle of this part, at 16 kHz." }
                }
            }
        }
        @let mut linked = BTreeSet::new();
        ol.mistakes {
            @for mistake in &mistakes {
                @let track_id = mistake.track.track_id;
                li id=[linked.insert(track_id).then(|| format!("{LINK}{track_id}"))] { (card(view, predictions, mistake, tags, audio)) }
            }
        }
    }
}

/// The ids of the tracks in the section.
pub fn tracks(predictions: &Predictions, tags: bool) -> BTreeSet<u64> {
    let mistakes = mistakes(predictions, tags).into_iter();
    mistakes.map(|mistake| mistake.track.track_id).collect()
}

/// The wrong classes or tags of highest probability.
fn mistakes(predictions: &Predictions, tags: bool) -> Vec<Mistake<'_>> {
    let mut all = Vec::new();
    for track in &predictions.tracks {
        let candidates = if tags {
            (0..track.probabilities.len()).collect()
        } else {
            track.predicted.clone()
        };
        all.extend(
            candidates
                .into_iter()
                .filter(|wrong| !track.labels.contains(wrong))
                .map(|wrong| Mistake {
                    track,
                    wrong,
                    probability: track.probabilities[wrong],
                }),
        );
    }
    // A stable sort keeps the order of tracks for equal probabilities.
    all.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    all.truncate(SHOWN);
    all
}

fn card(view: &RunView<'_>, predictions: &Predictions, mistake: &Mistake<'_>, tags: bool, audio: bool) -> Markup {
    let name = |class: usize| &*predictions.classes[class];
    let track = mistake.track;
    let names = |classes: &[usize]| {
        let names: Vec<_> = classes.iter().map(|&class| name(class)).collect();
        if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        }
    };
    let data = view.data.as_ref().ok();
    let row = data.and_then(|data| data.track(track.track_id));
    html! {
        article.mistake {
            @if let Some(data) = data { (media(view.config, data, track.track_id, audio)) }
            h3 {
                b { (name(mistake.wrong)) } " " (percent(mistake.probability))
                @if tags && !track.predicted.contains(&mistake.wrong) { span.aside { " below its threshold" } }
            }
            dl {
                dt { @if tags { "true tags" } @else { "true class" } }
                dd {
                    (names(&track.labels))
                    @if let [class] = track.labels[..] {
                        @if !tags { " " (percent(track.probabilities[class])) }
                    }
                }
                dt { "track" }
                dd { (track.track_id) }
                @if let Some(row) = row {
                    dt { "file" }
                    dd.path { (row.path) }
                    @if !row.artist.is_empty() {
                        dt { "artist" }
                        dd { (row.artist) }
                    }
                }
            }
        }
    }
}

fn percent(probability: f32) -> String {
    format!("{:.1} %", 100.0 * probability)
}

/// A track's spectrogram and, if requested, its audio.
fn media(config: &RunConfig, data: &DataView, track_id: u64, audio: bool) -> Markup {
    let Some(position) = data.dataset.position(track_id) else {
        return html! {};
    };
    let features = data.dataset.features();
    let samples = data.dataset.waveform(position);
    let evaluated = evaluated(config, features, samples.len());
    let mel = data.dataset.mel(position);
    let hop = features.hop_length;
    let frames = evaluated.start / hop..evaluated.end.div_ceil(hop);
    let picture = Spectrogram::new(mel, frames, features.drawn_db(), PIXELS);
    let seconds = data.seconds(evaluated.len() as u64);
    let description = format!("Mel spectrogram of {seconds:.1} seconds of track {track_id}");
    html! {
        @if picture.columns > 0 { img alt=(description) src=(data_url(&picture.png())); }
        @if audio {
            (excerpt_player(&format!("Track {track_id}"), &samples[evaluated], features.sample_rate))
        }
    }
}

/// The evaluated samples: from the start of the first clip to the end of the last. The whole track for models whose
/// input is track statistics.
fn evaluated(config: &RunConfig, stored: &FeatureConfig, samples: usize) -> Range<usize> {
    if config.model.description().input.statistics {
        return 0..samples;
    }
    let features = clip_features(config, stored);
    let mut starts = clip_grid(config, &features).starts(samples, &features);
    let first = starts.next().unwrap_or(0);
    let last = starts.last().unwrap_or(first);
    let begin = (first * features.hop_length).min(samples);
    begin..(last * features.hop_length + features.clip_samples).min(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::EvalClips;
    use crate::models::ModelKind;
    use crate::testing;
    use std::path::Path;

    fn track(track_id: u64, label: usize, predicted: usize, probabilities: [f32; 3]) -> Prediction {
        Prediction {
            track_id,
            labels: vec![label],
            predicted: vec![predicted],
            probabilities: probabilities.into(),
        }
    }

    #[test]
    fn mistakes_are_sorted_by_probability() {
        let predictions = Predictions {
            classes: ["a", "b", "c"].map(String::from).into(),
            tracks: vec![
                track(1, 0, 0, [0.9, 0.1, 0.0]),
                track(2, 0, 1, [0.3, 0.6, 0.1]),
                track(3, 2, 0, [0.8, 0.0, 0.2]),
            ],
        };
        let found = |tags| -> Vec<_> {
            let mistakes = mistakes(&predictions, tags);
            mistakes
                .iter()
                .map(|mistake| (mistake.track.track_id, mistake.wrong))
                .collect()
        };
        assert_eq!(found(false), [(3, 0), (2, 1)]);
        // For tags, every tag that a track does not have, even below its threshold.
        assert_eq!(found(true), [(3, 0), (2, 1), (1, 1), (2, 2), (1, 2), (3, 1)]);
    }

    #[test]
    fn only_the_evaluated_part_of_a_track_is_shown() {
        let stored = FeatureConfig::default();
        let config = |model| testing::config(Path::new("fma"), model);
        let clip = stored.clip_samples;
        assert_eq!(
            evaluated(&config(ModelKind::Cnn2d), &stored, clip + 4096),
            0..clip + 4096
        );
        let middle = RunConfig {
            eval_clips: EvalClips::MIDDLE,
            ..config(ModelKind::Cnn2d)
        };
        assert_eq!(evaluated(&middle, &stored, clip + 4096), 2048..clip + 2048);
        assert_eq!(evaluated(&config(ModelKind::Cnn2d), &stored, 1000), 0..1000);
        assert_eq!(
            evaluated(&config(ModelKind::MfccDense), &stored, clip + 4096),
            0..clip + 4096
        );
        let skipping = RunConfig {
            clip_seconds: Some(1.0),
            skip_seconds: 2.0,
            ..config(ModelKind::Cnn2d)
        };
        // Full hops between the skipped ends.
        assert_eq!(evaluated(&skipping, &stored, 441_000), 86 * 1024..(430 - 86) * 1024);
        assert_eq!(evaluated(&skipping, &stored, 100), 0..100);
    }
}
