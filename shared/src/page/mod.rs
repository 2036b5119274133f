//! HTML pages for people: tables and charts.
//!
//! Makes HTML for a page, and SVG for a page or for a separate file, from data and labels. One palette has the colours
//! for light and dark mode. All text is escaped; non-finite numbers are left out. Nothing here depends on tracks, runs
//! or metrics, and nothing is written to disk: the caller writes the bytes.
//!
//! - [`Page`] and [`Section`]: the document; [`Table`], [`facts`], [`cards`], [`notice`], [`side_by_side`]:
//!   its contents.
//! - [`Plot`]: lines, areas, points, bars or an image between two [`Axis`]; [`Heat`]: a heat map. Both draw a [`Chart`].
//! - [`Spectrogram`]: a mel spectrogram as PNG; [`Canvas`]: a PNG with axes, if SVG is not wanted.

mod axis;
mod canvas;
mod chart;
mod glyphs;
mod heat;
mod series;
mod palette;
mod plot;
mod shell;
mod spectrogram;
mod table;

pub use axis::{Axis, number, round_step};
pub use canvas::Canvas;
pub use chart::{Chart, file, full_width, side_by_side};
pub use heat::{Heat, HeatCell};
pub use palette::magma;
pub use plot::Plot;
pub use series::{Bar, Point, Series, Shape, Style, swatch};
pub use shell::{Page, Section, cards, facts, notice, player, seek};
pub use spectrogram::{Spectrogram, data_url};
pub use table::{Cell, Table, bar, cell};
