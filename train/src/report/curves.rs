//! Loss and macro F1 over the epochs, side by side, as an SVG.

use super::font::{self, FONT};
use super::{CURVES_FILE, DrawError};
use crate::metrics::Figures;
use crate::run::history::EpochRecord;
use plotters::prelude::*;

/// Width and height in pixels.
const SIZE: (u32, u32) = (1000, 400);
const TRAIN: RGBColor = RGBColor(31, 119, 180);
const VALIDATION: RGBColor = RGBColor(214, 98, 28);

/// The picture's bytes.
pub fn draw(history: &[EpochRecord]) -> Result<Vec<u8>, DrawError> {
    font::register(CURVES_FILE)?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw_on(&area, history).map_err(|error| DrawError {
            file: CURVES_FILE,
            detail: error.to_string(),
        })?;
    }
    Ok(svg.into_bytes())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_on(area: &Area<'_>, history: &[EpochRecord]) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let panels = area.split_evenly((1, 2));
    let highest = history
        .iter()
        .flat_map(|epoch| [epoch.train.loss, epoch.val.loss])
        .fold(0.1, f64::max);
    panel(&panels[0], "loss", highest * 1.05, history, |figures| figures.loss)?;
    panel(&panels[1], "macro F1", 1.0, history, |figures| figures.macro_f1)?;
    area.present()?;
    Ok(())
}

fn panel(
    area: &Area<'_>,
    title: &str,
    top: f64,
    history: &[EpochRecord],
    get: fn(&Figures) -> f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let last = history.len().max(2) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, 20))
        .margin(15)
        .x_label_area_size(35)
        .y_label_area_size(50)
        .build_cartesian_2d(1.0..last, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .x_labels(history.len().clamp(2, 10))
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    let mut series = |name: &str, color: RGBColor, of: fn(&EpochRecord) -> &Figures| {
        let points = history.iter().map(|epoch| (epoch.epoch as f64, get(of(epoch))));
        let line = LineSeries::new(points, color.stroke_width(2)).point_size(2);
        chart.draw_series(line).map(|drawn| {
            drawn
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        })
    };
    series("training", TRAIN, |epoch| &epoch.train)?;
    series("validation", VALIDATION, |epoch| &epoch.val)?;
    chart
        .configure_series_labels()
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_epoch_and_many_can_be_drawn() {
        let figures = |loss| Figures {
            loss,
            top1: Some(0.5),
            macro_f1: 0.5,
            paper: [0.5; 4],
            auc_roc: None,
            auc_pr: None,
        };
        let record = |epoch: usize| EpochRecord {
            epoch,
            seconds: 1.0,
            data_wait: 0.0,
            clips: 4,
            train: figures(2.0 / epoch as f64),
            val: figures(2.1 / epoch as f64),
        };
        for epochs in [1, 2, 30] {
            let history: Vec<_> = (1..=epochs).map(record).collect();
            let svg = String::from_utf8(draw(&history).unwrap()).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            assert!(svg.contains("macro F1") && svg.contains("validation"));
            assert!(svg.matches("<polyline").count() >= 4, "two lines and two legends");
        }
    }
}
