//! Statistics of whole tracks, for models with that input.

use super::error::RunDataError;
use crate::frontend::{StatisticsKind, VectorScaler};
use crate::settings::RunConfig;
use shared::dataset::{Dataset, DatasetError, SUMMARY_FILE, read_summary};

/// The track statistics `[tracks, values]`, normalized on the training set, and the scaler.
pub fn normalized_statistics(
    config: &RunConfig,
    dataset: &Dataset,
    train: &[usize],
) -> Result<(Vec<f32>, VectorScaler), RunDataError> {
    let summaries = read_summary(dataset.root(), dataset.index())?;
    let ids = dataset.tracks().iter().map(|row| row.track_id);
    if !summaries.iter().map(|summary| summary.track_id).eq(ids) {
        return Err(RunDataError::Dataset(DatasetError::Damaged {
            path: dataset.root().join(SUMMARY_FILE),
            detail: "its tracks are not the tracks of tracks.csv in the same order".into(),
        }));
    }
    let kinds = &config.statistics;
    let mut all = Vec::new();
    for summary in &summaries {
        for kind in kinds {
            all.extend_from_slice(match kind {
                StatisticsKind::Mfcc => &summary.mfcc,
                StatisticsKind::Chroma => &summary.chroma,
            });
        }
    }
    let dimension = all.len() / summaries.len().max(1);
    let training_rows: Vec<f32> = train
        .iter()
        .flat_map(|&position| &all[position * dimension..][..dimension])
        .copied()
        .collect();
    let scaler = config.normalize.fit(&training_rows, dimension)?;
    scaler.apply(&mut all)?;
    Ok((all, scaler))
}
