//! Balances classes of different sizes, epoch by epoch.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use shared::runtime::rng::{Purpose, stream};
use std::collections::BTreeMap;

/// What to do about classes of different sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Nothing.
    #[default]
    None,
    /// Repeat clips of small classes until every class is as large as the largest
    Oversample,
    /// Draw as many clips of each class as the smallest has, others in each epoch
    Undersample,
    /// Weight the loss: scikit-learn's balanced class weights, or PyTorch's `pos_weight` for multi-label data
    ClassWeights,
}

/// The excerpts of one epoch, in no particular order. They depend on seed and epoch only.
pub fn balanced(
    excerpts: &[usize],
    class: impl Fn(usize) -> usize,
    balance: Balance,
    seed: u64,
    epoch: u64,
) -> Vec<usize> {
    let choose: fn(usize, usize) -> usize = match balance {
        Balance::None | Balance::ClassWeights => return excerpts.to_vec(),
        Balance::Oversample => usize::max,
        Balance::Undersample => usize::min,
    };
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &excerpt in excerpts {
        classes.entry(class(excerpt)).or_default().push(excerpt);
    }
    let target = classes.values().map(Vec::len).reduce(choose).unwrap_or(0);
    let mut rng = stream(seed, epoch, 0, Purpose::Balance);
    let balanced = classes.into_values().flat_map(|mut members| {
        members.shuffle(&mut rng);
        // Whole rounds first, so repeat counts within a class differ by at most one.
        members.into_iter().cycle().take(target).collect::<Vec<_>>()
    });
    balanced.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(values: &[usize]) -> BTreeMap<usize, usize> {
        let mut counts = BTreeMap::new();
        for &value in values {
            *counts.entry(value).or_default() += 1;
        }
        counts
    }

    proptest! {
        #[test]
        fn classes_become_equal_and_repeats_are_spread_evenly(
            classes in prop::collection::vec(0usize..4, 1..80), seed: u64, epoch in 0u64..9,
        ) {
            let excerpts: Vec<_> = (0..classes.len()).collect();
            let sizes = counts(&classes);
            for (balance, wanted) in [
                (Balance::Oversample, *sizes.values().max().unwrap()),
                (Balance::Undersample, *sizes.values().min().unwrap()),
            ] {
                let drawn = balanced(&excerpts, |excerpt| classes[excerpt], balance, seed, epoch);
                prop_assert_eq!(&drawn, &balanced(&excerpts, |excerpt| classes[excerpt], balance, seed, epoch));
                let class_counts = counts(&drawn.iter().map(|&excerpt| classes[excerpt]).collect::<Vec<_>>());
                prop_assert_eq!(class_counts.len(), sizes.len());
                prop_assert!(class_counts.values().all(|&count| count == wanted));
                for (excerpt, count) in counts(&drawn) {
                    let size = sizes[&classes[excerpt]];
                    prop_assert!(count >= wanted / size && count <= wanted.div_ceil(size));
                }
            }
            let untouched = balanced(&excerpts, |excerpt| classes[excerpt], Balance::None, seed, epoch);
            prop_assert_eq!(untouched, excerpts);
        }
    }

    #[test]
    fn undersampling_drops_other_tracks_in_each_epoch() {
        let excerpts: Vec<_> = (0..100).collect();
        let drawn = |epoch| {
            let mut drawn = balanced(
                &excerpts,
                |excerpt| usize::from(excerpt < 5),
                Balance::Undersample,
                1,
                epoch,
            );
            drawn.sort_unstable();
            drawn
        };
        assert_eq!(drawn(0).len(), 10);
        assert_ne!(drawn(0), drawn(1));
    }
}
