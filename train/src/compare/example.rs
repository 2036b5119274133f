//! Synthetic predictions whose intervals were also computed with NumPy and scikit-learn.
//!
//! The data can be reproduced in Python with the same generator, called in this order: `x = (1664525 x + 1013904223)
//! mod 2^32; return (x >> 8) % n`. The expected intervals are from 40,000 resamples (6,000 for tags) in NumPy 2: loops
//! over `rng.integers(n, size=n)` with `rng = default_rng(1)`, metrics from `numpy.bincount`, `roc_auc_score` and
//! `average_precision_score`, and ends from `numpy.quantile(…, [0.025, 0.975])`.

use super::groups::Groups;
use super::predicted_set::PredictedSet;
use crate::run::predictions::{Prediction, Predictions};
use shared::dataset::Task;
use std::ops::Range;

struct Numbers(u32);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % limit
    }
}

/// The predictions of one classifier.
pub fn table(classes: usize, truth: &[u32], predicted: &[u32]) -> Predictions {
    let track = |((track_id, &truth), &predicted): ((u64, &u32), &u32)| Prediction {
        track_id,
        labels: vec![truth as usize],
        predicted: vec![predicted as usize],
        probabilities: vec![0.25; classes],
    };
    Predictions {
        classes: (0..classes).map(|class| class.to_string()).collect(),
        tracks: (0..).zip(truth).zip(predicted).map(track).collect(),
    }
}

/// The predictions of several classifiers for the same tracks.
pub fn classifiers(classes: usize, truth: &[u32], networks: &[Vec<u32>]) -> PredictedSet {
    let tables: Vec<_> = networks
        .iter()
        .map(|predicted| table(classes, truth, predicted))
        .collect();
    PredictedSet::new(Task::SingleLabel, &tables).unwrap()
}

/// The predictions of a tagger; `truth` and `scores` are `[tracks, tags]`.
pub fn tagger(tags: usize, truth: &[bool], scores: &[f32]) -> PredictedSet {
    let track = |(track_id, (truth, scores)): (u64, (&[bool], &[f32]))| Prediction {
        track_id,
        labels: (0..tags).filter(|&tag| truth[tag]).collect(),
        predicted: Vec::new(),
        probabilities: scores.to_vec(),
    };
    let table = Predictions {
        classes: (0..tags).map(|tag| tag.to_string()).collect(),
        tracks: (0..)
            .zip(truth.chunks_exact(tags).zip(scores.chunks_exact(tags)))
            .map(track)
            .collect(),
    };
    PredictedSet::new(Task::MultiLabel, &[table]).unwrap()
}

/// 240 tracks of 40 artists in 4 classes, and the predictions of five networks that find the same artists easy.
pub struct Example {
    truth: Vec<u32>,
    networks: Vec<Vec<u32>>,
    pub artists: Groups,
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
            artists: Groups::named(names.iter().map(|name| Some(name.as_str()))),
        }
    }

    pub fn set(&self, networks: Range<usize>) -> PredictedSet {
        classifiers(4, &self.truth, &self.networks[networks])
    }
}

/// The scores of two taggers for 120 tracks with 3 tags.
pub fn taggers() -> [PredictedSet; 2] {
    let mut numbers = Numbers(9);
    let truth: Vec<bool> = (0..120)
        .flat_map(|_| [20, 50, 35])
        .map(|share| numbers.below(100) < share)
        .collect();
    [12, 22].map(|lift| {
        let score = |&has: &bool| (numbers.below(50) + if has { lift } else { 0 }) as f32 / 128.0;
        let scores: Vec<f32> = truth.iter().map(score).collect();
        tagger(3, &truth, &scores)
    })
}
