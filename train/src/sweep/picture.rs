//! `heat_map.svg`: a sweep's trials by the figure that is watched.
//!
//! Two settings and more, of which every value was tried with every other, are a heat map, one for each choice of the third
//! and further ones. Everything else, one setting or draws, is a panel for each setting with a point for each trial.

use super::axis::{GridAxis, show};
use super::directory::PICTURE_FILE;
use super::schedule::State;
use super::specification::Specification;
use super::table::Results;
use super::{heat_map, points};
use crate::report::DrawError;
use crate::report::font::{self, FONT};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// More heat maps than anybody looks at; their settings are drawn one by one then.
const MOST_PANELS: usize = 24;
/// Room above the panels.
pub(super) const TITLE: i32 = 56;
pub(super) const MARGIN: i32 = 16;
/// Narrower, and the title would be cut off.
const LEAST_WIDTH: i32 = 560;

/// Width and height of a picture, and of each of its panels, which stand in rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub panel: (i32, i32),
    pub columns: usize,
    pub panels: usize,
}

impl Layout {
    fn size(&self) -> (u32, u32) {
        let rows = self.panels.div_ceil(self.columns) as i32;
        let width = (2 * MARGIN + self.panel.0 * self.columns as i32).max(LEAST_WIDTH);
        (width as u32, (TITLE + MARGIN + self.panel.1 * rows) as u32)
    }

    /// The upper left corner of a panel.
    pub fn corner(&self, panel: usize) -> (i32, i32) {
        let (column, row) = ((panel % self.columns) as i32, (panel / self.columns) as i32);
        (MARGIN + column * self.panel.0, TITLE + row * self.panel.1)
    }
}

/// The picture's bytes; none where no trial has a figure yet.
pub fn draw(specification: &Specification, results: &Results<'_>) -> Result<Option<Vec<u8>>, DrawError> {
    if (0..results.trials.len()).all(|trial| results.watched(trial).is_none()) {
        return Ok(None);
    }
    let failed = |error: Box<dyn std::error::Error>| DrawError {
        file: PICTURE_FILE,
        detail: error.to_string(),
    };
    font::register(PICTURE_FILE)?;
    let maps: usize = specification
        .grid
        .iter()
        .skip(2)
        .map(|axis| axis.values.len())
        .product();
    let is_map = specification.ranges.is_empty() && specification.grid.len() >= 2 && maps <= MOST_PANELS;
    let layout = if is_map {
        heat_map::layout(&specification.grid, maps)
    } else {
        points::layout(specification.names().len())
    };
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, layout.size()).into_drawing_area();
        title(&area, results, is_map).map_err(failed)?;
        if is_map {
            heat_map::draw(&area, layout, &specification.grid, results).map_err(failed)?;
        } else {
            points::draw(&area, layout, specification, results).map_err(failed)?;
        }
        area.present().map_err(|error| failed(error.into()))?;
    }
    Ok(Some(svg.into_bytes()))
}

fn title(area: &Area<'_>, results: &Results<'_>, is_map: bool) -> Drawn {
    area.fill(&WHITE)?;
    let better = if results.monitor.lower_is_better() {
        "lower"
    } else {
        "higher"
    };
    let model = results.trials.first().map(|trial| trial.config.model);
    let same = results.trials.iter().all(|trial| Some(trial.config.model) == model);
    let model = model
        .filter(|_| same)
        .map_or(String::new(), |model| format!("{model}: "));
    let what = format!("{model}validation {}, {better} is better", results.monitor.describe());
    let how = match (is_map, results.count(State::Dropped)) {
        (true, _) => "darker is better; the best trial is framed",
        (false, 0) => "a point for each trial; the best one is filled",
        (false, _) => "a point for each trial; the best one is filled, pale ones were trained for fewer epochs",
    };
    area.draw_text(&what, &style(area, 17, BLACK, HPos::Left, VPos::Top), (MARGIN, 8))?;
    area.draw_text(how, &style(area, 12, GREY, HPos::Left, VPos::Top), (MARGIN, 32))?;
    Ok(())
}

pub(super) const GREY: RGBColor = RGBColor(90, 90, 90);

/// How text looks and where it stands from its place.
pub(super) fn style(
    area: &Area<'_>,
    size: i32,
    color: RGBColor,
    horizontal: HPos,
    vertical: VPos,
) -> TextStyle<'static> {
    let mut style = (FONT, size).into_text_style(area).pos(Pos::new(horizontal, vertical));
    style.color = color.to_backend_color();
    style
}

/// The width of the widest value of an axis, in pixels, about.
pub(super) fn label_width(axis: &GridAxis) -> i32 {
    let widest = axis
        .values
        .iter()
        .map(|value| show(value).chars().count())
        .max()
        .unwrap_or(0);
    8 * widest as i32
}

#[cfg(test)]
mod tests {
    use super::super::record::{RungResult, TrialRecord};
    use super::super::search;
    use super::super::testing::{figures, specification};
    use super::*;
    use crate::models::Monitor;

    fn picture(grid: &[&str], ranges: &[&str], losses: &[Option<f64>]) -> Option<String> {
        let draws = if ranges.is_empty() { 0 } else { losses.len() };
        let specification = specification(grid, ranges, draws);
        let trials = search::trials(&specification).unwrap();
        let record = |loss: &Option<f64>| TrialRecord {
            rungs: loss
                .iter()
                .map(|&loss| RungResult {
                    epochs: 2,
                    best_epoch: 1,
                    seconds: 1.0,
                    validation: figures(loss),
                })
                .collect(),
            failure: loss.is_none().then(|| "out of memory".into()),
        };
        let records: Vec<_> = losses.iter().map(record).collect();
        assert_eq!(records.len(), trials.len());
        let state = |record: &TrialRecord| {
            if record.failure.is_some() {
                State::Failed
            } else {
                State::Finished
            }
        };
        let states: Vec<_> = records.iter().map(state).collect();
        let results = Results {
            trials: &trials,
            records: &records,
            states: &states,
            monitor: Monitor::Loss,
        };
        let svg = String::from_utf8(draw(&specification, &results).unwrap()?).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        Some(svg)
    }

    fn count(svg: &str, text: &str) -> usize {
        svg.lines().filter(|line| line.trim() == text).count()
    }

    #[test]
    fn every_cell_has_its_value_and_failures_are_named() {
        let grid = ["weight_decay=0.0,1e-5", "dropout=0.1,0.2,0.3"];
        let losses = [Some(0.75), Some(0.5), None, Some(1.25), Some(2.0), Some(0.625)];
        let svg = picture(&grid, &[], &losses).unwrap();
        for text in [
            "0.750",
            "0.500",
            "1.250",
            "2.000",
            "0.625",
            "failed",
            "1e-5",
            "0.3",
            "weight_decay",
            "dropout",
        ] {
            assert_eq!(count(&svg, text), 1, "{text}: {svg}");
        }
        assert!(svg.contains("crnn: validation loss, lower is better"));
        assert_eq!(picture(&grid, &[], &[None; 6]), None);
    }

    #[test]
    fn a_third_setting_is_a_map_for_each_of_its_values() {
        let losses: Vec<_> = (0..8).map(|trial| Some(f64::from(trial))).collect();
        let svg = picture(
            &["lr=0.1,0.2", "dropout=0.3,0.4", "balance=none,oversample"],
            &[],
            &losses,
        )
        .unwrap();
        assert_eq!(
            (count(&svg, "balance = none"), count(&svg, "balance = oversample")),
            (1, 1)
        );
        assert_eq!((count(&svg, "dropout"), count(&svg, "7.000")), (2, 1));
    }

    #[test]
    fn one_setting_and_draws_are_points() {
        let losses = [Some(0.75), Some(0.5), None];
        for (grid, ranges, panels) in [
            (&["lr=1e-5,1e-4,0.1"][..], &[][..], 1),
            (&["balance=none,oversample,undersample"], &[], 1),
            (&[], &["lr=1e-5..1e-1:log", "batch_size=4..64"], 2),
        ] {
            let svg = picture(grid, ranges, &losses).unwrap();
            assert_eq!(svg.matches("<circle").count(), 2 * panels, "{grid:?} {ranges:?}");
        }
    }
}
