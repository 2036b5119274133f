//! The font by which pictures measure their text, built in: a cluster node may have none.

use super::DrawError;
use plotters::style::{FontStyle, register_font};

/// The name under which pictures ask for it. A viewer draws the text with whatever it calls so.
pub const FONT: &str = "sans-serif";

/// Makes the font known; again and again does no harm.
pub fn register(file: &'static str) -> Result<(), DrawError> {
    register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT).map_err(|_| DrawError {
        file,
        detail: "the built-in font cannot be read".into(),
    })
}
