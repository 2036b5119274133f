//! How labels go together enters; a PNG of the matrix of their phi coefficients leaves.
//!
//! Red is together more often than by chance, blue less often, white neither. Labels without a coefficient are grey.

use super::labels::LabelReport;
use super::picture::{PictureError, register_font};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

const FONT: &str = super::picture::FONT;
/// Pixels of the matrix at most, and of a cell between the two.
const MATRIX: i32 = 900;
const CELL: std::ops::RangeInclusive<i32> = 12..=72;
/// Cells from this width on have their number written in them.
const WIDTH_OF_A_NUMBER: i32 = 36;
const MARGIN: i32 = 24;
const TITLE_HEIGHT: i32 = 44;
/// Between the matrix and the names, and between the matrix and the scale.
const GAP: i32 = 8;
const SCALE_WIDTH: i32 = 20;
const SCALE_LABELS: i32 = 52;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type DrawError<'a> = DrawingAreaErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

/// Where everything is, in pixels.
struct Layout {
    cell: i32,
    font: i32,
    /// Room for the names, beside the matrix and below it.
    names: i32,
    left: i32,
    top: i32,
    matrix: i32,
}

impl Layout {
    fn of(labels: &[String]) -> Self {
        let count = labels.len().max(1) as i32;
        let cell = (MATRIX / count).clamp(*CELL.start(), *CELL.end());
        let font = (cell * 3 / 5).clamp(11, 18);
        let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as i32;
        // A letter of this font is 0.6 of its height wide at most, but for capitals.
        let names = longest * font * 3 / 5 + GAP;
        Self {
            cell,
            font,
            names,
            left: MARGIN + names,
            top: MARGIN + TITLE_HEIGHT,
            matrix: cell * count,
        }
    }

    fn size(&self) -> (u32, u32) {
        // At least as wide as the title.
        let width = (self.left + self.matrix + 3 * GAP + SCALE_WIDTH + SCALE_LABELS + MARGIN).max(640);
        let height = (self.top + self.matrix + self.names + MARGIN).max(TITLE_HEIGHT + 8 * MARGIN);
        (width as u32, height as u32)
    }
}

impl LabelReport {
    /// Writes the matrix of phi coefficients as a PNG, as large as the number of labels asks for.
    pub fn write_picture(&self, path: &Path) -> Result<(), PictureError> {
        let failed = |reason: String| PictureError::new(path, reason);
        register_font().map_err(failed)?;
        let layout = Layout::of(&self.labels);
        let area = BitMapBackend::new(path, layout.size()).into_drawing_area();
        self.draw(&layout, &area).map_err(|error| failed(error.to_string()))?;
        area.present().map_err(|error| failed(error.to_string()))
    }

    fn draw<'a>(&self, layout: &Layout, area: &Area<'a>) -> Result<(), DrawError<'a>> {
        area.fill(&WHITE)?;
        let title = format!(
            "Correlation of {} labels (phi), {} tracks",
            self.labels.len(),
            self.tracks
        );
        area.draw(&Text::new(title, (MARGIN, MARGIN), (FONT, 24)))?;
        let text = |anchor: Pos| {
            FONT.into_font()
                .resize(f64::from(layout.font))
                .color(&BLACK)
                .pos(anchor)
        };
        for (row, name) in self.labels.iter().enumerate() {
            let place = row as i32 * layout.cell + layout.cell / 2;
            let beside = text(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(
                name.as_str(),
                (layout.left - GAP, layout.top + place),
                beside,
            ))?;
            let below = text(Pos::new(HPos::Right, VPos::Center)).transform(FontTransform::Rotate270);
            let foot = (layout.left + place, layout.top + layout.matrix + GAP);
            area.draw(&Text::new(name.as_str(), foot, below))?;
            for (column, phi) in self.phi[row].iter().enumerate() {
                self.draw_cell(layout, area, (row, column), *phi)?;
            }
        }
        draw_scale(layout, area)
    }

    fn draw_cell<'a>(
        &self,
        layout: &Layout,
        area: &Area<'a>,
        (row, column): (usize, usize),
        phi: Option<f64>,
    ) -> Result<(), DrawError<'a>> {
        let (x, y) = (
            layout.left + column as i32 * layout.cell,
            layout.top + row as i32 * layout.cell,
        );
        let corners = [(x, y), (x + layout.cell - 1, y + layout.cell - 1)];
        area.draw(&Rectangle::new(corners, phi.map_or(UNDEFINED, colour).filled()))?;
        let Some(phi) = phi.filter(|_| layout.cell >= WIDTH_OF_A_NUMBER) else {
            return Ok(());
        };
        let ink = if phi.abs() > 0.6 { WHITE } else { BLACK };
        let style = FONT
            .into_font()
            .resize(f64::from(layout.cell) * 0.3)
            .color(&ink)
            .pos(Pos::new(HPos::Center, VPos::Center));
        let centre = (x + layout.cell / 2, y + layout.cell / 2);
        area.draw(&Text::new(number(phi), centre, style))
    }
}

/// Two decimals, and no minus before nothing.
fn number(phi: f64) -> String {
    let text = format!("{phi:.2}");
    if text == "-0.00" { "0.00".into() } else { text }
}

/// The colours from 1 down to -1, beside the matrix.
fn draw_scale<'a>(layout: &Layout, area: &Area<'a>) -> Result<(), DrawError<'a>> {
    let left = layout.left + layout.matrix + 2 * GAP;
    let height = layout.matrix.max(4 * MARGIN);
    for row in 0..height {
        let phi = 1.0 - 2.0 * f64::from(row) / f64::from(height - 1);
        for x in left..left + SCALE_WIDTH {
            area.draw_pixel((x, layout.top + row), &colour(phi))?;
        }
    }
    for (share, name) in [(0.0, "1"), (0.25, "0.5"), (0.5, "0"), (0.75, "-0.5"), (1.0, "-1")] {
        let y = layout.top + (share * f64::from(height - 1)).round() as i32;
        let style = FONT
            .into_font()
            .resize(15.0)
            .color(&BLACK)
            .pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(name, (left + SCALE_WIDTH + GAP, y), style))?;
    }
    Ok(())
}

const UNDEFINED: RGBColor = RGBColor(0xd0, 0xd0, 0xd0);

/// The colour map RdBu of matplotlib, turned round, between seven of its colours.
fn colour(phi: f64) -> RGBColor {
    const COLOURS: [[u8; 3]; 7] = [
        [0x05, 0x30, 0x61],
        [0x43, 0x93, 0xc3],
        [0xd1, 0xe5, 0xf0],
        [0xff, 0xff, 0xff],
        [0xfd, 0xdb, 0xc7],
        [0xd6, 0x60, 0x4d],
        [0x67, 0x00, 0x1f],
    ];
    let place = (phi.clamp(-1.0, 1.0) + 1.0) / 2.0 * (COLOURS.len() - 1) as f64;
    let below = (place as usize).min(COLOURS.len() - 2);
    let part = place - below as f64;
    let mix = |channel: usize| {
        let (a, b) = (
            f64::from(COLOURS[below][channel]),
            f64::from(COLOURS[below + 1][channel]),
        );
        (a + part * (b - a)).round() as u8
    };
    RGBColor(mix(0), mix(1), mix(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::dataset::Task;

    fn report(labels: usize) -> LabelReport {
        let phi = |a: usize, b: usize| (b != 1).then(|| if a == b { 1.0 } else { -0.1 * (a % 7) as f64 });
        LabelReport {
            task: Task::MultiLabel,
            tracks: 9,
            labels: (0..labels).map(|at| format!("label number {at}")).collect(),
            counts: vec![1; labels],
            labels_per_track: vec![0, 9],
            together: vec![vec![0; labels]; labels],
            phi: (0..labels).map(|a| (0..labels).map(|b| phi(a, b)).collect()).collect(),
        }
    }

    #[test]
    fn any_number_of_labels_becomes_a_png_and_a_wrong_path_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("labels.png");
        for labels in [0, 1, 10, 188] {
            let report = report(labels);
            report.write_picture(&path).unwrap();
            let png = std::fs::read(&path).unwrap();
            let (width, height) = Layout::of(&report.labels).size();
            assert_eq!(
                png[16..24],
                [width.to_be_bytes(), height.to_be_bytes()].concat(),
                "{labels}"
            );
        }
        let error = report(2)
            .write_picture(&directory.path().join("absent/labels.png"))
            .unwrap_err();
        assert!(error.to_string().contains("absent"));
    }

    #[test]
    fn colours_run_from_blue_through_white_to_red() {
        assert_eq!(colour(-1.0), RGBColor(0x05, 0x30, 0x61));
        assert_eq!(colour(0.0), WHITE);
        assert_eq!(colour(3.0), RGBColor(0x67, 0x00, 0x1f));
        assert_eq!(number(-0.001), "0.00");
    }
}
