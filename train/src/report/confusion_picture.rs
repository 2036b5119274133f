//! The confusion matrix as an SVG: a row per true class, shaded by its share of the row, with the counts written in.

use super::font::{self, FONT};
use super::{DrawError, set_files};
use crate::metrics::ConfusionMatrix;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use shared::dataset::Task;
use shared::dataset::split::Set;

/// Side of one cell, in pixels.
const CELL: i32 = 64;
/// Room for class names on the left and above.
const LABELS: i32 = 130;
const MARGIN: i32 = 30;
/// The darkest shade: every track of the class.
const FULL: (f64, f64, f64) = (8.0, 48.0, 107.0);

/// The picture's bytes.
pub fn draw(confusion: &ConfusionMatrix, names: &[String], set: Set) -> Result<Vec<u8>, DrawError> {
    let side = (LABELS + MARGIN + CELL * confusion.classes() as i32) as u32;
    font::register(set_files(set, Task::SingleLabel).1)?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (side, side)).into_drawing_area();
        draw_on(&area, confusion, names, set).map_err(|error| DrawError {
            file: set_files(set, Task::SingleLabel).1,
            detail: error.to_string(),
        })?;
    }
    Ok(svg.into_bytes())
}

fn draw_on(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    confusion: &ConfusionMatrix,
    names: &[String],
    set: Set,
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let style = |color: &'static RGBColor, horizontal, vertical| {
        (FONT, 14)
            .into_text_style(area)
            .color(color)
            .pos(Pos::new(horizontal, vertical))
    };
    let title = format!("{} set: true class (rows), predicted class (columns)", set.name());
    area.draw_text(&title, &style(&BLACK, HPos::Left, VPos::Top), (10, 8))?;
    for (class, name) in names.iter().enumerate() {
        let middle = LABELS + CELL * class as i32 + CELL / 2;
        area.draw_text(name, &style(&BLACK, HPos::Right, VPos::Center), (LABELS - 8, middle))?;
        // Names above lean, or those of narrow columns would run into each other.
        let upright = style(&BLACK, HPos::Left, VPos::Center).transform(FontTransform::Rotate270);
        area.draw_text(name, &upright, (middle, LABELS - 8))?;
    }
    for truth in 0..confusion.classes() {
        let total = confusion.truth_total(truth).max(1) as f64;
        for predicted in 0..confusion.classes() {
            let count = confusion.count(truth, predicted);
            let share = count as f64 / total;
            let (x, y) = (LABELS + CELL * predicted as i32, LABELS + CELL * truth as i32);
            let cell = [(x, y), (x + CELL - 2, y + CELL - 2)];
            area.draw(&Rectangle::new(cell, shade(share).filled()))?;
            let text = style(if share > 0.5 { &WHITE } else { &BLACK }, HPos::Center, VPos::Center);
            area.draw_text(&count.to_string(), &text, (x + CELL / 2, y + CELL / 2))?;
        }
    }
    area.present()?;
    Ok(())
}

/// White for none, [`FULL`] for all.
fn shade(share: f64) -> RGBColor {
    let mix = |full: f64| (255.0 + (full - 255.0) * share).round() as u8;
    RGBColor(mix(FULL.0), mix(FULL.1), mix(FULL.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_and_every_name_is_drawn() {
        let mut confusion = ConfusionMatrix::new(2);
        (0..17).for_each(|_| confusion.add(0, 0));
        (0..5).for_each(|_| confusion.add(1, 0));
        let svg = String::from_utf8(draw(&confusion, &["Folk".into(), "Rock".into()], Set::Test).unwrap()).unwrap();
        for text in ["17", "5", "Folk", "Rock", "test set"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!((shade(0.0), shade(1.0)), (WHITE, RGBColor(8, 48, 107)));
    }
}
