//! Writes a feature set: mel spectrograms of the stored waveforms, in shards and tables of its own. Its waveform shards
//! are hard links to those of the data set.

use crate::build::index::{self, Origin, Rows};
use crate::build::ordered::{self, Bounds};
use crate::build::plan::BuildPlan;
use crate::build::progress::BuildProgress;
use crate::build::shard_writer::file_record;
use crate::build::source_table::{SOURCES_FILE, SourceRow};
use crate::build::threads::{PerThread, thread_pool};
use crate::source::Listing;
use half::f16;
use shared::audio::extract::Extractor;
use shared::audio::validate::ValidateConfig;
use shared::dataset::manifest::TrackRow;
use shared::dataset::shard::{ShardKind, ShardWriter};
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{self, Dataset, DatasetError, ShardRecord};
use shared::dsp::features::FeatureConfig;
use shared::runtime::file_error::FileError;
use std::fs;
use std::path::Path;

/// A feature set that is being written.
pub(super) struct FeatureSet<'a> {
    pub(super) dataset: &'a Dataset,
    /// The existing feature set, if the data set grew since.
    pub(super) before: Option<&'a Dataset>,
    pub(super) features: &'a FeatureConfig,
    /// The directory to write to.
    pub(super) new: &'a Path,
}

/// The computed features of a track.
struct TrackFeatures {
    mel: Vec<f16>,
    mel_blake3: String,
    summary: TrackSummary,
}

impl FeatureSet<'_> {
    /// Writes all files. Returns the number of tracks whose spectrograms were computed.
    pub(super) fn make(&self, jobs: usize, progress: &mut dyn BuildProgress) -> anyhow::Result<usize> {
        let (root, index) = (self.dataset.root(), self.dataset.index());
        let shards = self.new.join("shards");
        fs::create_dir_all(&shards).map_err(FileError::at(&shards))?;
        let kept_pairs = self.before.map_or(0, |before| before.index().shards.len());
        let link = |from: &Path, file: &Path| {
            fs::hard_link(from.join(file), self.new.join(file)).map_err(FileError::at(&self.new.join(file)))
        };
        for number in 0..index.shards.len() {
            link(root, &ShardKind::Waveform.path(number))?;
        }
        for number in 0..kept_pairs {
            let before = self.before.map_or(root, Dataset::root);
            link(before, &ShardKind::Mel.path(number))?;
        }
        let mut rows = self.dataset.tracks().to_vec();
        let mut summaries = dataset::read_summary(root, index)?;
        self.take_over(&mut rows, &mut summaries)?;
        let mut positions: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].shard >= kept_pairs).collect();
        positions.sort_by_key(|&at| (rows[at].shard, at));
        let mut records: Vec<ShardRecord> = index.shards.clone();
        if let Some(before) = self.before {
            for (record, existing) in records.iter_mut().zip(&before.index().shards) {
                record.mel = existing.mel.clone();
            }
        }
        self.compute(&positions, jobs, &mut rows, &mut summaries, &mut records, progress)?;
        self.write_tables(rows, summaries, records)?;
        Ok(positions.len())
    }

    /// Copies the checksums and summaries of the tracks that the existing feature set has.
    fn take_over(&self, rows: &mut [TrackRow], summaries: &mut [TrackSummary]) -> anyhow::Result<()> {
        let Some(before) = self.before else {
            return Ok(());
        };
        let known = dataset::read_summary(before.root(), before.index())?;
        for (row, summary) in rows.iter_mut().zip(summaries) {
            if let Some(at) = before.position(row.track_id) {
                row.mel_blake3 = before.tracks()[at].mel_blake3.clone();
                *summary = known[at].clone();
            }
        }
        Ok(())
    }

    fn compute(
        &self,
        positions: &[usize],
        jobs: usize,
        rows: &mut [TrackRow],
        summaries: &mut [TrackSummary],
        records: &mut [ShardRecord],
        progress: &mut dyn BuildProgress,
    ) -> anyhow::Result<()> {
        let pool = thread_pool(jobs)?;
        let validate = ValidateConfig::default();
        let extractors = PerThread::new(&pool, || Extractor::new(self.features, &validate));
        let work = |at: usize| extractors.with(|extractor| self.track(extractor, positions[at]));
        let bounds = Bounds {
            items: 3 * jobs,
            weight: 64 << 20,
        };
        let weight = |made: &Result<TrackFeatures, DatasetError>| made.as_ref().map_or(0, |made| 2 * made.mel.len());
        progress.begin(positions.len(), 0);
        let mut open: Option<(usize, ShardWriter)> = None;
        let mut finish = |open: Option<(usize, ShardWriter)>| -> anyhow::Result<()> {
            if let Some((number, writer)) = open {
                records[number].mel = file_record(writer.finish()?);
            }
            Ok(())
        };
        ordered::for_each(&pool, 0..positions.len(), bounds, work, weight, |at, made| {
            let (made, at) = (made?, positions[at]);
            let (id, number) = (rows[at].track_id, rows[at].shard);
            let writer = match &mut open {
                Some((open_number, writer)) if *open_number == number => writer,
                other => {
                    finish(other.take())?;
                    let path = self.new.join(ShardKind::Mel.path(number));
                    &mut other.insert((number, ShardWriter::create(&path, ShardKind::Mel)?)).1
                }
            };
            writer.push_mel(id, self.features.n_mels, &made.mel)?;
            rows[at].mel_blake3 = made.mel_blake3;
            let old = std::mem::replace(&mut summaries[at], made.summary);
            // MFCC and chroma statistics are computed from the waveform and do not depend on the mel settings.
            (summaries[at].mfcc, summaries[at].chroma) = (old.mfcc, old.chroma);
            progress.track(true);
            anyhow::Ok(())
        })?;
        finish(open)?;
        progress.end();
        Ok(())
    }

    fn track(&self, extractor: &mut Extractor, position: usize) -> Result<TrackFeatures, DatasetError> {
        let row = &self.dataset.tracks()[position];
        let samples = self.dataset.waveform(position);
        if blake3::hash(bytemuck::cast_slice(samples)).to_hex().as_str() != row.waveform_blake3 {
            return Err(DatasetError::damaged(
                self.dataset.root().join(ShardKind::Waveform.path(row.shard)),
                format!("track {} does not match its checksum in tracks.csv", row.track_id),
            ));
        }
        let mel = extractor.mel(samples);
        Ok(TrackFeatures {
            mel_blake3: blake3::hash(bytemuck::cast_slice(&mel)).to_hex().to_string(),
            summary: TrackSummary::new(row.track_id, samples, &mel, self.features),
            mel,
        })
    }

    fn write_tables(
        &self,
        tracks: Vec<TrackRow>,
        summaries: Vec<TrackSummary>,
        shards: Vec<ShardRecord>,
    ) -> anyhow::Result<()> {
        let (root, index) = (self.dataset.root(), self.dataset.index());
        let plan = BuildPlan {
            features: self.features.clone(),
            ..BuildPlan::read(root, index)?
        };
        let sources: Vec<SourceRow> = dataset::read_table(root, index, SOURCES_FILE)?;
        let origin = Origin {
            listing: &Listing::default(),
            sources: &sources,
            audio: &index.source.audio,
            task: index.task,
            preset: None,
            waveforms_of: Some(&index.checksum),
        };
        let earlier = self.before.map_or_else(Vec::new, |before| {
            let before = before.index();
            [before.earlier.as_slice(), std::slice::from_ref(&before.checksum)].concat()
        });
        let rows = Rows {
            tracks,
            summaries,
            rejected: dataset::read_rejected(root, index)?,
            shards,
        };
        let differences = index.source.preset_differences.clone();
        index::write(self.new, &plan, &origin, differences, earlier, &rows)?;
        Ok(())
    }
}
