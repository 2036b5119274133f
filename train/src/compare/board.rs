//! The scoreboard: runs beside each other, and each against the first.

use super::entry::{Entry, Figure, SplitFacts};
use super::marks::Mark;
use super::paired::{Comparison, Test, compare, holm};
use crate::run::set::RunSet;
use serde::Serialize;
use serde_json::{Value, json};

/// Runs, and how each differs from the first.
#[derive(Debug)]
pub struct Board {
    /// The runs, in the order in which they were named.
    pub entries: Vec<Entry>,
    /// All but the first against the first.
    pub versus: Vec<Versus>,
}

/// A run against the first.
#[derive(Debug)]
pub struct Versus {
    /// The other's place among the entries.
    pub entry: usize,
    /// How they differ, or why that cannot be said.
    pub outcome: Result<Adjusted, String>,
}

/// A comparison, and `p` of it as one of several.
#[derive(Clone, Debug, Serialize)]
pub struct Adjusted {
    /// The comparison by itself.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// Of each figure `p` by Holm's method over all comparisons of the board.
    pub holm: [Option<f64>; 2],
}

impl Board {
    /// Compares all with the first, which is the plan of comparisons that needs no look at the figures: the best by its
    /// figure would be chosen after that look.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut versus = Vec::new();
        if let Some((first, others)) = entries.split_first() {
            for (at, other) in others.iter().enumerate() {
                let outcome = contrast(first, other).map(|comparison| Adjusted {
                    comparison,
                    holm: [None; 2],
                });
                versus.push(Versus { entry: at + 1, outcome });
            }
        }
        for figure in 0..2 {
            let mut made: Vec<&mut Adjusted> = versus
                .iter_mut()
                .filter_map(|versus| versus.outcome.as_mut().ok())
                .filter(|adjusted| adjusted.comparison.contrasts[figure].is_some())
                .collect();
            let p = made
                .iter()
                .filter_map(|adjusted| adjusted.comparison.contrasts[figure].map(|c| c.p));
            let adjusted = holm(&p.collect::<Vec<_>>());
            made.iter_mut()
                .zip(adjusted)
                .for_each(|(made, p)| made.holm[figure] = Some(p));
        }
        Self { entries, versus }
    }

    /// Comparisons that could be made.
    pub fn compared(&self) -> usize {
        self.versus.iter().filter(|versus| versus.outcome.is_ok()).count()
    }

    /// What `p` of a comparison comes from, in words.
    pub fn test(&self, comparison: &Comparison) -> String {
        let units = &self.entries[0].units;
        let of = if units.are_single() { "tracks" } else { "artists" };
        match comparison.test {
            Test::Randomization => format!("randomization of {} {of}", units.len()),
            Test::Bootstrap => format!("bootstrap over seeds and {} {of}", units.len()),
        }
    }

    /// All of it for scripts: `runs` and `comparisons`.
    pub fn to_json(&self) -> Value {
        let runs: Vec<Value> = self.entries.iter().map(|entry| json!(Row::of(entry))).collect();
        let comparisons: Vec<Value> = self.versus.iter().map(|versus| self.versus_json(versus)).collect();
        json!({ "runs": runs, "comparisons": comparisons })
    }

    fn versus_json(&self, versus: &Versus) -> Value {
        let path = |at: usize| self.entries[at].path.to_string_lossy();
        let mut line = match &versus.outcome {
            Ok(adjusted) => json!(adjusted),
            Err(reason) => json!({ "not_compared": reason }),
        };
        line["first"] = json!(path(0));
        line["second"] = json!(path(versus.entry));
        line["figures"] = json!(self.entries[versus.entry].figures.each_ref().map(|figure| figure.name));
        line
    }

    /// A row per run and figure.
    pub fn to_csv(&self) -> Vec<u8> {
        const HEADER: [&str; 18] = [
            "run",
            "model",
            "seeds",
            "data",
            "split",
            "strategy",
            "group_by",
            "overlapping_artists",
            "overlapping_recordings",
            "set",
            "tracks",
            "groups",
            "figure",
            "mean",
            "standard_deviation",
            "low",
            "high",
            "marks",
        ];
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(HEADER).expect("writing into memory cannot fail");
        let number = |value: Option<f64>| {
            value
                .filter(|value| !value.is_nan())
                .map_or(String::new(), |value| format!("{value:.6}"))
        };
        for entry in &self.entries {
            let split = entry.split.as_ref();
            let overlap = |get: fn(&SplitFacts) -> usize| split.map_or(String::new(), |split| get(split).to_string());
            let marks: Vec<_> = entry.marks.iter().map(|mark| mark.code).collect();
            for figure in &entry.figures {
                let row = [
                    entry.path.to_string_lossy().into_owned(),
                    entry.config.model.to_string(),
                    entry.judged.outcomes.networks().to_string(),
                    entry.config.data.to_string_lossy().into_owned(),
                    entry.config.split.clone(),
                    split.map_or(String::new(), |split| split.strategy.clone()),
                    split.and_then(|split| split.group_by.clone()).unwrap_or_default(),
                    overlap(|split| split.overlap.artists),
                    overlap(|split| split.overlap.recordings),
                    entry.set.name().into(),
                    entry.judged.track_ids.len().to_string(),
                    entry.units.len().to_string(),
                    figure.name.into(),
                    number(Some(figure.mean)),
                    number(figure.standard_deviation),
                    number(figure.interval.map(|[low, _]| low)),
                    number(figure.interval.map(|[_, high]| high)),
                    marks.join("|"),
                ];
                writer
                    .write_record(row)
                    .expect("writing into memory cannot fail and rows are as long as the header");
            }
        }
        writer.into_inner().expect("writing into memory cannot fail")
    }
}

/// How the second differs from the first, or why that cannot be said.
fn contrast(first: &Entry, second: &Entry) -> Result<Comparison, String> {
    if first.set != second.set {
        return Err(format!(
            "it was judged on the {} set and the first on the {} set",
            second.set.name(),
            first.set.name()
        ));
    }
    let judged = second.judged.clone().arranged_like(&first.judged);
    let judged = judged.map_err(|error| error.to_string())?;
    let is_single = |entry: &Entry| entry.judged.outcomes.networks() == 1;
    // What chance there is in seeds is drawn from several of them, and one tells nothing of it.
    let (single, several) = match (is_single(first), is_single(second)) {
        (true, false) => (first, second),
        (false, true) => (second, first),
        _ => return Ok(compare(&first.judged.outcomes, &judged.outcomes, &first.units)),
    };
    Err(format!(
        "{0} has a single seed and {1} several, so the chance in {0}'s seed cannot be told; train it with --seeds, or name \
         one run of {1}",
        single.path.display(),
        several.path.display()
    ))
}

/// An entry for scripts.
#[derive(Serialize)]
struct Row<'a> {
    run: String,
    model: &'a str,
    seeds: Option<&'a [u64]>,
    folds: Option<usize>,
    data: String,
    split: &'a str,
    how_split: Option<&'a SplitFacts>,
    set: &'a str,
    tracks: usize,
    groups: usize,
    method: String,
    figures: &'a [Figure; 2],
    leaked: bool,
    marks: &'a [Mark],
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry) -> Self {
        Self {
            run: entry.path.to_string_lossy().into_owned(),
            model: entry.config.model.name(),
            seeds: entry.runs.as_ref().and_then(RunSet::seeds),
            folds: entry.runs.as_ref().and_then(RunSet::folds),
            data: entry.config.data.to_string_lossy().into_owned(),
            split: &entry.config.split,
            how_split: entry.split.as_ref(),
            set: entry.set.name(),
            tracks: entry.judged.track_ids.len(),
            groups: entry.units.len(),
            method: entry.method(),
            figures: &entry.figures,
            leaked: entry.marks.iter().any(|mark| mark.leak),
            marks: &entry.marks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::Example;
    use super::super::text::describe;
    use super::*;
    use crate::models::ModelKind;
    use crate::run::set::Members;
    use crate::testing;
    use shared::dataset::split::Set;
    use std::ops::Range;
    use std::path::Path;

    fn entry(example: &Example, path: &str, networks: Range<usize>) -> Entry {
        let judged = example.judged(networks.clone());
        let figures = judged.outcomes.plain_figures(0);
        let figure = |at: usize, name| Figure {
            name,
            mean: figures[at],
            standard_deviation: None,
            interval: Some([0.25, 0.75]),
        };
        let config = testing::config(Path::new("data/fma"), ModelKind::MfccDense);
        Entry {
            path: path.into(),
            runs: (networks.len() > 1).then(|| RunSet {
                members: Members::Seeds(networks.map(|seed| seed as u64).collect()),
                settings: config.clone(),
            }),
            config,
            set: Set::Test,
            judged,
            units: example.artists.clone(),
            split: None,
            figures: [figure(0, "top-1"), figure(1, "macro F1")],
            marks: vec![Mark {
                code: "artist_overlap",
                leak: true,
                sentence: "leaked".into(),
            }],
        }
    }

    #[test]
    fn all_are_compared_with_the_first_and_p_is_adjusted_for_how_many_are() {
        let example = Example::new();
        let mut other = entry(&example, "d", 2..3);
        other.judged.track_ids[0] = 999;
        let board = Board::new(vec![
            entry(&example, "a", 0..1),
            entry(&example, "b", 1..2),
            entry(&example, "c", 3..4),
            other,
        ]);
        assert_eq!(board.compared(), 2);
        let adjusted: Vec<&Adjusted> = board
            .versus
            .iter()
            .filter_map(|versus| versus.outcome.as_ref().ok())
            .collect();
        for figure in 0..2 {
            let p = [0, 1].map(|at| adjusted[at].comparison.contrasts[figure].unwrap().p);
            let holm = [0, 1].map(|at| adjusted[at].holm[figure].unwrap());
            let (low, high) = if p[0] < p[1] { (0, 1) } else { (1, 0) };
            assert_eq!(holm[low], (2.0 * p[low]).min(1.0));
            assert_eq!(holm[high], p[high].max(holm[low]));
        }
        // Two figures of each comparison, and McNemar's test.
        let tests = board.paired_tests();
        assert_eq!(tests.len(), 6);
        assert_eq!(tests[0].runs, ["a", "b"]);
        assert!(tests[2].method.starts_with("McNemar") && tests[3].method.contains("randomization of 40 artists"));

        let text = describe(&board);
        for expected in [
            "!! leaked",
            "Holm's p",
            "randomization of 40 artists",
            "d is not compared",
            "(unknown)",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let json = board.to_json();
        assert_eq!(json["comparisons"][0]["first"], "a");
        assert!(
            json["comparisons"][2]["not_compared"]
                .as_str()
                .unwrap()
                .contains("different tracks")
        );
        let table = board.to_csv();
        let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(&table[..])
            .records()
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), 8);
        assert_eq!(
            (&rows[4][0], &rows[4][2], &rows[4][12], &rows[4][17]),
            ("c", "1", "top-1", "artist_overlap")
        );
    }

    #[test]
    fn sets_of_seeds_are_compared_with_each_other_and_not_with_a_single_run() {
        let example = Example::new();
        let board = Board::new(vec![entry(&example, "a", 0..3), entry(&example, "b", 3..5)]);
        let tests = board.paired_tests();
        assert_eq!(tests.len(), 2);
        assert!(tests[0].method.contains("bootstrap over seeds and 40 artists"));
        let standings = board.entries[1].standings();
        assert_eq!(
            (standings.len(), standings[0].runs, standings[0].marks.len()),
            (2, 2, 1)
        );
        assert!(describe(&board).contains("b (2 seeds)"));
        assert_eq!(board.to_json()["runs"][1]["seeds"], serde_json::json!([3, 4]));

        let refused =
            |first: Entry, second: Entry| Board::new(vec![first, second]).versus[0].outcome.clone().unwrap_err();
        for reason in [
            refused(entry(&example, "one", 0..1), entry(&example, "set", 3..5)),
            refused(entry(&example, "set", 3..5), entry(&example, "one", 0..1)),
        ] {
            assert!(reason.starts_with("one has a single seed and set several"), "{reason}");
        }
    }

    #[test]
    fn figures_of_two_sets_are_not_compared() {
        let example = Example::new();
        let mut second = entry(&example, "b", 1..2);
        second.set = Set::Val;
        // Other tracks too, which is no news then.
        second.judged.track_ids[0] = 999;
        let board = Board::new(vec![entry(&example, "a", 0..1), second]);
        let reason = board.versus[0].outcome.clone().unwrap_err();
        assert_eq!(reason, "it was judged on the val set and the first on the test set");
    }
}
