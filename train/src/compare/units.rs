//! What is drawn as one in resampling. Tracks of an artist sound alike, so a model is right or wrong about them together;
//! drawing them one by one would take them for more evidence than they are.

use rand::{Rng, RngExt};
use std::collections::HashMap;

/// Tracks in groups that are independent of each other: the clusters of a cluster bootstrap (A. C. Davison and D. V.
/// Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    tracks: Vec<Vec<u32>>,
    count: usize,
}

impl Units {
    /// Every track by itself.
    pub fn each(tracks: usize) -> Self {
        Self {
            tracks: (0..tracks as u32).map(|track| vec![track]).collect(),
            count: tracks,
        }
    }

    /// Tracks with the same name together, in the order in which names first come; those without one by themselves.
    pub fn named<'a>(names: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let (mut tracks, mut places, mut count): (Vec<Vec<u32>>, HashMap<&str, usize>, _) =
            (Vec::new(), HashMap::new(), 0);
        for (track, name) in names.into_iter().enumerate() {
            let fresh = tracks.len();
            let place = name.map_or(fresh, |name| *places.entry(name).or_insert(fresh));
            if place == fresh {
                tracks.push(Vec::new());
            }
            tracks[place].push(track as u32);
            count += 1;
        }
        Self { tracks, count }
    }

    /// Groups.
    pub fn len(&self) -> usize {
        self.tracks.len()
    }

    /// Whether there is no track.
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Tracks in all groups.
    pub fn tracks(&self) -> usize {
        self.count
    }

    /// Whether every track is by itself.
    pub fn are_single(&self) -> bool {
        self.len() == self.tracks()
    }

    /// The tracks of each group.
    pub fn groups(&self) -> impl Iterator<Item = &[u32]> {
        self.tracks.iter().map(Vec::as_slice)
    }

    /// How often each track comes where as many groups as there are have been drawn with replacement.
    pub fn draw(&self, random: &mut impl Rng) -> Vec<u32> {
        let mut weights = vec![0; self.tracks()];
        for _ in 0..self.len() {
            for &track in &self.tracks[random.random_range(0..self.len())] {
                weights[track as usize] += 1;
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::runtime::rng::{Purpose, stream};

    #[test]
    fn tracks_of_a_name_come_together_and_nameless_ones_alone() {
        let units = Units::named([Some("a"), None, Some("b"), Some("a"), None]);
        let groups: Vec<_> = units.groups().collect();
        assert_eq!(groups, [&[0, 3][..], &[1], &[2], &[4]]);
        assert_eq!((units.len(), units.tracks(), units.are_single()), (4, 5, false));
        for number in 0..50 {
            let weights = units.draw(&mut stream(1, number, 0, Purpose::Resample));
            assert_eq!(weights[0], weights[3]);
            // As many groups as there are.
            assert_eq!(weights[0] + weights[1] + weights[2] + weights[4], 4);
        }
        assert!(Units::each(3).are_single() && Units::each(0).is_empty());
    }
}
