//! The statistics of whole tracks, for models that take these.

use super::error::RunDataError;
use crate::frontend::{StatisticsKind, VectorScaler};
use crate::settings::RunConfig;
use shared::dataset::{Dataset, DatasetError, SUMMARY_FILE, read_summary};

/// The tracks' statistics, `[tracks, values]`, normalized with the values of the training set, and these.
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
            detail: "its tracks are not those of tracks.csv in their order".into(),
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
    let of_training: Vec<f32> = train
        .iter()
        .flat_map(|&position| &all[position * dimension..][..dimension])
        .copied()
        .collect();
    let scaler = config.normalize.fit(&of_training, dimension)?;
    scaler.apply(&mut all)?;
    Ok((all, scaler))
}
