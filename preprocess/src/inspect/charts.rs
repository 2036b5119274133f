//! The charts of a data set: histograms, sample values, mean spectra, projections, spectrograms of example tracks.

use super::analysis::examples::Example;
use super::analysis::projection::Projection;
use super::analysis::samples::{BIN_WIDTH, SampleHistogram};
use super::analysis::spectrum::MeanSpectrum;
use super::distribution::Distribution;
use shared::page::{Axis, Bar, Chart, Plot, Point, Series, Shape, Style, class_map, number};
use shared::runtime::text::{counted, grouped};

/// Smallest fraction of samples that is drawn.
const MIN_FRACTION: f64 = 1e-7;
/// Minimum distance of ticks, as a fraction of the axis. The mel scale is linear below 1 kHz, so low octaves are close.
const MIN_TICK_DISTANCE: f64 = 0.08;

/// The style of the class at `place`; `None` is for all other tracks.
fn style(place: Option<usize>) -> Style {
    place.map_or(Style::Other, Style::Series)
}

/// A histogram of one value per track.
pub(super) fn histogram(title: &str, unit: &str, distribution: &Distribution) -> Chart {
    let edges = &distribution.edges;
    let highest = distribution.counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |(at, &count): (usize, &usize)| Bar {
        sides: [edges[at], edges[at + 1]],
        top: count as f64,
        title: format!(
            "{} to {} {unit}: {}",
            edges[at],
            edges[at + 1],
            counted(count, "track", "tracks")
        ),
    };
    let filled = distribution.counts.iter().enumerate().filter(|(_, count)| **count > 0);
    Plot {
        subtitle: format!(
            "{}, median {} {unit} (dashed), mean {} {unit}",
            counted(distribution.count, "track", "tracks"),
            number(distribution.median, 1),
            number(distribution.mean, 1)
        ),
        height: 120.0,
        series: vec![Series {
            name: String::new(),
            style: Style::Series(0),
            shape: Shape::Bars(filled.map(bar).collect()),
        }],
        rule: Some((distribution.median, "median".into())),
        ..Plot::new(
            title,
            Axis::linear(unit, edges[0], edges[edges.len() - 1]),
            Axis::linear("tracks", 0.0, highest as f64).integer_ticks(),
        )
    }
    .draw()
}

/// Histogram of the sample values of a class (line) and of all tracks (area).
pub(super) fn sample_values(name: &str, place: Option<usize>, class: &SampleHistogram, all: &SampleHistogram) -> Chart {
    // The top of each bin, from its left side to its right.
    let outline = |histogram: &SampleHistogram| -> Vec<[f64; 2]> {
        let sides = |(bin, count): (usize, &u64)| {
            let left = f64::from(BIN_WIDTH) * bin as f64 - 32_768.0;
            [left, left + f64::from(BIN_WIDTH)].map(|side| [side, *count as f64 / histogram.samples.max(1) as f64])
        };
        histogram.counts.iter().enumerate().flat_map(sides).collect()
    };
    Plot {
        subtitle: format!(
            "variance {}, standard deviation {}; {}",
            grouped(class.variance.round() as u64),
            grouped(class.variance.sqrt().round() as u64),
            counted(class.tracks, "track", "tracks")
        ),
        height: 120.0,
        series: vec![
            Series {
                name: name.into(),
                style: style(place),
                shape: Shape::Line(outline(class)),
            },
            Series {
                name: "all tracks".into(),
                style: Style::Other,
                shape: Shape::Area(outline(all)),
            },
        ],
        ..Plot::new(
            name,
            Axis::linear("sample value, 16 bits", -32_768.0, 32_768.0),
            Axis::log(
                &format!("fraction of samples per {BIN_WIDTH} values"),
                MIN_FRACTION,
                1.0,
            ),
        )
    }
    .draw()
}

/// A line in a chart of mean spectra: its name, its index among the drawn classes (`None` for all tracks), its
/// spectrum.
pub(super) type SpectrumLine<'a> = (&'a str, Option<usize>, &'a MeanSpectrum);

/// A vertical axis that fits all spectra, so their charts can be compared.
pub(super) fn decibels<'a>(spectra: impl Iterator<Item = &'a MeanSpectrum>) -> Axis {
    let values = spectra.flat_map(|spectrum| spectrum.mean_db.iter().copied());
    Axis::around("dB relative to the track's maximum", values.chain([0.0, -10.0]))
}

/// Several mean spectra in one chart.
pub(super) fn spectra(title: &str, band_hz: &[f64], decibels: &Axis, lines: &[SpectrumLine<'_>]) -> Chart {
    let line = |&(name, place, spectrum): &SpectrumLine<'_>| Series {
        name: name.into(),
        style: style(place),
        shape: Shape::Line(
            (spectrum.mean_db.iter().enumerate())
                .map(|(band, value)| [band as f64 + 0.5, *value])
                .collect(),
        ),
    };
    Plot {
        height: 200.0,
        series: lines.iter().map(line).collect(),
        ..Plot::new(
            title,
            mel_bands("frequency in Hz, mel scale", band_hz),
            decibels.clone(),
        )
    }
    .draw()
}

/// Tracks on their first two principal components. `places` has the index of each track's class in `names`.
pub(super) fn projection(title: &str, projection: &Projection, places: &[Option<usize>], names: &[&str]) -> Chart {
    let pca = &projection.pca;
    let along = |track: usize, component: usize| pca.coordinates[track].get(component).copied().unwrap_or(0.0);
    let ratios = [0, 1].map(|component| pca.explained_variance_ratio.get(component).copied().unwrap_or(0.0));
    let point = |(track, &place): (usize, &Option<usize>)| {
        let name = place.map_or("other", |place| names[place]);
        let point = Point {
            at: [along(track, 0), along(track, 1)],
            title: format!("track {}, {name}", projection.track_ids[track]),
            link: String::new(),
        };
        (place, point)
    };
    let subtitle = format!(
        "{}, {} standardised statistics each",
        counted(places.len(), "track", "tracks"),
        pca.mean.len()
    );
    let points = places.iter().enumerate().map(point).collect();
    class_map(title, subtitle, ratios, names, points)
}

/// The mel spectrogram of an example of the class `name`.
pub(super) fn spectrogram(name: &str, example: &Example, band_hz: &[f64]) -> Chart {
    let artist = if example.artist.is_empty() {
        String::new()
    } else {
        format!(", artist {}", example.artist)
    };
    Plot {
        subtitle: format!("track {}{artist}", example.track_id),
        height: 130.0,
        series: vec![Series {
            name: String::new(),
            style: Style::Other,
            shape: Shape::Image(example.image.png()),
        }],
        ..Plot::new(name, Axis::linear("s", 0.0, example.seconds), mel_bands("Hz", band_hz))
    }
    .draw()
}

/// An axis of mel bands, each one unit long, that peak at these frequencies; ticks at octaves.
pub(super) fn mel_bands(name: &str, band_hz: &[f64]) -> Axis {
    let bands = band_hz.len().max(1) as f64;
    let mut ticks: Vec<(f64, String)> = Vec::new();
    for hz in [32_000, 16_000, 8000, 4000, 2000, 1000, 500, 250, 125] {
        let Some(place) = band_at(band_hz, f64::from(hz)) else {
            continue;
        };
        if ticks
            .last()
            .is_none_or(|(above, _)| above - place >= MIN_TICK_DISTANCE * bands)
        {
            ticks.push((
                place,
                if hz < 1000 {
                    hz.to_string()
                } else {
                    format!("{}k", hz / 1000)
                },
            ));
        }
    }
    ticks.reverse();
    Axis::with_ticks(name, 0.0, bands, ticks)
}

/// The position of a frequency on an axis of bands, whose peaks are at the middle of each band.
fn band_at(band_hz: &[f64], hz: f64) -> Option<f64> {
    let above = band_hz.partition_point(|peak| *peak < hz);
    let (below, above_hz) = (band_hz.get(above.checked_sub(1)?)?, band_hz.get(above)?);
    Some(above as f64 - 0.5 + (hz - below) / (above_hz - below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::analysis::samples::BINS;
    use shared::projection::{pca, standardize};

    fn drawn(chart: &Chart) -> String {
        let svg = chart.inline().into_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        svg
    }

    #[test]
    fn histogram_has_a_bar_for_each_non_empty_bin() {
        let svg = drawn(&histogram(
            "Length",
            "s",
            &Distribution::from_values(vec![1.0, 2.0, 2.0, 29.0]).unwrap(),
        ));
        assert!(svg.contains("4 tracks, median 2.0 s (dashed), mean 8.5 s"), "{svg}");
        assert_eq!(svg.matches("class=\"bars").count(), 3, "{svg}");
        drawn(&histogram(
            "Length",
            "s",
            &Distribution::from_values(vec![30.0]).unwrap(),
        ));
    }

    #[test]
    fn line_of_a_class_is_drawn_above_the_area_of_all_tracks() {
        let histogram = |at: usize| {
            let mut counts = vec![0; BINS];
            counts[at] = 10;
            SampleHistogram {
                tracks: 1,
                samples: 10,
                mean: 0.0,
                variance: 4_000_000.0,
                counts,
            }
        };
        let svg = drawn(&sample_values("<Rock>", Some(2), &histogram(3), &histogram(4)));
        assert!(
            svg.contains("variance 4,000,000, standard deviation 2,000; 1 track"),
            "{svg}"
        );
        assert!(
            svg.contains("&lt;Rock&gt;") && svg.find("area other") < svg.find("line s2"),
            "{svg}"
        );
    }

    #[test]
    fn each_spectrum_is_a_named_line() {
        let spectrum = MeanSpectrum {
            mean_db: vec![-20.0, -30.0, -71.0],
            std_db: vec![0.0; 3],
        };
        let lines = [("all tracks", None, &spectrum), ("Rock & Roll", Some(1), &spectrum)];
        let axis = decibels([&spectrum].into_iter());
        let svg = drawn(&spectra("Mean spectrum", &[100.0, 900.0, 5000.0], &axis, &lines));
        assert!(
            svg.contains("<title>Rock &amp; Roll</title>") && svg.contains("−80"),
            "{svg}"
        );
        drawn(&spectra("none", &[], &decibels([].into_iter()), &[]));
    }

    #[test]
    fn projection_names_each_track_and_omits_empty_classes() {
        let rows: Vec<Vec<f64>> = (0..9)
            .map(|at| vec![(at * at % 17) as f64, (at % 5) as f64, at as f64])
            .collect();
        let made = |rows: &[Vec<f64>]| Projection {
            track_ids: (0..rows.len() as u64).collect(),
            pca: pca(standardize(rows), 2).unwrap(),
        };
        let places: Vec<_> = (0..9).map(|at| (at % 3 < 2).then_some(at % 3)).collect();
        let svg = drawn(&projection("PCA", &made(&rows), &places, &["Folk", "<Rock>", "Jazz"]));
        assert_eq!(svg.matches("<title>track ").count(), 9, "{svg}");
        assert!(
            svg.contains("track 1, &lt;Rock&gt;") && svg.contains(">other<") && !svg.contains("Jazz"),
            "{svg}"
        );
        // One column has one component.
        let line = made(&[vec![1.0], vec![2.0], vec![4.0]]);
        let svg = drawn(&projection("PCA", &line, &[Some(0); 3], &["Folk"]));
        assert!(svg.contains("second component, 0.0 % of variance"), "{svg}");
    }

    #[test]
    fn octave_ticks_are_at_their_bands() {
        let hz = shared::dsp::mel::band_peaks(&shared::dsp::features::FeatureConfig::default());
        let axis = mel_bands("Hz", &hz);
        let words: Vec<&str> = axis.ticks().iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(words, ["125", "500", "1k", "2k", "4k", "8k", "16k"]);
        // 1 kHz is mel 15 of 59.99, and bands peak every 59.99 / 129 mels.
        let at_1k = axis.ticks()[2].0;
        assert!((at_1k - (15.0 / 59.992_5 * 129.0 - 0.5)).abs() < 0.05, "{at_1k}");
        assert!(mel_bands("Hz", &[]).ticks().is_empty() && mel_bands("Hz", &[500.0]).ticks().is_empty());
    }
}
