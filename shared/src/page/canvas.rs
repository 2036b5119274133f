//! An image of filled rectangles with axes, as PNG.

use super::axis::Axis;
use super::glyphs::glyph;
use super::spectrogram::encode;

const INK: [u8; 3] = [0x1c, 0x21, 0x26];
/// Pixels of a glyph's dot, and of a letter with the gap after it.
const DOT: i32 = 2;
const LETTER: i32 = 6 * DOT;
const TICK: i32 = 6;

/// A white image to draw on. Drawings are clipped at its edges.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: i32,
    height: i32,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A white image of this size, in pixels.
    pub fn new(width: u16, height: u16) -> Self {
        Self {
            width: width.into(),
            height: height.into(),
            pixels: vec![255; 3 * usize::from(width) * usize::from(height)],
        }
    }

    /// Fills `[x, y, width, height]`.
    pub fn fill(&mut self, [x, y, width, height]: [i32; 4], colour: [u8; 3]) {
        for row in y.max(0)..(y + height).min(self.height) {
            for column in x.max(0)..(x + width).min(self.width) {
                let at = 3 * (row * self.width + column) as usize;
                self.pixels[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    /// Draws an axis along the bottom of the field `[x, y, width, height]`, with its name on the right.
    pub fn axis_below(&mut self, [x, y, width, height]: [i32; 4], axis: &Axis) {
        let bottom = y + height;
        self.fill([x, bottom, width, 1], INK);
        for (value, words) in axis.ticks() {
            let Some(share) = axis.share(*value) else { continue };
            let at = x + (share * f64::from(width)).round() as i32;
            self.fill([at, bottom, 1, TICK], INK);
            self.text(words, [at - text_width(words) / 2, bottom + TICK + 4]);
        }
        self.text(axis.name(), [x + width + LETTER, bottom - 4 * DOT]);
    }

    /// Draws an axis along the left side of the field `[x, y, width, height]`, or its right side, with its name above.
    pub fn axis_beside(&mut self, [x, y, width, height]: [i32; 4], axis: &Axis, right: bool) {
        let line = if right { x + width } else { x - 1 };
        self.fill([line, y, 1, height], INK);
        let place = |words: &str| {
            if right {
                line + TICK + 4
            } else {
                line - TICK - 4 - text_width(words)
            }
        };
        for (value, words) in axis.ticks() {
            let Some(share) = axis.share(*value) else { continue };
            let at = y + ((1.0 - share) * f64::from(height)).round() as i32;
            self.fill([if right { line } else { line - TICK }, at, TICK, 1], INK);
            self.text(words, [place(words), at - 7 * DOT / 2]);
        }
        self.text(axis.name(), [place(axis.name()), y - 14 * DOT]);
    }

    /// Draws text with its upper left corner at `[x, y]`; letters without a glyph are blank.
    fn text(&mut self, text: &str, [x, y]: [i32; 2]) {
        for (at, letter) in (0..).zip(text.chars()) {
            for (row, dots) in (0..).zip(glyph(letter).unwrap_or_default()) {
                for column in (0..5).filter(|column| dots >> (4 - column) & 1 == 1) {
                    self.fill([x + at * LETTER + column * DOT, y + row * DOT, DOT, DOT], INK);
                }
            }
        }
    }

    /// The image as PNG.
    pub fn png(&self) -> Vec<u8> {
        encode(
            [self.width as usize, self.height as usize],
            png::ColorType::Rgb,
            &self.pixels,
            None,
        )
    }
}

fn text_width(text: &str) -> i32 {
    text.chars().count() as i32 * LETTER - DOT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_drawn_outside_the_plotted_area() {
        let mut canvas = Canvas::new(200, 150);
        canvas.fill([-50, -50, 60, 60], [1, 2, 3]);
        canvas.fill([190, 140, 100, 100], [1, 2, 3]);
        let field = [60, 40, 100, 60];
        canvas.axis_below(field, &Axis::linear("s", 0.0, 30.0));
        canvas.axis_beside(field, &Axis::linear("dB", -80.0, 0.0), false);
        canvas.axis_beside(field, &Axis::linear("kHz", 0.0, 20.0), true);
        let ink = |[x, y, width, height]: [i32; 4]| {
            let mut pixels =
                (y..y + height).flat_map(|row| (x..x + width).map(move |column| 3 * (row * 200 + column) as usize));
            pixels.any(|at| canvas.pixels[at..at + 3] == INK)
        };
        assert!(!ink(field), "the field is empty");
        for outside in [
            [60, 106, 100, 20],
            [10, 40, 48, 60],
            [168, 40, 30, 60],
            [10, 10, 50, 20],
        ] {
            assert!(ink(outside), "{outside:?}");
        }
        let png = canvas.png();
        assert_eq!(png[16..24], [200u32.to_be_bytes(), 150u32.to_be_bytes()].concat());
    }

    #[test]
    fn every_letter_of_an_axis_has_a_glyph() {
        for axis in [
            Axis::linear("dB", -80.0, 0.0),
            Axis::linear("kHz", 0.0, 0.25),
            Axis::linear("s", 0.0, 40_000.0),
        ] {
            for letter in axis
                .ticks()
                .iter()
                .flat_map(|(_, words)| words.chars())
                .chain(axis.name().chars())
            {
                assert!(glyph(letter).is_some(), "{letter}");
            }
        }
    }
}
