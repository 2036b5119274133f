//! All charts of an analysis, each with the name of its file.

use super::analysis::projection::Projected;
use super::analysis::{Analysis, ClassAnalysis};
use super::charts::{self, SpectrumLine};
use shared::page::Chart;
use std::collections::HashMap;

/// Up to this many classes share one chart of mean spectra; with more, each has its own.
const SPECTRA_TOGETHER: usize = 8;

/// A chart and its file name.
pub(super) type NamedChart = (String, Chart);

/// The charts of an analysis.
pub(super) struct Drawings {
    /// Sample values of each class.
    pub samples: Vec<NamedChart>,
    pub spectra: Vec<NamedChart>,
    /// The projection of the mel statistics, or the reason why it does not exist.
    pub mel: Result<NamedChart, String>,
    /// The projection of the MFCC statistics, or the reason why it does not exist.
    pub mfcc: Result<NamedChart, String>,
    /// The most typical tracks of each class.
    pub examples: Vec<NamedChart>,
}

impl Drawings {
    /// Draws an analysis. `labels` maps track ids to labels.
    pub fn new(analysis: &Analysis, labels: &HashMap<u64, Vec<String>>) -> Self {
        let drawn = analysis.drawn();
        let classes: Vec<&ClassAnalysis> = drawn.iter().map(|&class| &analysis.classes[class]).collect();
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        let file = |what: &str, place: usize| format!("{what}-{:02}{}.svg", place + 1, slug(names[place]));
        let mut samples = Vec::new();
        let mut examples = Vec::new();
        for (place, class) in classes.iter().enumerate() {
            if let (Some(own), Some(all)) = (&class.samples, &analysis.all.samples) {
                samples.push((
                    file("samples", place),
                    charts::sample_values(&class.name, Some(place), own, all),
                ));
            }
            for example in &class.examples {
                let name = format!("example-{:02}{}-{}.svg", place + 1, slug(&class.name), example.track_id);
                examples.push((name, charts::spectrogram(&class.name, example, &analysis.band_hz)));
            }
        }
        let project = |title: &str, file: &str, projected: &Projected| match projected {
            Projected::Missing { reason } => Err(reason.clone()),
            Projected::Made(projection) => {
                let places: Vec<Option<usize>> = projection
                    .track_ids
                    .iter()
                    .map(|id| place_of(id, labels, &names))
                    .collect();
                Ok((file.to_owned(), charts::projection(title, projection, &places, &names)))
            }
        };
        Self {
            samples,
            spectra: draw_spectra(analysis, &classes, file),
            mel: project("Mel statistics", "pca-mel.svg", &analysis.mel_projection),
            mfcc: project("MFCC statistics", "pca-mfcc.svg", &analysis.mfcc_projection),
            examples,
        }
    }

    /// All charts.
    pub fn files(&self) -> impl Iterator<Item = &NamedChart> {
        let projections = [&self.mel, &self.mfcc]
            .into_iter()
            .filter_map(|chart| chart.as_ref().ok());
        self.samples
            .iter()
            .chain(&self.spectra)
            .chain(projections)
            .chain(&self.examples)
    }
}

/// The index in `names` of the first of a track's labels that is drawn.
fn place_of(track_id: &u64, labels: &HashMap<u64, Vec<String>>, names: &[&str]) -> Option<usize> {
    let own = labels.get(track_id)?;
    own.iter().find_map(|label| names.iter().position(|name| name == label))
}

fn draw_spectra(
    analysis: &Analysis,
    classes: &[&ClassAnalysis],
    file: impl Fn(&str, usize) -> String,
) -> Vec<NamedChart> {
    let Some(all) = analysis.all.spectrum.as_ref() else {
        return Vec::new();
    };
    let lines: Vec<SpectrumLine<'_>> = (classes.iter().enumerate())
        .filter_map(|(place, class)| Some((class.name.as_str(), Some(place), class.spectrum.as_ref()?)))
        .collect();
    let decibels = charts::decibels(lines.iter().map(|(_, _, spectrum)| *spectrum).chain([all]));
    let draw = |title: &str, lines: &[SpectrumLine<'_>]| charts::spectra(title, &analysis.band_hz, &decibels, lines);
    if lines.len() <= SPECTRA_TOGETHER {
        return vec![("mean-spectra.svg".into(), draw("Mean spectra", &lines))];
    }
    let with_all_tracks = |line: SpectrumLine<'_>| {
        let name = file("mean-spectrum", line.1.unwrap_or(0));
        (name, draw(line.0, &[(&analysis.all.name, None, all), line]))
    };
    lines.into_iter().map(with_all_tracks).collect()
}

/// A class name as part of a file name, such as `-hip-hop`; empty if it has no ASCII letter or digit.
fn slug(name: &str) -> String {
    const LETTERS: usize = 40;
    let mut slug = String::new();
    for word in name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        slug.push('-');
        slug.push_str(&word.to_ascii_lowercase());
    }
    slug.truncate(LETTERS);
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_become_parts_of_file_names() {
        for (name, expected) in [
            ("Hip-Hop", "-hip-hop"),
            ("R&B / Soul", "-r-b-soul"),
            ("../../x", "-x"),
            ("漢字", ""),
            ("", ""),
        ] {
            assert_eq!(slug(name), expected);
        }
        assert_eq!(slug(&"a".repeat(300)).len(), 40);
    }

    #[test]
    fn track_has_the_colour_of_its_first_drawn_label() {
        let labels = HashMap::from([(1, vec!["rare".to_owned(), "Rock".to_owned()]), (2, vec![])]);
        let names = ["Folk", "Rock"];
        assert_eq!(
            [1, 2, 3].map(|id| place_of(&id, &labels, &names)),
            [Some(1), None, None]
        );
    }
}
