//! Points in the plane, coloured by class.

use super::axis::Axis;
use super::chart::Chart;
use super::plot::Plot;
use super::series::{Point, Series, Shape, Style};

/// Maximum number of classes that a chart tells apart. More colours and markers are hard to distinguish.
pub const CLASSES_DRAWN: usize = 24;

/// The classes that are drawn of those with these numbers of tracks: the [`CLASSES_DRAWN`] largest, ascending.
pub fn drawn_classes(counts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut places: Vec<(usize, usize)> = counts.enumerate().filter(|(_, count)| *count > 0).collect();
    places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut places: Vec<usize> = places.into_iter().take(CLASSES_DRAWN).map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// Points on two principal components, along which `ratios` of the variance are, with the index of their class in
/// `names`; `None` is grey.
pub fn class_map(
    title: &str,
    subtitle: String,
    ratios: [f64; 2],
    names: &[&str],
    points: Vec<(Option<usize>, Point)>,
) -> Chart {
    let [x, y] = [(0, "first"), (1, "second")].map(|(at, word)| {
        let name = format!("{word} component, {:.1} % of variance", 100.0 * ratios[at]);
        Axis::around(&name, points.iter().map(|(_, point)| point.at[at]))
    });
    let mut classes: Vec<Vec<Point>> = vec![Vec::new(); names.len() + 1];
    for (class, point) in points {
        classes[class.unwrap_or(names.len())].push(point);
    }
    let series = classes.into_iter().enumerate().filter(|(_, points)| !points.is_empty());
    let series = series.map(|(class, points)| {
        let (name, style) = match names.get(class) {
            Some(name) => (*name, Style::Series(class)),
            None => ("other", Style::Other),
        };
        Series {
            name: name.into(),
            style,
            shape: Shape::Points(points),
        }
    });
    Plot {
        subtitle,
        height: 250.0,
        series: series.collect(),
        ..Plot::new(title, x, y)
    }
    .draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_with_the_most_tracks_are_drawn() {
        assert_eq!(drawn_classes([3, 0, 5].into_iter()), [0, 2]);
        let many = drawn_classes((0..100).map(|at| 200 - at));
        assert_eq!(many, (0..CLASSES_DRAWN).collect::<Vec<_>>());
    }

    #[test]
    fn points_have_titles_links_and_classes_without_points_are_left_out() {
        let point = |class: Option<usize>, x: f64, link: &str| {
            let point = Point {
                at: [x, 2.0 * x],
                title: format!("<track> {x}"),
                link: link.into(),
            };
            (class, point)
        };
        let points = vec![
            point(Some(1), 1.0, ""),
            point(None, 2.0, "track-2"),
            point(Some(1), 3.0, ""),
        ];
        let svg = class_map("Map", "3 tracks".into(), [0.5, 0.25], &["Folk", "Rock"], points)
            .inline()
            .into_string();
        assert_eq!(svg.matches("<title>&lt;track&gt; ").count(), 3, "{svg}");
        assert!(svg.contains("<a href=\"#track-2\">"), "{svg}");
        assert!(
            svg.contains(">Rock<") && svg.contains(">other<") && !svg.contains("Folk"),
            "{svg}"
        );
    }
}
