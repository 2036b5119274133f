//! A projection of tracks enters; a drawing with a sign for each, in the colour of its class, leaves.

use super::axis::Axis;
use super::plot::{Entry, Plot, sign_at};
use super::{Svg, colour, sign};
use crate::inspect::analysis::projection::Projection;
use maud::{Markup, html};
use shared::runtime::text::counted;

/// Up to so many tracks each says who it is when pointed at; beyond, a class is one path, which is a tenth of the size.
const MOST_WITH_NAMES: usize = 2000;

/// Draws tracks on their first two components. `places` has for each track that of its class among `names`.
pub(super) fn draw(title: &str, projection: &Projection, places: &[Option<usize>], names: &[&str]) -> Svg {
    let pca = &projection.pca;
    let along = |component: usize| -> Vec<f64> {
        pca.coordinates
            .iter()
            .map(|row| row.get(component).copied().unwrap_or(0.0))
            .collect()
    };
    let (x, y) = (along(0), along(1));
    let name = |component: usize, word: &str| {
        let ratio = pca.explained_variance_ratio.get(component).copied().unwrap_or(0.0);
        format!("{word} component, {:.1} % of variance", 100.0 * ratio)
    };
    let mut legend: Vec<Entry> = (names.iter().enumerate())
        .filter(|(place, _)| places.contains(&Some(*place)))
        .map(|(place, name)| entry(name, Some(place)))
        .collect();
    if places.contains(&None) {
        legend.push(entry("other", None));
    }
    let plot = Plot {
        title: title.to_owned(),
        subtitle: format!(
            "{}, {} z-scores each",
            counted(x.len(), "track", "tracks"),
            pca.mean.len()
        ),
        x: around(&name(0, "first"), &x, 6),
        y: around(&name(1, "second"), &y, 5),
        field: 250.0,
        grid: true,
        legend,
    };
    let at = |track: usize| sign_at(sign(places[track]), plot.x(x[track]), plot.y(y[track]));
    let classes = |place: Option<usize>| format!("sign sign{} {}", sign(place), colour(place));
    let marks: Markup = if x.len() <= MOST_WITH_NAMES {
        html! {
            @for (track, place) in places.iter().enumerate() {
                path class=(classes(*place)) d=(at(track)) {
                    title { "track " (projection.track_ids[track]) @if let Some(name) = place.and_then(|place| names.get(place)) { ", " (name) } }
                }
            }
        }
    } else {
        html! {
            @for place in std::iter::once(None).chain((0..names.len()).map(Some)) {
                @let path: String = (0..x.len()).filter(|track| places[*track] == place).map(at).collect();
                @if !path.is_empty() { path class=(classes(place)) d=(path) {} }
            }
        }
    };
    plot.draw(&marks)
}

fn entry(name: &str, place: Option<usize>) -> Entry {
    Entry {
        name: name.to_owned(),
        place,
        line: false,
    }
}

/// An axis with a little room on both sides of all values.
fn around(name: &str, values: &[f64], ticks: usize) -> Axis {
    let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(*value), most.max(*value))
    });
    let (least, most) = if least <= most { (least, most) } else { (0.0, 0.0) };
    let room = ((most - least) * 0.04).max(1e-6);
    Axis::linear(name, least - room, most + room, ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::analysis::pca::{pca, standardize};

    fn projection(tracks: usize) -> Projection {
        let rows: Vec<Vec<f64>> = (0..tracks)
            .map(|at| vec![(at * at % 17) as f64, (at % 5) as f64, at as f64])
            .collect();
        Projection {
            track_ids: (0..tracks as u64).collect(),
            pca: pca(standardize(&rows), 2).unwrap(),
        }
    }

    #[test]
    fn few_tracks_have_names_and_many_are_a_path_a_class() {
        let names = ["Folk", "<Rock>", "Jazz"];
        let few = projection(9);
        let places: Vec<_> = (0..9).map(|at| (at % 3 < 2).then_some(at % 3)).collect();
        let drawing = draw("PCA", &few, &places, &names).inline().into_string();
        assert_eq!(drawing.matches("<title>track ").count(), 9, "{drawing}");
        assert!(
            drawing.contains("track 1, &lt;Rock&gt;") && drawing.contains(">other<"),
            "{drawing}"
        );
        // No track is of this class, and so it is not explained.
        assert!(!drawing.contains("Jazz"));
        let many = projection(MOST_WITH_NAMES + 1);
        let places: Vec<_> = (0..=MOST_WITH_NAMES).map(|at| Some(at % 3)).collect();
        let drawing = draw("PCA", &many, &places, &names).inline().into_string();
        assert_eq!(drawing.matches("<title>").count(), 0);
        assert!(
            drawing.contains("Jazz") && !drawing.contains("other<"),
            "{}",
            &drawing[..2000]
        );
    }

    #[test]
    fn one_column_is_drawn_on_a_line() {
        let pca = pca(standardize(&[vec![1.0], vec![2.0], vec![4.0]]), 2).unwrap();
        let projection = Projection {
            track_ids: vec![1, 2, 3],
            pca,
        };
        let drawing = draw("PCA", &projection, &[Some(0); 3], &["Folk"])
            .inline()
            .into_string();
        assert!(
            drawing.contains("second component, 0.0 % of variance") && !drawing.contains("NaN"),
            "{drawing}"
        );
    }
}
