//! Charts of a tagger's ROC and precision-recall curves.

use super::tag_curves::{TagCurves, places};
use crate::metrics::Ranking;
use shared::page::{Axis, Chart, Plot, Series, Shape, Style};
use shared::runtime::text::counted;
use std::cmp::Reverse;

/// Number of tags with a colour; the most frequent tags come first.
const NAMED: usize = 8;
/// Number of tags that are drawn.
const DRAWN: usize = 60;

/// The ROC curves and the precision-recall curves. `rankings` and `names` have one entry per tag. A tag has curves if
/// some tracks have it and some do not; the mean is over all tags with curves.
///
/// # Panics
/// If the numbers of names and rankings differ.
pub fn charts(rankings: &[Ranking], names: &[String], set: &str) -> [Chart; 2] {
    assert_eq!(rankings.len(), names.len(), "one name per tag");
    let curves = rankings.iter().zip(names);
    let mut curves: Vec<_> = curves
        .filter_map(|(ranking, name)| TagCurves::new(ranking, name))
        .collect();
    curves.sort_by_key(|tag| Reverse(tag.support));
    let without = match rankings.len() - curves.len() {
        0 => String::new(),
        without => format!("; {} without curves", counted(without, "tag", "tags")),
    };
    let subtitle = format!("{} of the {set} set{without}", counted(curves.len(), "tag", "tags"));
    let chart = |title: &str, [x, y]: [&str; 2], lines: Vec<Series>| Plot {
        subtitle: subtitle.clone(),
        height: 260.0,
        series: lines,
        diagonal: title == "ROC",
        ..Plot::new(title, Axis::linear(x, 0.0, 1.0), Axis::linear(y, 0.0, 1.0))
    };
    // A ROC curve starts at the origin, below its height at the first point.
    let roc = lines(&curves, Some([0.0, 0.0]), |tag| &tag.roc, |tag| tag.roc_auc);
    let precision = lines(&curves, None, |tag| &tag.precision, |tag| tag.average_precision);
    [
        chart("ROC", ["false positive rate", "true positive rate"], roc).draw(),
        chart("Precision and recall", ["recall", "precision"], precision).draw(),
    ]
}

type Heights = for<'a> fn(&'a TagCurves<'_>) -> &'a [f64];

/// The lines of the mean and of the tags, each named with the area under its curve.
fn lines(
    curves: &[TagCurves<'_>],
    start: Option<[f64; 2]>,
    heights: Heights,
    area: fn(&TagCurves<'_>) -> f64,
) -> Vec<Series> {
    if curves.is_empty() {
        return Vec::new();
    }
    let count = curves.len() as f64;
    let line = |name: &str, area: f64, style: Style, heights: &[f64]| {
        let points = places().zip(heights).map(|(place, height)| [place, *height]);
        Series {
            name: format!("{name}, area {area:.3}"),
            style,
            shape: Shape::Line(start.into_iter().chain(points).collect()),
        }
    };
    let mean_at = |at: usize| curves.iter().map(|tag| heights(tag)[at]).sum::<f64>() / count;
    let mean: Vec<f64> = (0..places().count()).map(mean_at).collect();
    let mean_area = curves.iter().map(area).sum::<f64>() / count;
    let tags = curves.iter().take(DRAWN).enumerate().map(|(at, tag)| {
        let style = if at < NAMED {
            Style::Series(at)
        } else {
            Style::Background
        };
        line(tag.name, area(tag), style, heights(tag))
    });
    [line("mean", mean_area, Style::Mean, &mean)]
        .into_iter()
        .chain(tags)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::rankings;

    /// Tags of decreasing frequency and decreasing quality of scores. The last `empty` tags have no track.
    fn tagger(tags: usize, empty: usize) -> (Vec<Ranking>, Vec<String>) {
        let samples = 600;
        let (mut scores, mut truths) = (Vec::new(), Vec::new());
        let mut state = 1u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        for _ in 0..samples {
            for tag in 0..tags {
                let truth = uniform() < 0.5 / (1 + tag) as f32 && tag < tags - empty;
                let lead = if truth { 0.6 - 0.03 * tag as f32 } else { 0.0 };
                scores.push(0.5 * uniform() + lead);
                truths.push(truth);
            }
        }
        let names = (0..tags).map(|tag| format!("tag <{tag}>")).collect();
        (rankings(&scores, &truths, tags).unwrap(), names)
    }

    fn picture(tags: usize, empty: usize) -> String {
        let (rankings, names) = tagger(tags, empty);
        shared::page::file(&charts(&rankings, &names, "test"), 2)
    }

    #[test]
    fn lines_are_named_with_tag_and_area() {
        let svg = picture(3, 0);
        let (rankings, _) = tagger(3, 0);
        for (tag, ranking) in rankings.iter().enumerate() {
            for area in [ranking.roc_auc().unwrap(), ranking.average_precision().unwrap()] {
                assert!(svg.contains(&format!("tag &lt;{tag}&gt;, area {area:.3}")), "{tag}");
            }
        }
        assert!(svg.contains(">3 tags of the test set<") && svg.contains("mean, area"));
    }

    #[test]
    fn the_most_frequent_of_many_tags_have_colours() {
        let svg = picture(20, 2);
        assert!(svg.contains("18 tags of the test set; 2 tags without curves"));
        assert_eq!(svg.matches("<polyline").count(), 2 * 19);
        assert_eq!(svg.matches("line other background").count(), 2 * 10);
        assert!(svg.len() < 200_000, "{}", svg.len());
    }

    #[test]
    fn charts_without_curves_can_be_drawn() {
        let svg = picture(1, 1);
        assert!(svg.contains("0 tags of the test set; 1 tag without curves") && !svg.contains(">mean"));
        charts(&[], &[], "validation");
    }
}
