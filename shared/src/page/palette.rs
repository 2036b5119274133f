//! The colours of pages and charts for light and dark mode.

/// Name, colour in light mode, colour in dark mode. Text colours have a contrast of at least 4.5 with `page`, `surface`
/// and `notice`.
const COLOURS: [(&str, &str, &str); 25] = [
    ("page", "#f7f7f5", "#101418"),
    ("surface", "#ffffff", "#171c21"),
    ("ink", "#1c2126", "#e6e9ec"),
    ("muted", "#57606a", "#a3adb8"),
    ("rule", "#dcdfe3", "#303841"),
    ("soft", "#eef1f4", "#20272e"),
    ("accent", "#0a5a9c", "#7cc0f5"),
    ("bar", "#bcd8ee", "#1f4868"),
    ("good", "#1a7f37", "#3fb950"),
    ("bad", "#a34700", "#e0964b"),
    ("notice", "#fff4de", "#33270f"),
    ("notice-rule", "#b36b00", "#e0a030"),
    // The two ends of a heat map, and the text on light, middle and strong shades of either.
    ("cool", "#0b4f8a", "#8ecbff"),
    ("warm", "#952d0f", "#ffb391"),
    ("on-low", "#000000", "#ffffff"),
    ("on-middle", "#000000", "#000000"),
    ("on-high", "#ffffff", "#000000"),
    // Series. Dashes and markers also distinguish them without colours.
    ("s0", "#0072b2", "#56b4e9"),
    ("s1", "#c2500a", "#f09a4a"),
    ("s2", "#00775a", "#34c79a"),
    ("s3", "#a23b86", "#e59ac8"),
    ("s4", "#7d6200", "#e3d35a"),
    ("s5", "#2a7fb8", "#a5cdf2"),
    ("s6", "#8c2d19", "#ff8f7a"),
    ("s7", "#5a5f66", "#b8c0c8"),
];

const CHART: &str = include_str!("chart.css");
const PAGE: &str = include_str!("page.css");

/// The style of a page with its charts.
pub(super) fn page_style() -> String {
    let properties = |dark: bool| -> String {
        let property =
            |(name, light, on_dark): &(&str, &str, &str)| format!("--{name}:{};", if dark { on_dark } else { light });
        COLOURS.iter().map(property).collect()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme: dark){{:root{{{}}}}}\n{PAGE}{CHART}",
        properties(false),
        properties(true)
    )
}

/// The style of a chart in a separate file. It has no variables, because drawing programs do not support them.
pub(super) fn file_style() -> String {
    let resolved = |dark: bool| {
        COLOURS.iter().fold(CHART.to_owned(), |css, (name, light, on_dark)| {
            css.replace(&format!("var(--{name})"), if dark { on_dark } else { light })
        })
    };
    format!(
        "{}@media (prefers-color-scheme: dark){{\n{}}}\n",
        resolved(false),
        resolved(true)
    )
}

/// The class of text on a shade of a heat map, from 0 to 1. The thresholds keep the contrast of 4.5 that WCAG requires,
/// in light and dark mode and at both ends of the palette.
pub(super) fn ink_on(shade: f64) -> &'static str {
    match shade {
        0.74.. => "on-high",
        0.5.. => "on-middle",
        _ => "on-low",
    }
}

/// The colour map magma of matplotlib, interpolated between nine of its colours; 0 is black.
pub fn magma(brightness: f32) -> [u8; 3] {
    const ANCHORS: [[u8; 3]; 9] = [
        [0x00, 0x00, 0x04],
        [0x1d, 0x11, 0x47],
        [0x51, 0x12, 0x7c],
        [0x83, 0x26, 0x81],
        [0xb6, 0x36, 0x79],
        [0xe7, 0x52, 0x63],
        [0xfc, 0x89, 0x61],
        [0xfe, 0xc4, 0x88],
        [0xfc, 0xfd, 0xbf],
    ];
    let brightness = if brightness.is_nan() {
        0.0
    } else {
        brightness.clamp(0.0, 1.0)
    };
    let place = brightness * (ANCHORS.len() - 1) as f32;
    let below = (place as usize).min(ANCHORS.len() - 2);
    let part = place - below as f32;
    std::array::from_fn(|channel| {
        let (a, b) = (
            f32::from(ANCHORS[below][channel]),
            f32::from(ANCHORS[below + 1][channel]),
        );
        (a + part * (b - a)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_of_the_styles_is_in_the_palette() {
        assert!(!file_style().contains("var("), "{}", file_style());
        let page = page_style();
        for named in page.split("var(--").skip(1) {
            let name = named.split(')').next().unwrap();
            // These are set where they are used.
            assert!(
                ["length", "shadow"].contains(&name) || page.contains(&format!("--{name}:")),
                "{name}"
            );
        }
    }

    /// Contrast as defined by WCAG 2, for two colours of red, green and blue.
    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let linear = |channel: f64| match channel / 255.0 {
            small @ ..=0.04045 => small / 12.92,
            channel => ((channel + 0.055) / 1.055).powf(2.4),
        };
        let luminance = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_has_the_contrast_that_wcag_requires() {
        for dark in [false, true] {
            let colour = |name: &str| -> [f64; 3] {
                let (_, light, on_dark) = COLOURS.into_iter().find(|(other, ..)| *other == name).unwrap();
                let hex = if dark { on_dark } else { light };
                [1, 3, 5].map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap().into())
            };
            for text in ["ink", "muted", "accent", "good", "bad"] {
                for paper in ["page", "surface"] {
                    let contrast = contrast(colour(text), colour(paper));
                    assert!(contrast >= 4.5, "{text} on {paper}: {contrast}");
                }
            }
            assert!(contrast(colour("ink"), colour("notice")) >= 4.5 && contrast(colour("ink"), colour("bar")) >= 4.5);
            for end in ["cool", "warm"] {
                for percent in 0..=100 {
                    let share = f64::from(percent) / 100.0;
                    let (pale, strong) = (colour("soft"), colour(end));
                    let shade = std::array::from_fn(|at| pale[at] + share * (strong[at] - pale[at]));
                    let contrast = contrast(colour(ink_on(share)), shade);
                    assert!(contrast >= 4.5, "{end} {percent} % {dark}: {contrast}");
                }
            }
        }
    }

    #[test]
    fn magma_clamps_values_beyond_its_ends() {
        assert_eq!((magma(-3.0), magma(2.0)), ([0, 0, 4], [0xfc, 0xfd, 0xbf]));
        assert_eq!((magma(0.5), magma(f32::NAN)), ([0xb6, 0x36, 0x79], magma(0.0)));
    }
}
