//! HTML pages for people: tables and charts.
//!
//! Makes HTML for a page, and SVG for a page or for a separate file, from data and labels. One palette has the colours
//! for light and dark mode. All text is escaped; non-finite numbers are left out. Nothing here depends on tracks, runs
//! or metrics, and nothing is written to disk: the caller writes the bytes.
//!
//! - [`Page`] and [`Section`]: the document; [`Table`], [`facts`], [`cards`], [`notice`], [`details`],
//!   [`side_by_side`]: its contents.
//! - [`Plot`]: lines, areas, points, bars or an image between two [`Axis`]; [`Heat`]: a heat map; [`Intervals`]: values
//!   with their intervals; [`class_map()`]: points coloured by class. All draw a [`Chart`].
//! - [`Browser`]: a table of many rows to search.
//! - [`excerpt_player`], [`file_player`], [`seek`]: sounds.
//! - [`Spectrogram`]: a mel spectrogram as PNG; [`Canvas`]: a PNG with axes, if SVG is not wanted.

mod axis;
mod browser;
mod canvas;
mod chart;
mod class_map;
mod glyphs;
mod heat;
mod intervals;
mod series;
mod palette;
mod plot;
mod shell;
mod sound;
mod spectrogram;
mod table;

pub use axis::{Axis, number, round_step};
pub use browser::{Browser, BrowserColumn, BrowserKind, BrowserValue};
pub use canvas::Canvas;
pub use chart::{Chart, file, full_width, side_by_side};
pub use class_map::{CLASSES_DRAWN, class_map, drawn_classes};
pub use heat::{Heat, HeatCell};
pub use intervals::{IntervalRow, Intervals};
pub use palette::magma;
pub use plot::Plot;
pub use series::{Bar, Point, Series, Shape, Style, swatch};
pub use shell::{Page, Section, cards, details, facts, notice};
pub use sound::{excerpt, excerpt_player, file_player, seek};
pub use spectrogram::{Spectrogram, data_url};
pub use table::{Cell, Table, bar, cell};
