//! A made-up set of tracks, of which NumPy, SciPy and scikit-learn have been asked too.
//!
//! The same numbers come from the same generator in Python, `x = (1664525 x + 1013904223) mod 2^32; return (x >> 8) % n`,
//! called in this order. The figures that the tests of this module expect were had from 40,000 resamples and 100,000
//! permutations (of tags: 6,000 of either) that NumPy 2 drew with `default_rng(1)`, written out as loops over
//! `rng.integers(n, size=n)` and `rng.integers(2, size=n)`, with figures by `numpy.bincount`, `roc_auc_score` and
//! `average_precision_score`, and ends by `numpy.quantile(…, [0.025, 0.975])`.

use super::{Judged, Outcomes, Units};
use crate::run::predictions::{Prediction, Predictions};
use shared::dataset::Task;

struct Numbers(u32);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % limit
    }
}

/// 240 tracks of 40 artists in 4 classes, and the answers of five networks that are lucky with the same artists.
pub struct Example {
    pub truth: Vec<u32>,
    pub networks: Vec<Vec<u32>>,
    pub artists: Units,
}

impl Example {
    pub fn new() -> Self {
        const TRACKS: usize = 240;
        let mut numbers = Numbers(7);
        let truth: Vec<u32> = (0..TRACKS).map(|_| numbers.below(4)).collect();
        let artist: Vec<u32> = (0..TRACKS).map(|_| numbers.below(40)).collect();
        let luck: Vec<i32> = (0..40).map(|_| numbers.below(100) as i32).collect();
        let mut network = |share: i32| {
            let mut answer = |track: usize| {
                let right = (numbers.below(100) as i32) < share + (luck[artist[track] as usize] - 50).div_euclid(2);
                let wrong = numbers.below(4);
                if right { truth[track] } else { wrong }
            };
            (0..TRACKS).map(&mut answer).collect()
        };
        let networks = [45, 50, 40, 52, 60].map(&mut network).into();
        let names: Vec<String> = artist.iter().map(u32::to_string).collect();
        Self {
            truth,
            networks,
            artists: Units::named(names.iter().map(|name| Some(name.as_str()))),
        }
    }

    /// Some of the networks' answers as they are read from tables.
    pub fn judged(&self, networks: std::ops::Range<usize>) -> Judged {
        let network = |answers: &Vec<u32>| {
            let track = |(at, (&truth, &answer)): (usize, (&u32, &u32))| Prediction {
                track_id: at as u64,
                labels: vec![truth as usize],
                predicted: vec![answer as usize],
                probabilities: vec![0.25; 4],
            };
            let predictions = Predictions {
                classes: ["a", "b", "c", "d"].map(String::from).into(),
                tracks: self.truth.iter().zip(answers).enumerate().map(track).collect(),
            };
            Judged::new(Task::SingleLabel, &predictions).unwrap()
        };
        Judged::together(self.networks[networks].iter().map(network).collect()).unwrap()
    }

    /// The answers of some of the networks.
    pub fn outcomes(&self, networks: std::ops::Range<usize>) -> Outcomes {
        Outcomes::of_classes(4, &self.truth, &self.networks[networks])
    }
}

/// 120 tracks with 3 tags, and the scores of two taggers.
pub fn taggers() -> [Outcomes; 2] {
    let mut numbers = Numbers(9);
    let truth: Vec<bool> = (0..120)
        .flat_map(|_| [20, 50, 35])
        .map(|share| numbers.below(100) < share)
        .collect();
    [12, 22].map(|lift| {
        let score = |&has: &bool| (numbers.below(50) + if has { lift } else { 0 }) as f32 / 128.0;
        let scores = truth.iter().map(score).collect();
        Outcomes::of_tags(3, truth.clone(), vec![scores])
    })
}
