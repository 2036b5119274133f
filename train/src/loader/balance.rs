//! Evens out classes of different sizes, epoch by epoch: excerpts enter, as many of each class leave.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use shared::runtime::rng::{Purpose, stream};
use std::collections::BTreeMap;

/// What is done about classes of different sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Nothing.
    #[default]
    None,
    /// Tracks of small classes come several times an epoch, as often as those of the largest.
    Oversample,
    /// Of large classes, other tracks in every epoch, as many as the smallest has.
    Undersample,
    /// The loss of a track counts by scikit-learn's balanced class weight, `tracks / (classes * tracks of its class)`; of
    /// tags, the loss of a present tag counts as often as it is absent, PyTorch's `pos_weight`.
    ClassWeights,
}

/// The excerpts of one epoch, in no particular order; a function of seed and epoch.
pub fn balanced(
    excerpts: &[usize],
    class: impl Fn(usize) -> usize,
    balance: Balance,
    seed: u64,
    epoch: u64,
) -> Vec<usize> {
    let wanted: fn(usize, usize) -> usize = match balance {
        Balance::None | Balance::ClassWeights => return excerpts.to_vec(),
        Balance::Oversample => usize::max,
        Balance::Undersample => usize::min,
    };
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &excerpt in excerpts {
        classes.entry(class(excerpt)).or_default().push(excerpt);
    }
    let wanted = classes.values().map(Vec::len).reduce(wanted).unwrap_or(0);
    let mut rng = stream(seed, epoch, 0, Purpose::Balance);
    let evened = classes.into_values().flat_map(|mut of_class| {
        of_class.shuffle(&mut rng);
        // Whole rounds first, so that no excerpt comes two times more often than another.
        of_class.into_iter().cycle().take(wanted).collect::<Vec<_>>()
    });
    evened.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(of: &[usize]) -> BTreeMap<usize, usize> {
        let mut counts = BTreeMap::new();
        for &value in of {
            *counts.entry(value).or_default() += 1;
        }
        counts
    }

    proptest! {
        #[test]
        fn every_class_comes_as_often_and_every_excerpt_fairly(
            classes in prop::collection::vec(0usize..4, 1..80), seed: u64, epoch in 0u64..9,
        ) {
            let excerpts: Vec<_> = (0..classes.len()).collect();
            let sizes = counts(&classes);
            for (balance, wanted) in [
                (Balance::Oversample, *sizes.values().max().unwrap()),
                (Balance::Undersample, *sizes.values().min().unwrap()),
            ] {
                let even = balanced(&excerpts, |excerpt| classes[excerpt], balance, seed, epoch);
                prop_assert_eq!(&even, &balanced(&excerpts, |excerpt| classes[excerpt], balance, seed, epoch));
                let of_class = counts(&even.iter().map(|&excerpt| classes[excerpt]).collect::<Vec<_>>());
                prop_assert_eq!(of_class.len(), sizes.len());
                prop_assert!(of_class.values().all(|&count| count == wanted));
                for (excerpt, count) in counts(&even) {
                    let size = sizes[&classes[excerpt]];
                    prop_assert!(count >= wanted / size && count <= wanted.div_ceil(size));
                }
            }
            let untouched = balanced(&excerpts, |excerpt| classes[excerpt], Balance::None, seed, epoch);
            prop_assert_eq!(untouched, excerpts);
        }
    }

    #[test]
    fn other_epochs_leave_others_out() {
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
