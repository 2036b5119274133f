//! Groups of tracks that the bootstrap draws together. Tracks of an artist sound alike, so a model tends to get all or
//! none of them right. Drawing single tracks would treat them as independent, and intervals would be too narrow.

use rand::{Rng, RngExt};
use shared::runtime::text::counted;
use std::collections::HashMap;

/// Tracks in groups that are independent of each other: the clusters of a cluster bootstrap (A. C. Davison and D. V.
/// Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    members: Vec<Vec<u32>>,
    /// Groups with a name.
    artists: usize,
    tracks: usize,
}

impl Groups {
    pub fn each(tracks: usize) -> Self {
        Self::named((0..tracks).map(|_| None))
    }

    /// One group per name, in order of first appearance; a track without a name is a group of its own.
    pub fn named<'a>(names: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let (mut members, mut places, mut tracks) = (Vec::<Vec<u32>>::new(), HashMap::new(), 0);
        for name in names {
            let next = members.len();
            let place = name.map_or(next, |name| *places.entry(name).or_insert(next));
            if place == next {
                members.push(Vec::new());
            }
            members[place].push(tracks as u32);
            tracks += 1;
        }
        Self {
            members,
            artists: places.len(),
            tracks,
        }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn tracks(&self) -> usize {
        self.tracks
    }

    /// Number of known artists.
    pub fn artists(&self) -> usize {
        self.artists
    }

    /// Whether every group has a single track.
    pub fn are_single(&self) -> bool {
        self.len() == self.tracks
    }

    /// `800 tracks`, `160 artists`, or `13 artists and 33 tracks of unknown artist`.
    pub fn describe(&self) -> String {
        let tracks = |count: usize| counted(count, "track", "tracks");
        match self.len() - self.artists {
            _ if self.are_single() => tracks(self.tracks),
            0 => counted(self.artists, "artist", "artists"),
            unknown => format!(
                "{} and {} of unknown artist",
                counted(self.artists, "artist", "artists"),
                tracks(unknown)
            ),
        }
    }

    /// Draws `len` groups with replacement and returns how often each track was drawn.
    pub fn draw(&self, random: &mut impl Rng) -> Vec<u32> {
        let mut weights = vec![0; self.tracks];
        for _ in 0..self.len() {
            for &track in &self.members[random.random_range(0..self.len())] {
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
    fn tracks_with_the_same_name_are_drawn_together() {
        let groups = Groups::named([Some("a"), None, Some("b"), Some("a"), None]);
        assert_eq!(groups.members, [&[0, 3][..], &[1], &[2], &[4]]);
        assert_eq!((groups.len(), groups.tracks(), groups.are_single()), (4, 5, false));
        assert_eq!(groups.describe(), "2 artists and 2 tracks of unknown artist");
        assert_eq!(Groups::named([Some("a"), Some("b"), Some("a")]).describe(), "2 artists");
        assert_eq!(Groups::named([Some("a"), Some("b"), None]).describe(), "3 tracks");
        for number in 0..50 {
            let weights = groups.draw(&mut stream(1, number, 0, Purpose::Resample));
            assert_eq!(weights[0], weights[3]);
            // As many draws as there are groups.
            assert_eq!(weights[0] + weights[1] + weights[2] + weights[4], 4);
        }
        assert!(Groups::each(3).are_single());
    }
}
