//! One kit for everything that people style at: pages, tables and charts.
//!
//! It makes HTML for a page, and SVG for a page or for a file of its own, of data and labels. One palette colours all of
//! it, for light and for dark. All text is escaped; non-finite numbers are left out. The kit knows nothing of tracks, runs or
//! metrics, and no file: who calls it writes the bytes.
//!
//! - [`Page`] and [`Section`]: the document; [`Table`], [`facts`], [`cards`], [`notice`], [`side_by_side`]: what is in it.
//! - [`Plot`]: lines, points, bars or an image in a frame of two [`Axis`]; [`Heat`]: a shaded matrix. Both draw a [`Chart`].
//! - [`Spectrogram`]: a mel spectrogram as PNG; [`Canvas`]: a PNG with axes, for who wants no SVG.

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
pub use chart::{Chart, file, side_by_side};
pub use heat::{Heat, HeatCell};
pub use palette::magma;
pub use plot::Plot;
pub use series::{Bar, Point, Series, Shape, Style, swatch};
pub use shell::{Page, Section, cards, facts, notice};
pub use spectrogram::{Spectrogram, data_url};
pub use table::{Cell, Table, bar, cell};
