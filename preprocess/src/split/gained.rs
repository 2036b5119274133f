//! The tracks of a new split that are not in the previous one, if the data set has grown in between.

use shared::dataset::DatasetIndex;
use shared::dataset::split::Split;
use std::collections::HashSet;
use std::path::Path;

/// The tracks of a new split that are not in the previous current split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GainedTracks {
    /// The name of the previous split.
    pub since: String,
    pub count: usize,
}

impl GainedTracks {
    /// Compares `split` with the current split of the data set in `root`. `None` if the data set has not grown since,
    /// or if the current split cannot be read: the new split does not depend on it.
    pub(super) fn find(root: &Path, index: &DatasetIndex, split: &Split) -> Option<Self> {
        let previous = Split::read(root, index, None).ok()?;
        if previous.index.dataset == index.checksum {
            return None;
        }
        let known: HashSet<u64> = previous.tracks.values().flatten().copied().collect();
        let all = split.tracks.values().flatten();
        let count = all.filter(|id| !known.contains(id)).count();
        (count > 0).then_some(Self {
            since: previous.index.name,
            count,
        })
    }
}
