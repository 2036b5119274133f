//! k nearest neighbours classifier.
//!
//! It searches by brute force. These vectors have a hundred dimensions and more, where trees prune almost nothing, and
//! 1,600 queries among 6,400 vectors of 140 values take only 1.4 billion multiplications.

use super::distance::squared_distance;
use super::training_set::TrainingSet;
use crate::frontend::{VectorError, check_vectors};
use rayon::prelude::*;

/// Training vectors, whose `k` nearest vote for their class.
#[derive(Clone, Debug, PartialEq)]
pub struct KNearest {
    pub(super) vectors: Vec<f32>,
    dimension: usize,
    pub(super) labels: Vec<usize>,
    classes: usize,
    pub(super) k: usize,
}

/// Squared distance, and the index of a training vector.
type Neighbour = (f32, usize);

impl KNearest {
    /// Stores the training vectors.
    ///
    /// # Errors
    /// If vectors are not whole rows or a value is not finite.
    ///
    /// # Panics
    /// Panics if `k` is not between 1 and the number of vectors.
    pub fn fit(set: &TrainingSet<'_>, k: usize) -> Result<Self, VectorError> {
        set.check()?;
        assert!(
            (1..=set.labels.len()).contains(&k),
            "`k` is between 1 and the number of vectors"
        );
        Ok(Self {
            vectors: set.vectors.to_vec(),
            dimension: set.dimension,
            labels: set.labels.to_vec(),
            classes: set.classes,
            k,
        })
    }

    /// For each of `vectors`, `[n, dimension]` row by row, the fraction of its `k` nearest training vectors (Euclidean
    /// distance) in each class, `[n, classes]` row by row. Of vectors at the same distance the earlier one is nearer.
    pub fn scores(&self, vectors: &[f32]) -> Result<Vec<f32>, VectorError> {
        check_vectors(vectors, self.dimension)?;
        let rows = vectors.par_chunks_exact(self.dimension);
        let scores = rows.map_init(
            || Vec::with_capacity(self.labels.len()),
            |neighbours, vector| {
                self.nearest(vector, neighbours);
                let mut votes = vec![0usize; self.classes];
                neighbours.iter().for_each(|&(_, at)| votes[self.labels[at]] += 1);
                votes
                    .into_iter()
                    .map(|votes| votes as f32 / self.k as f32)
                    .collect::<Vec<_>>()
            },
        );
        Ok(scores.collect::<Vec<_>>().concat())
    }

    /// Fills `neighbours` with the `k` nearest training vectors, nearest first.
    fn nearest(&self, vector: &[f32], neighbours: &mut Vec<Neighbour>) {
        let distances = self.vectors.chunks_exact(self.dimension);
        neighbours.clear();
        neighbours.extend(distances.map(|other| squared_distance(vector, other)).zip(0..));
        let nearer = |a: &Neighbour, b: &Neighbour| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        neighbours.select_nth_unstable_by(self.k - 1, nearer);
        neighbours.truncate(self.k);
        neighbours.sort_unstable_by(nearer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fit(vectors: &[f32], dimension: usize, labels: &[usize], classes: usize, k: usize) -> KNearest {
        let set = TrainingSet {
            vectors,
            dimension,
            labels,
            classes,
        };
        KNearest::fit(&set, k).unwrap()
    }

    #[test]
    fn scores_are_fractions_of_votes_and_ties_go_to_the_earlier_vector() {
        let knn = |k| fit(&[0.0, 1.0, 2.0, 10.0, 11.0], 1, &[0, 1, 1, 2, 2], 4, k);
        assert_eq!(knn(4).scores(&[9.0]), Ok(vec![0.0, 0.5, 0.5, 0.0]));
        // 0 and 1 are equally far from 0.5.
        assert_eq!(knn(1).scores(&[0.5]), Ok(vec![1.0, 0.0, 0.0, 0.0]));
        assert_eq!(knn(5).scores(&[]), Ok(Vec::new()));
    }

    #[test]
    fn ragged_and_non_finite_vectors_are_errors() {
        let knn = fit(&[1.0, 2.0, 3.0, 4.0], 2, &[0, 1], 2, 1);
        assert!(knn.scores(&[1.0; 3]).is_err() && knn.scores(&[1.0, f32::NAN]).is_err());
        // Squares that overflow f32 give an infinite distance and no panic.
        assert_eq!(knn.scores(&[f32::MAX, f32::MIN]), Ok(vec![1.0, 0.0]));
    }

    proptest! {
        #[test]
        fn neighbours_match_a_full_sort(
            values in prop::collection::vec(-8i8..8, 40..200),
            dimension in 1usize..20,
            k in 1usize..4,
        ) {
            // Small integers: distances are exact and often equal.
            let values: Vec<f32> = values.into_iter().map(f32::from).collect();
            let (query, vectors) = values.split_at(dimension);
            let vectors = &vectors[..vectors.len() / dimension * dimension];
            let labels: Vec<usize> = (0..vectors.len() / dimension).map(|at| at % 3).collect();
            prop_assume!(k <= labels.len());
            let knn = fit(vectors, dimension, &labels, 3, k);
            let distance = |at: usize| -> i64 {
                let other = &vectors[at * dimension..][..dimension];
                query.iter().zip(other).map(|(a, b)| ((a - b) as i64).pow(2)).sum()
            };
            let mut order: Vec<usize> = (0..labels.len()).collect();
            order.sort_by_key(|&at| distance(at));
            let votes = |class: usize| order[..k].iter().filter(|&&at| labels[at] == class).count();
            let scores: Vec<f32> = (0..3).map(|class| votes(class) as f32 / k as f32).collect();
            prop_assert_eq!(knn.scores(query).unwrap(), scores);
        }
    }
}
