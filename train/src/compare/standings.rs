//! The scoreboard as the plain data that pages show.

use super::board::Board;
use super::entry::Entry;
use crate::report::standing::{PairedTest, Standing};

impl Entry {
    /// Both figures, each with all that there is to remark; without one that is undefined.
    pub fn standings(&self) -> Vec<Standing> {
        let defined = self.figures.iter().filter(|figure| !figure.mean.is_nan());
        let standing = defined.map(|figure| Standing {
            figure: figure.name.into(),
            set: self.set.name().into(),
            mean: figure.mean,
            interval: figure.interval,
            method: figure.interval.map_or(String::new(), |_| self.method()),
            runs: self.judged.outcomes.networks(),
            marks: self.marks.iter().map(|mark| mark.sentence.clone()).collect(),
        });
        standing.collect()
    }
}

impl Board {
    /// The comparisons that could be made, a figure at a time, and McNemar's test of top-1 where it applies.
    pub fn paired_tests(&self) -> Vec<PairedTest> {
        let name = |at: usize| self.entries[at].path.display().to_string();
        let mut tests = Vec::new();
        for versus in &self.versus {
            let Ok(adjusted) = &versus.outcome else { continue };
            let comparison = &adjusted.comparison;
            let names = [name(0), name(versus.entry)];
            let test = |figure: usize, p_value: f64, method: String| {
                let contrast = comparison.contrasts[figure]?;
                Some(PairedTest {
                    figure: self.entries[0].figures[figure].name.into(),
                    runs: names.clone(),
                    difference: contrast.difference,
                    interval: contrast.interval,
                    p_value,
                    method,
                })
            };
            for figure in 0..2 {
                let Some(contrast) = comparison.contrasts[figure] else {
                    continue;
                };
                let mut method = self.test(comparison);
                if let Some(p) = adjusted.holm[figure].filter(|_| self.compared() > 1) {
                    method += &format!("; by Holm's method over {} comparisons p is {p:.3}", self.compared());
                }
                tests.extend(test(figure, contrast.p, method));
            }
            if let Some(mcnemar) = comparison.mcnemar {
                let method = format!(
                    "McNemar's exact test of tracks, right alone {} : {}",
                    mcnemar.only_first, mcnemar.only_second
                );
                tests.extend(test(0, mcnemar.p, method));
            }
        }
        tests
    }
}
