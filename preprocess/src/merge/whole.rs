//! Merges all parts into one data set. Tensors are copied, and each is compared with its checksum.

use super::parts::{OpenPart, open_all};
use crate::build::assemble::assemble;
use crate::build::assembly::Assembly;
use crate::build::index::Origin;
use crate::build::ordered::{self, Bounds};
use crate::build::preset::Preset;
use crate::build::progress::BuildProgress;
use crate::build::report::BuildReport;
use crate::build::source_table::{self, SOURCES_FILE, SourceRow};
use crate::build::threads::thread_pool;
use shared::dataset::DatasetError;
use shared::dataset::manifest::RejectedRow;
use std::collections::HashMap;
use std::path::PathBuf;

/// Number of tracks that are read ahead of the writer.
const AHEAD: usize = 64;
#[derive(Clone, Debug)]
pub struct MergeConfig {
    pub out: PathBuf,
    pub parts: Vec<PathBuf>,
    pub jobs: usize,
}

/// A track of the source in one of the parts.
enum PartTrack<'a> {
    /// The part, and the position of the track in it.
    Kept(&'a OpenPart, usize),
    Dropped(&'a RejectedRow),
}
pub fn merge(config: &MergeConfig, progress: &mut dyn BuildProgress) -> anyhow::Result<BuildReport> {
    let parts = open_all(&config.parts)?;
    let first = &parts[0];
    let plan = first.plan.without_part();
    let sources: Vec<SourceRow> = parts.iter().flat_map(|part| part.sources.iter().cloned()).collect();
    let unlisted = parts.iter().flat_map(OpenPart::unlisted).collect();
    let listing = source_table::listing(&sources, unlisted);
    let part_tracks = part_tracks(&parts)?;
    let preset = plan.preset.as_deref().and_then(Preset::named);
    let origin = Origin {
        listing: &listing,
        sources: &source_table::rows(&listing, &wanted_sizes(&sources)),
        audio: &first.dataset.index().source.audio,
        task: first.dataset.task(),
        preset: preset.as_ref(),
        waveforms_of: None,
    };
    let pool = thread_pool(config.jobs)?;
    assemble(
        &config.out,
        &plan,
        &origin,
        &pool,
        progress,
        |assembly, missing, progress| {
            let missing: Vec<&PartTrack<'_>> = missing
                .iter()
                .map(|&at| &part_tracks[&listing.tracks[at].track_id])
                .collect();
            copy(&missing, &pool, assembly, progress)
        },
    )
}

fn wanted_sizes(sources: &[SourceRow]) -> Vec<Option<u64>> {
    let wanted = sources.iter().filter(|row| row.wanted);
    wanted.map(|row| row.bytes).collect()
}

fn copy(
    tracks: &[&PartTrack<'_>],
    pool: &rayon::ThreadPool,
    assembly: &mut Assembly<'_>,
    progress: &mut dyn BuildProgress,
) -> anyhow::Result<()> {
    let check = |at: usize| match tracks[at] {
        PartTrack::Kept(part, position) => part.check(*position),
        PartTrack::Dropped(_) => Ok(()),
    };
    let bounds = Bounds {
        items: AHEAD,
        weight: usize::MAX,
    };
    let no_weight = |_: &anyhow::Result<()>| 0;
    ordered::for_each(pool, 0..tracks.len(), bounds, check, no_weight, |at, checked| {
        checked?;
        let kept = match tracks[at] {
            PartTrack::Kept(part, position) => assembly.take(Ok(part.kept(*position)))?,
            PartTrack::Dropped(row) => assembly.take(Err((*row).clone()))?,
        };
        progress.track(kept);
        Ok(())
    })
}

/// Finds each wanted track in the parts. Every part must account for exactly its range of the source.
fn part_tracks(parts: &[OpenPart]) -> Result<HashMap<u64, PartTrack<'_>>, DatasetError> {
    let mut part_tracks = HashMap::new();
    for part in parts {
        let damaged = |detail: String| DatasetError::damaged(part.path(), detail);
        let dropped: HashMap<u64, &RejectedRow> = part
            .rejected
            .iter()
            .filter_map(|row| Some((row.track_id?, row)))
            .collect();
        let wanted: Vec<&SourceRow> = part.sources.iter().filter(|row| row.wanted).collect();
        let expected = part.part.range(part.plan.tracks).len();
        if wanted.len() != expected {
            let detail = format!(
                "{SOURCES_FILE} lists {} tracks, but the part should have {expected}",
                wanted.len()
            );
            return Err(damaged(detail));
        }
        for row in wanted {
            let id = row.track_id;
            let part_track = match (part.dataset.position(id), dropped.get(&id)) {
                (Some(position), None) => PartTrack::Kept(part, position),
                (None, Some(row)) => PartTrack::Dropped(row),
                _ => {
                    return Err(damaged(format!(
                        "track {id} must be in either tracks.csv or rejected.csv"
                    )));
                }
            };
            if part_tracks.insert(id, part_track).is_some() {
                return Err(damaged(format!("track {id} is also in an earlier part")));
            }
        }
    }
    Ok(part_tracks)
}
