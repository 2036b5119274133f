//! How well a tagger's scores rank: the ROC and the precision-recall curves of all tags, side by side, as an SVG.

use super::DrawError;
use super::font::{self, FONT};
use super::tag_curves::{PLACES, TagCurves, places};
use crate::metrics::Ranking;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, TextStyle, register_font};
use shared::dataset::split::Set;

/// Width and height in pixels, legend included.
const SIZE: (u32, u32) = (1220, 440);
/// Width of each of the two panels.
const PANEL: i32 = 440;
/// Tags that are named; the others are grey.
const NAMED: usize = 12;
/// Characters of a name that the legend has room for.
const NAME_LENGTH: usize = 18;
const MEAN: RGBColor = BLACK;
const OTHERS: RGBColor = RGBColor(200, 200, 200);
const COLORS: [RGBColor; NAMED] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 98, 28),
    RGBColor(44, 160, 44),
    RGBColor(180, 31, 50),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(23, 170, 190),
    RGBColor(170, 170, 30),
    RGBColor(13, 50, 120),
    RGBColor(250, 180, 90),
    RGBColor(110, 200, 150),
];

/// The name of a set's picture. The test set's is the plain one.
pub fn ranking_file(set: Set) -> &'static str {
    match set {
        Set::Train => "ranking-train.svg",
        Set::Val => "ranking-validation.svg",
        Set::Test => "ranking.svg",
    }
}

/// The picture's bytes. `rankings` and `names` have one entry per tag.
///
/// The tags of most tracks are named, with the areas under their curves. The mean, in bold, is taken over all tags that
/// have curves: those of which some tracks have them and some have not.
///
/// # Panics
/// When there are more or fewer names than rankings.
pub fn draw(rankings: &[Ranking], names: &[String], set: Set) -> Result<Vec<u8>, DrawError> {
    assert_eq!(rankings.len(), names.len(), "one name per tag");
    let file = ranking_file(set);
    let failed = |detail: String| DrawError { file, detail };
    font::register(file)?;
    register_font(FONT, FontStyle::Bold, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| failed("the built-in font cannot be read".into()))?;
    let curves: Vec<_> = rankings
        .iter()
        .zip(names)
        .filter_map(|(ranking, name)| TagCurves::new(ranking, name))
        .collect();
    let without = rankings.len() - curves.len();
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw_on(&area, &curves, without, set).map_err(|error| failed(error.to_string()))?;
    }
    Ok(svg.into_bytes())
}

/// The mean curve, and the mean area.
fn mean(curves: &[TagCurves<'_>], line: Line, area: Area) -> (Vec<f64>, f64) {
    let count = curves.len() as f64;
    let at = |at: usize| curves.iter().map(|tag| line(tag)[at]).sum::<f64>() / count;
    let mean_area = curves.iter().map(area).sum::<f64>() / count;
    ((0..=PLACES).map(at).collect(), mean_area)
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Line = for<'a> fn(&'a TagCurves<'_>) -> &'a [f64];
type Area = fn(&TagCurves<'_>) -> f64;
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn draw_on(area: &Canvas<'_>, curves: &[TagCurves<'_>], without: usize, set: Set) -> Outcome {
    area.fill(&WHITE)?;
    let (roc, rest) = area.split_horizontally(PANEL);
    let (precision, key) = rest.split_horizontally(PANEL);
    let colors = colors(curves);
    let (mean_roc, roc_auc) = mean(curves, |tag| &tag.roc, |tag| tag.roc_auc);
    let (mean_precision, average_precision) = mean(curves, |tag| &tag.precision, |tag| tag.average_precision);
    let title = |what: &str| format!("{what}, {} set", set.name());
    let labels = ["false positive rate", "true positive rate"];
    // A ROC curve begins at the origin, below its height at the first place.
    let roc_lines = Lines {
        begin: Some((0.0, 0.0)),
        line: |tag| &tag.roc,
        mean: &mean_roc,
        chance: true,
    };
    panel(&roc, &title("ROC"), labels, curves, &colors, &roc_lines)?;
    let precision_lines = Lines {
        begin: None,
        line: |tag| &tag.precision,
        mean: &mean_precision,
        chance: false,
    };
    let labels = ["recall", "precision"];
    panel(
        &precision,
        &title("precision and recall"),
        labels,
        curves,
        &colors,
        &precision_lines,
    )?;
    legend(&key, curves, &colors, [roc_auc, average_precision], without)?;
    area.present()?;
    Ok(())
}

/// A colour for each of the tags that most tracks have, in the data set's order; none for the others.
fn colors(curves: &[TagCurves<'_>]) -> Vec<Option<RGBColor>> {
    let mut by_support: Vec<usize> = (0..curves.len()).collect();
    by_support.sort_by_key(|&tag| std::cmp::Reverse(curves[tag].support));
    by_support.truncate(NAMED);
    let mut palette = COLORS.into_iter();
    (0..curves.len())
        .map(|tag| by_support.contains(&tag).then(|| palette.next()).flatten())
        .collect()
}

/// What one panel draws.
struct Lines<'a> {
    begin: Option<(f64, f64)>,
    line: Line,
    mean: &'a [f64],
    /// Whether the diagonal stands for guessing.
    chance: bool,
}

fn panel(
    area: &Canvas<'_>,
    title: &str,
    [x, y]: [&str; 2],
    curves: &[TagCurves<'_>],
    colors: &[Option<RGBColor>],
    lines: &Lines<'_>,
) -> Outcome {
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 20))
        .margin(15)
        .x_label_area_size(35)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_label_formatter(&|value| format!("{value:.1}"))
        .y_label_formatter(&|value| format!("{value:.1}"))
        .light_line_style(WHITE)
        .draw()?;
    let points = |heights: &[f64]| -> Vec<(f64, f64)> {
        lines
            .begin
            .into_iter()
            .chain(places().zip(heights.iter().copied()))
            .collect()
    };
    if lines.chance {
        chart.draw_series(DashedLineSeries::new(
            [(0.0, 0.0), (1.0, 1.0)],
            4,
            4,
            BLACK.mix(0.4).into(),
        ))?;
    }
    let (named, others): (Vec<_>, Vec<_>) = curves.iter().zip(colors).partition(|(_, color)| color.is_some());
    for (tag, color) in others.into_iter().chain(named) {
        let color = color.unwrap_or(OTHERS);
        chart.draw_series(LineSeries::new(points((lines.line)(tag)), color.stroke_width(1)))?;
    }
    if !curves.is_empty() {
        chart.draw_series(LineSeries::new(points(lines.mean), MEAN.stroke_width(3)))?;
    }
    Ok(())
}

/// The named tags with the areas under their two curves.
fn legend(
    area: &Canvas<'_>,
    curves: &[TagCurves<'_>],
    colors: &[Option<RGBColor>],
    means: [f64; 2],
    without: usize,
) -> Outcome {
    let style = |style: FontStyle, horizontal: HPos| -> TextStyle<'_> {
        (FONT, 14, style)
            .into_text_style(area)
            .pos(Pos::new(horizontal, VPos::Center))
    };
    let mut y = 50;
    let mut row = |name: &str, cells: [String; 2], sample: Option<ShapeStyle>, weight: FontStyle| -> Outcome {
        if let Some(sample) = sample {
            area.draw(&PathElement::new([(10, y), (34, y)], sample))?;
        }
        area.draw_text(name, &style(weight, HPos::Left), (44, y))?;
        for (cell, x) in cells.iter().zip([260, 315]) {
            area.draw_text(cell, &style(weight, HPos::Right), (x, y))?;
        }
        y += 22;
        Ok(())
    };
    let areas = |areas: [f64; 2]| areas.map(|area| format!("{area:.3}"));
    let none = || [String::new(), String::new()];
    row(
        "area under the curve",
        ["ROC".into(), "PR".into()],
        None,
        FontStyle::Normal,
    )?;
    if !curves.is_empty() {
        let name = format!("mean of {}", counted(curves.len()));
        row(&name, areas(means), Some(MEAN.stroke_width(3)), FontStyle::Bold)?;
    }
    for (tag, color) in curves.iter().zip(colors) {
        if let Some(color) = color {
            let cells = areas([tag.roc_auc, tag.average_precision]);
            row(
                &shortened(tag.name),
                cells,
                Some(color.stroke_width(2)),
                FontStyle::Normal,
            )?;
        }
    }
    let others = curves.len().saturating_sub(NAMED);
    if others > 0 {
        let name = format!("{others} more, of fewer tracks");
        row(&name, none(), Some(OTHERS.stroke_width(2)), FontStyle::Normal)?;
    }
    if without > 0 {
        let name = format!("{} without both kinds", counted(without));
        row(&name, none(), None, FontStyle::Normal)?;
    }
    Ok(())
}

fn counted(tags: usize) -> String {
    format!("{tags} {}", if tags == 1 { "tag" } else { "tags" })
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(NAME_LENGTH) {
        None => name.to_owned(),
        Some((end, _)) => format!("{}…", &name[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::rankings;

    /// Tags of falling frequency; the later the tag, the worse its scores. The last `empty` tags have no track.
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
        String::from_utf8(draw(&rankings, &names, Set::Test).unwrap()).unwrap()
    }

    #[test]
    fn few_tags_are_all_named_with_their_areas() {
        let svg = picture(3, 0);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        let (rankings, _) = tagger(3, 0);
        for (tag, ranking) in rankings.iter().enumerate() {
            assert!(svg.contains(&format!("tag &lt;{tag}&gt;")));
            assert!(svg.contains(&format!("{:.3}", ranking.roc_auc().unwrap())));
            assert!(svg.contains(&format!("{:.3}", ranking.average_precision().unwrap())));
        }
        assert!(svg.contains("mean of 3 tags") && svg.contains("font-weight=\"bold\""));
        assert!(!svg.contains("more, of") && !svg.contains("without"));
    }

    #[test]
    fn of_many_tags_the_most_frequent_twelve_are_named() {
        let svg = picture(20, 2);
        assert_eq!(svg.matches("tag &lt;").count(), NAMED);
        for text in [
            "mean of 18 tags",
            "6 more, of fewer tracks",
            "2 tags without both kinds",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        // In each panel 18 tags and their mean, as long for many samples as for few.
        assert!(svg.matches("<polyline").count() >= 2 * 19);
        assert!(svg.len() < 400_000, "{}", svg.len());
    }

    #[test]
    fn nothing_to_draw_is_still_a_picture() {
        let svg = picture(1, 1);
        assert!(svg.contains("1 tag without both kinds") && !svg.contains("mean"));
        assert!(draw(&[], &[], Set::Val).is_ok());
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(shortened("ambient"), "ambient");
        assert_eq!(shortened(&"ü".repeat(30)), format!("{}…", "ü".repeat(18)));
    }
}
