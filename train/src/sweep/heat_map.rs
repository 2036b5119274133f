//! Heat maps: rows are the first setting's values, columns the second's, shaded by the figure that is written in each cell.

use super::axis::{GridAxis, show};
use super::picture::{Area, Drawn, GREY, Layout, MARGIN, label_width, style};
use super::schedule::State;
use super::table::Results;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Width and height of a cell, in pixels.
const CELL: (i32, i32) = (84, 48);
/// Room for the name of the rows' setting, which stands upright.
const NAME: i32 = 26;
/// Room above the cells: the panel's title, the name of the columns' setting, their values.
const HEAD: (i32, i32, i32) = (24, 20, 22);
/// Widest row of panels, in pixels.
const WIDEST: i32 = 1200;
const LIGHTEST: (f64, f64, f64) = (239.0, 244.0, 250.0);
const DARKEST: (f64, f64, f64) = (8.0, 48.0, 107.0);
const FAILED: RGBColor = RGBColor(228, 228, 228);
const FRAME: RGBColor = RGBColor(214, 98, 28);
/// Of a cell's shade, beyond which its text is white.
const DARK: f64 = 0.5;

/// So many maps of the first two settings.
pub(super) fn layout(grid: &[GridAxis], maps: usize) -> Layout {
    let cell = cell_width(grid);
    let width = NAME + label_width(&grid[0]) + cell * grid[1].values.len() as i32 + MARGIN;
    let height = head(grid) + HEAD.1 + HEAD.2 + CELL.1 * grid[0].values.len() as i32 + MARGIN;
    Layout {
        panel: (width, height),
        columns: ((WIDEST / width).max(1) as usize).min(maps),
        panels: maps,
    }
}

/// Room for what the settings are that are the same in all of a map, where there are any.
fn head(grid: &[GridAxis]) -> i32 {
    if grid.len() > 2 { HEAD.0 } else { 0 }
}

/// Wide enough for the columns' values.
fn cell_width(grid: &[GridAxis]) -> i32 {
    CELL.0.max(label_width(&grid[1]) + 8)
}

pub(super) fn draw(area: &Area<'_>, layout: Layout, grid: &[GridAxis], results: &Results<'_>) -> Drawn {
    let shading = Shading::of(results);
    let best = results.ranked().first().copied();
    let (rows, columns) = (grid[0].values.len(), grid[1].values.len());
    let text = |size, color, horizontal| style(area, size, color, horizontal, VPos::Center);
    for map in 0..layout.panels {
        let (left, top) = layout.corner(map);
        // The settings of its first trial that are the same in all of the map.
        let of_map: Vec<_> = results.trials[map].values.iter().skip(2).collect();
        let of_map: Vec<_> = of_map
            .iter()
            .map(|(name, value)| format!("{name} = {}", show(value)))
            .collect();
        area.draw_text(
            &of_map.join(", "),
            &text(14, BLACK, HPos::Left),
            (left, top + head(grid) / 2),
        )?;
        let (width, height) = (cell_width(grid), CELL.1);
        let (x, y) = (left + NAME + label_width(&grid[0]), top + head(grid) + HEAD.1 + HEAD.2);
        let middle = x + width * columns as i32 / 2;
        area.draw_text(
            &grid[1].name,
            &text(14, GREY, HPos::Center),
            (middle, top + head(grid) + HEAD.1 / 2),
        )?;
        let upright = text(14, GREY, HPos::Center).transform(FontTransform::Rotate270);
        area.draw_text(
            &grid[0].name,
            &upright,
            (left + NAME / 2 - 4, y + height * rows as i32 / 2),
        )?;
        for (column, value) in grid[1].values.iter().enumerate() {
            let place = (x + width * column as i32 + width / 2, y - HEAD.2 / 2);
            area.draw_text(&show(value), &text(13, BLACK, HPos::Center), place)?;
        }
        for (row, value) in grid[0].values.iter().enumerate() {
            let place = (x - 8, y + height * row as i32 + height / 2);
            area.draw_text(&show(value), &text(13, BLACK, HPos::Right), place)?;
            for column in 0..columns {
                let trial = (row * columns + column) * layout.panels + map;
                let corner = (x + width * column as i32, y + height * row as i32);
                let cell = Cell {
                    corner,
                    size: (width, height),
                    trial,
                };
                cell.draw(area, results, &shading, best == Some(trial))?;
            }
        }
    }
    Ok(())
}

struct Cell {
    corner: (i32, i32),
    size: (i32, i32),
    trial: usize,
}

impl Cell {
    fn draw(&self, area: &Area<'_>, results: &Results<'_>, shading: &Shading, is_best: bool) -> Drawn {
        let ((x, y), (width, height)) = (self.corner, self.size);
        let inside = [(x, y), (x + width - 2, y + height - 2)];
        let middle = (x + width / 2 - 1, y + height / 2 - 1);
        let text = |size, color| style(area, size, color, HPos::Center, VPos::Center);
        let Some(figure) = results.watched(self.trial) else {
            let word = if results.states[self.trial] == State::Failed {
                "failed"
            } else {
                "-"
            };
            area.draw(&Rectangle::new(inside, FAILED.filled()))?;
            area.draw_text(word, &text(13, GREY), middle)?;
            return Ok(());
        };
        let share = shading.share(figure);
        let color = if share > DARK { WHITE } else { BLACK };
        area.draw(&Rectangle::new(inside, shade(share).filled()))?;
        match results.records[self.trial].last() {
            // Beside figures of trials that were trained for longer.
            Some(last) if results.states[self.trial] == State::Dropped => {
                area.draw_text(&format!("{figure:.3}"), &text(14, color), (middle.0, middle.1 - 7))?;
                let epochs = if last.epochs == 1 { "epoch" } else { "epochs" };
                area.draw_text(
                    &format!("{} {epochs}", last.epochs),
                    &text(11, color),
                    (middle.0, middle.1 + 11),
                )?;
            }
            _ => area.draw_text(&format!("{figure:.3}"), &text(14, color), middle)?,
        }
        if is_best {
            // As a path, because a rectangle's line is always thin.
            let [(left, top), (right, bottom)] = inside;
            let corners = [
                (left, top),
                (right, top),
                (right, bottom),
                (left, bottom),
                (left, top),
                (right, top),
            ];
            area.draw(&PathElement::new(corners, FRAME.stroke_width(4)))?;
        }
        Ok(())
    }
}

/// From the best figure to the worst, or to thrice as far from the best as the median, where a trial that went astray would
/// leave all others alike.
struct Shading {
    best: f64,
    worst: f64,
}

impl Shading {
    fn of(results: &Results<'_>) -> Self {
        let ranked: Vec<_> = results
            .ranked()
            .into_iter()
            .filter_map(|trial| results.watched(trial))
            .collect();
        let (best, worst) = (
            ranked.first().copied().unwrap_or(0.0),
            ranked.last().copied().unwrap_or(0.0),
        );
        let median = ranked.get(ranked.len() / 2).copied().unwrap_or(worst);
        let far = best + 3.0 * (median - best);
        let worst = if median != best && (worst - best).abs() > (far - best).abs() {
            far
        } else {
            worst
        };
        Self { best, worst }
    }

    /// 1 for the best, 0 for the worst.
    fn share(&self, figure: f64) -> f64 {
        if self.best == self.worst {
            return 1.0;
        }
        ((self.worst - figure) / (self.worst - self.best)).clamp(0.0, 1.0)
    }
}

fn shade(share: f64) -> RGBColor {
    let mix = |light: f64, dark: f64| (light + (dark - light) * share).round() as u8;
    RGBColor(
        mix(LIGHTEST.0, DARKEST.0),
        mix(LIGHTEST.1, DARKEST.1),
        mix(LIGHTEST.2, DARKEST.2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_darkest() {
        let shading = Shading { best: 0.5, worst: 1.5 };
        assert_eq!(
            [0.5, 1.0, 1.5, 9.0].map(|figure| shading.share(figure)),
            [1.0, 0.5, 0.0, 0.0]
        );
        let higher = Shading { best: 0.9, worst: 0.1 };
        assert_eq!((higher.share(0.9), higher.share(0.1)), (1.0, 0.0));
        assert_eq!(
            (shade(0.0), shade(1.0)),
            (RGBColor(239, 244, 250), RGBColor(8, 48, 107))
        );
    }
}
