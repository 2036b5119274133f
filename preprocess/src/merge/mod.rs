//! `preprocess merge`: the parts of a build enter; the data set that one process would have built leaves, byte by byte.
//!
//! Tensors are copied, not made again, and each is held against its checksum on the way. Parts are only read.

use crate::build::assembly::{self, Assembly, AssemblyError, BuildProgress, BuildReport, Kept, Origin};
use crate::build::ordered::{self, Bounds};
use crate::build::part::Part;
use crate::build::pipeline::{self, BuildError};
use crate::build::plan::BuildPlan;
use crate::build::preset::Preset;
use crate::build::source_table::{self, SOURCES_FILE, SourceRow};
use shared::audio::validate::Rejection;
use shared::dataset::manifest::{self, RejectedRow};
use shared::dataset::shard::ShardKind;
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, Dataset, DatasetError};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Tracks that are read ahead of the one that is written.
const AHEAD: usize = 64;

/// What to merge.
#[derive(Clone, Debug)]
pub struct MergeConfig {
    /// The data set's directory.
    pub out: PathBuf,
    /// The parts, in any order.
    pub parts: Vec<PathBuf>,
    /// Threads.
    pub jobs: usize,
}

/// Parts that cannot be merged. They are as they were.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A part cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The data set cannot be written.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// Threads could not be started.
    #[error(transparent)]
    Threads(#[from] BuildError),
    /// A whole data set.
    #[error("{} is not a part: it was built without --part", path.display())]
    NotAPart {
        /// The data set.
        path: PathBuf,
    },
    /// Two builds.
    #[error("{} and {} are not parts of the same build: {}", first.display(), other.display(), differences.join("; "))]
    OtherBuild {
        /// One part.
        first: PathBuf,
        /// Another.
        other: PathBuf,
        /// What differs.
        differences: Vec<String>,
    },
    /// A part given twice.
    #[error("{} and {} are both part {part}; give each part once", first.display(), other.display())]
    Twice {
        /// One.
        first: PathBuf,
        /// The other.
        other: PathBuf,
        /// The part.
        part: Part,
    },
    /// Parts that are not there.
    #[error("{} missing; build and give all {of}", missing_parts(missing, *of))]
    Missing {
        /// Their numbers.
        missing: Vec<usize>,
        /// How many there are in all.
        of: usize,
    },
    /// A part that does not have what its table says.
    #[error("{} is damaged: {detail}; `preprocess verify {}` names everything that is wrong", path.display(), path.display())]
    Damaged {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

fn missing_parts(numbers: &[usize], of: usize) -> String {
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    let (noun, verb) = if words.len() == 1 {
        ("part", "is")
    } else {
        ("parts", "are")
    };
    format!("{noun} {} of {of} {verb}", words.join(", "))
}

/// A part, open.
struct OpenPart {
    dataset: Dataset,
    plan: BuildPlan,
    part: Part,
    sources: Vec<SourceRow>,
    summaries: Vec<TrackSummary>,
    rejected: Vec<RejectedRow>,
}

/// Where a track of the source went.
enum Fate<'a> {
    /// Into this place of this part.
    Kept(&'a OpenPart, usize),
    /// Among the dropped.
    Dropped(&'a RejectedRow),
}

/// Merges all parts of a build.
pub fn merge(config: &MergeConfig, progress: &mut dyn BuildProgress) -> Result<BuildReport, MergeError> {
    let parts = open_all(&config.parts)?;
    let first = &parts[0];
    let plan = first.plan.whole();
    let sources: Vec<SourceRow> = parts.iter().flat_map(|part| part.sources.iter().cloned()).collect();
    let unlisted = parts.iter().flat_map(OpenPart::unlisted).collect();
    let listing = source_table::listing(&sources, unlisted);
    let fates = fates(&parts)?;
    let preset = plan.preset.as_deref().and_then(Preset::named);
    let origin = Origin {
        listing: &listing,
        sources: &source_table::rows(&listing, &wanted_sizes(&sources)),
        audio: &first.dataset.index().source.audio,
        task: first.dataset.task(),
        preset: preset.as_ref(),
        waveforms_of: None,
    };
    let pool = pipeline::thread_pool(config.jobs)?;
    assembly::assemble(
        &config.out,
        &plan,
        &origin,
        &pool,
        progress,
        |assembly, missing, progress| {
            let missing: Vec<&Fate<'_>> = missing.iter().map(|&at| &fates[&listing.tracks[at].track_id]).collect();
            copy(&missing, &pool, assembly, progress)
        },
    )
}

fn wanted_sizes(sources: &[SourceRow]) -> Vec<Option<u64>> {
    let wanted = sources.iter().filter(|row| row.wanted);
    wanted.map(|row| row.bytes).collect()
}

fn copy(
    tracks: &[&Fate<'_>],
    pool: &rayon::ThreadPool,
    assembly: &mut Assembly<'_>,
    progress: &mut dyn BuildProgress,
) -> Result<(), MergeError> {
    let check = |at: usize| match tracks[at] {
        Fate::Kept(part, position) => part.check(*position),
        Fate::Dropped(_) => Ok(()),
    };
    let bounds = Bounds {
        items: AHEAD,
        weight: usize::MAX,
    };
    let no_weight = |_: &Result<(), MergeError>| 0;
    ordered::for_each(pool, 0..tracks.len(), bounds, check, no_weight, |at, checked| {
        checked?;
        let kept = match tracks[at] {
            Fate::Kept(part, position) => assembly.take(Ok(part.kept(*position)))?,
            Fate::Dropped(row) => assembly.take(Err((*row).clone()))?,
        };
        progress.track(kept);
        Ok(())
    })
}

/// Opens the parts, in the order of their numbers; there is at least one.
fn open_all(paths: &[PathBuf]) -> Result<Vec<OpenPart>, MergeError> {
    let mut parts: BTreeMap<Part, OpenPart> = BTreeMap::new();
    for path in paths {
        let opened = OpenPart::open(path)?;
        if let Some(first) = parts.values().next() {
            let mut differences = opened.plan.whole().differences(&first.plan.whole());
            if opened.part.of() != first.part.of() {
                differences.push(format!("one is part {} and one is part {}", first.part, opened.part));
            }
            if !differences.is_empty() {
                return Err(MergeError::OtherBuild {
                    first: first.path().to_owned(),
                    other: path.clone(),
                    differences,
                });
            }
        }
        if let Some(first) = parts.get(&opened.part) {
            return Err(MergeError::Twice {
                first: first.path().to_owned(),
                other: path.clone(),
                part: opened.part,
            });
        }
        parts.insert(opened.part, opened);
    }
    let of = parts.keys().next().map_or(1, |part| part.of());
    let missing: Vec<usize> = (1..=of)
        .filter(|&number| !parts.keys().any(|part| part.number() == number))
        .collect();
    if !missing.is_empty() {
        return Err(MergeError::Missing { missing, of });
    }
    Ok(parts.into_values().collect())
}

/// Where each wanted track went. Every part must account for its share of the source, no more and no less.
fn fates(parts: &[OpenPart]) -> Result<HashMap<u64, Fate<'_>>, MergeError> {
    let mut fates = HashMap::new();
    for part in parts {
        let damaged = |detail: String| MergeError::Damaged {
            path: part.path().to_owned(),
            detail,
        };
        let dropped: HashMap<u64, &RejectedRow> = part
            .rejected
            .iter()
            .filter_map(|row| Some((row.track_id?, row)))
            .collect();
        let wanted: Vec<&SourceRow> = part.sources.iter().filter(|row| row.wanted).collect();
        let share = part.part.range(part.plan.tracks).len();
        if wanted.len() != share {
            let detail = format!(
                "{SOURCES_FILE} lists {} tracks and the part should have {share}",
                wanted.len()
            );
            return Err(damaged(detail));
        }
        for row in wanted {
            let id = row.track_id;
            let fate = match (part.dataset.position(id), dropped.get(&id)) {
                (Some(position), None) => Fate::Kept(part, position),
                (None, Some(row)) => Fate::Dropped(row),
                _ => return Err(damaged(format!("track {id} is neither kept nor dropped, or both"))),
            };
            if fates.insert(id, fate).is_some() {
                return Err(damaged(format!("track {id} is in an earlier part too")));
            }
        }
    }
    Ok(fates)
}

impl OpenPart {
    fn open(path: &Path) -> Result<Self, MergeError> {
        let dataset = Dataset::open(path)?;
        let index = dataset.index();
        let damaged = |file: &str, detail: String| DatasetError::Damaged {
            path: path.join(file),
            detail,
        };
        let plan = BuildPlan::read(path, index)?;
        let Some(part) = plan.part else {
            return Err(MergeError::NotAPart { path: path.to_owned() });
        };
        let table = dataset::read_recorded(path, index, SOURCES_FILE)?;
        let sources = manifest::from_csv(&table).map_err(|error| damaged(SOURCES_FILE, error.to_string()))?;
        let summaries = dataset::read_summary(path, index)?;
        let ids = dataset.tracks().iter().map(|row| row.track_id);
        if !summaries.iter().map(|row| row.track_id).eq(ids) {
            let detail = "its tracks are not those of tracks.csv".to_owned();
            return Err(damaged(dataset::SUMMARY_FILE, detail).into());
        }
        Ok(Self {
            rejected: dataset::read_rejected(path, index)?,
            plan,
            part,
            sources,
            summaries,
            dataset,
        })
    }

    fn path(&self) -> &Path {
        self.dataset.root()
    }

    /// The files that are no track of the source, and the directories that were not read.
    fn unlisted(&self) -> Vec<RejectedRow> {
        let is_no_track = |row: &&RejectedRow| row.track_id.is_none() || row.reason == Rejection::Unlisted.code();
        self.rejected.iter().filter(is_no_track).cloned().collect()
    }

    /// Holds a track's tensors against their checksums.
    fn check(&self, position: usize) -> Result<(), MergeError> {
        let row = &self.dataset.tracks()[position];
        for (kind, expected) in [
            (ShardKind::Waveform, &row.waveform_blake3),
            (ShardKind::Mel, &row.mel_blake3),
        ] {
            let bytes = self.dataset.shard(kind, row.shard).bytes(row.track_id);
            if bytes.is_none_or(|bytes| blake3::hash(bytes).to_hex().as_str() != expected) {
                return Err(MergeError::Damaged {
                    path: self.path().to_owned(),
                    detail: format!(
                        "track {} in {} does not fit its checksum",
                        row.track_id,
                        kind.path(row.shard).display()
                    ),
                });
            }
        }
        Ok(())
    }

    fn kept(&self, position: usize) -> Kept<'_> {
        Kept {
            row: self.dataset.tracks()[position].clone(),
            waveform: self.dataset.waveform(position),
            mel: self.dataset.mel(position).values,
            summary: self.summaries[position].clone(),
        }
    }
}

#[cfg(test)]
mod tests;
