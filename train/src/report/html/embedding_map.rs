//! The section with the map of the embeddings.

use super::mistakes::{self, LINK};
use super::run_view::RunView;
use crate::report::set_name;
use crate::run::embedding_map::EmbeddingMap;
use crate::run::predictions::{Prediction, Predictions};
use maud::html;
use shared::dataset::split::Set;
use shared::page::{CLASSES_DRAWN, Chart, Point, Section, class_map, drawn_classes, side_by_side};
use shared::runtime::text::{counted, grouped};
use std::collections::HashMap;

/// `None` if the set has no map: it was evaluated during training, or the run combines others.
pub fn section(view: &RunView<'_>, set: Set) -> Option<Section> {
    let (map, predictions) = (view.maps.get(&set)?, view.predictions.get(&set)?);
    let drawn = drawn(predictions);
    let filled = predictions.classes.len();
    Some(Section {
        id: "embeddings",
        heading: "Map of the embeddings",
        body: html! {
            p.note {
                "Tracks of the " (set_name(set)) " set by their embeddings, the activations before the last layer, on the first \
                 two principal components. Tracks with similar embeddings are near each other. "
                @if map.track_ids.len() < map.tracks {
                    "The set has " (grouped(map.tracks as u64)) " tracks; these are "
                    (grouped(map.track_ids.len() as u64)) ", evenly spaced. "
                }
                @if drawn.len() < filled { "The " (CLASSES_DRAWN) " most frequent of " (filled) " have a colour. " }
                @if view.has_tags() { "A track has the colour of the first of its tags that is in the legend. " }
                "Click a point of one of the mistakes below to see it."
            }
            (side_by_side(&[chart(view, set, map, predictions, &drawn)]))
        },
    })
}

/// The classes with a colour.
fn drawn(predictions: &Predictions) -> Vec<usize> {
    let mut counts = vec![0; predictions.classes.len()];
    predictions
        .tracks
        .iter()
        .flat_map(|track| &track.labels)
        .for_each(|&label| counts[label] += 1);
    drawn_classes(counts.into_iter())
}

fn chart(view: &RunView<'_>, set: Set, map: &EmbeddingMap, predictions: &Predictions, drawn: &[usize]) -> Chart {
    let mistakes = mistakes::tracks(predictions, view.has_tags());
    let by_id: HashMap<u64, &Prediction> = predictions.tracks.iter().map(|track| (track.track_id, track)).collect();
    let names: Vec<&str> = drawn.iter().map(|&class| &*predictions.classes[class]).collect();
    let point = |(track_id, at): (&u64, &[f32; 2])| {
        let prediction = by_id.get(track_id)?;
        let class = |label: &usize| drawn.iter().position(|class| class == label);
        let point = Point {
            at: at.map(f64::from),
            title: title(view, predictions, prediction),
            link: if mistakes.contains(track_id) {
                format!("{LINK}{track_id}")
            } else {
                String::new()
            },
        };
        Some((prediction.labels.iter().find_map(class), point))
    };
    let points = map.track_ids.iter().zip(&map.coordinates).filter_map(point).collect();
    let subtitle = format!(
        "{} of the {} set, {} values each",
        counted(map.track_ids.len(), "track", "tracks"),
        set_name(set),
        map.dimension
    );
    class_map("Embeddings", subtitle, map.explained_variance_ratio, &names, points)
}

/// `000/000012.mp3: Rock, predicted as Folk`.
fn title(view: &RunView<'_>, predictions: &Predictions, track: &Prediction) -> String {
    let names = |classes: &[usize]| {
        let names: Vec<&str> = classes.iter().map(|&class| &*predictions.classes[class]).collect();
        if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        }
    };
    let row = view.data.as_ref().ok().and_then(|data| data.track(track.track_id));
    let file = row.map_or_else(|| format!("track {}", track.track_id), |row| row.path.clone());
    let mut title = format!("{file}: {}", names(&track.labels));
    if track.labels != track.predicted {
        title += &format!(", predicted as {}", names(&track.predicted));
    }
    title
}
