//! The clips of a run: their length and their positions in a track.

use super::error::RunDataError;
use crate::loader::{ClipGrid, EvalClips, Excerpt, TrainClips};
use crate::settings::RunConfig;
use shared::dataset::Dataset;
use shared::dsp::features::FeatureConfig;

/// The data set's feature settings with the run's clip length, and the grid of the evaluated clips.
pub fn clips(config: &RunConfig, dataset: &Dataset) -> Result<(FeatureConfig, ClipGrid), RunDataError> {
    let stored = dataset.features();
    let features = clip_features(config, stored);
    let clip_hops = features.clip_hops();
    let longest = dataset.tracks().iter().map(|row| row.samples).max().unwrap_or(0);
    let longest_seconds = longest as f64 / f64::from(stored.sample_rate);
    if let Some(seconds) = config.clip_seconds {
        let least = stored.n_fft.div_ceil(stored.hop_length);
        if clip_hops < least || features.clip_samples < stored.n_fft {
            return Err(RunDataError::ClipTooShort {
                seconds,
                hops: clip_hops,
                least,
            });
        }
        if features.clip_samples as u64 > longest {
            return Err(RunDataError::ClipTooLong {
                seconds,
                longest: longest_seconds,
            });
        }
    }
    if config.skip_seconds > 0.0 {
        let skipped = hops(config.skip_seconds, stored)
            .saturating_mul(2)
            .saturating_add(clip_hops);
        if skipped as u64 > longest / stored.hop_length as u64 {
            return Err(RunDataError::SkippedAll {
                seconds: config.skip_seconds,
                longest: longest_seconds,
            });
        }
    }
    let grid = clip_grid(config, &features);
    Ok((features, grid))
}

/// The data set's feature settings with the run's clip length.
pub fn clip_features(config: &RunConfig, stored: &FeatureConfig) -> FeatureConfig {
    let clip_samples = match (config.clip_seconds, config.clip_frames) {
        (None, _) if config.clip_samples.is_some() => config.clip_samples.unwrap_or(stored.clip_samples),
        // Clips with a final frame need not be whole hops long.
        (Some(seconds), _) if stored.final_frame => (seconds * f64::from(stored.sample_rate)) as usize,
        (Some(seconds), _) => hops(seconds, stored).saturating_mul(stored.hop_length),
        (None, Some(frames)) if frames != stored.clip_frames() => {
            let hops = frames - usize::from(stored.final_frame && frames > 1);
            hops.saturating_mul(stored.hop_length)
        }
        (None, _) => stored.clip_samples,
    };
    FeatureConfig {
        clip_samples,
        ..stored.clone()
    }
}

/// The grid of the clips that are evaluated in a track or a file. `features` must have the run's clip length.
pub fn clip_grid(config: &RunConfig, features: &FeatureConfig) -> ClipGrid {
    ClipGrid {
        hops: features.clip_hops(),
        skipped: hops(config.skip_seconds, features),
        // Every clip has the same statistics of the whole track.
        clips: if config.model.description().input.is_statistics_only() {
            EvalClips::MIDDLE
        } else {
            config.eval_clips
        },
    }
}

/// Whole hops in `seconds`.
fn hops(seconds: f64, features: &FeatureConfig) -> usize {
    (seconds * f64::from(features.sample_rate) / features.hop_length as f64) as usize
}

/// The evaluated clips of `tracks`, which are positions in the data set.
pub fn cut(dataset: &Dataset, tracks: &[usize], grid: ClipGrid, features: &FeatureConfig) -> Vec<Excerpt> {
    let clips = tracks.iter().flat_map(|&position| {
        let starts = grid.starts(dataset.tracks()[position].samples as usize, features);
        starts.enumerate().map(move |(number, hop)| Excerpt {
            position,
            number,
            hop: Some(hop),
        })
    });
    clips.collect()
}

/// The clips of `tracks` that an epoch trains on. The order of the list is the same in every epoch.
pub fn training_clips(
    clips: TrainClips,
    dataset: &Dataset,
    tracks: &[usize],
    grid: ClipGrid,
    features: &FeatureConfig,
) -> Vec<Excerpt> {
    if clips == TrainClips::Grid {
        let clips = EvalClips::All;
        return cut(dataset, tracks, ClipGrid { clips, ..grid }, features);
    }
    let count = |position: usize| match clips {
        TrainClips::Random(count) => count.get(),
        _ => grid.fitting(dataset.tracks()[position].samples as usize, features),
    };
    let random = |&position: &usize| {
        (0..count(position)).map(move |number| Excerpt {
            position,
            number,
            hop: None,
        })
    };
    tracks.iter().flat_map(random).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::settings::Settings;
    use shared::dsp::feature_preset::FeaturePreset;

    #[test]
    fn clips_with_a_final_frame_need_not_be_whole_hops_long() {
        let settings = Settings {
            data: Some("fma".into()),
            model: Some(ModelKind::Crnn),
            ..Settings::default()
        };
        let mut config = settings.resolve().unwrap();
        let won = FeaturePreset::Won.config();
        let clip = |config: &RunConfig| {
            let features = clip_features(config, &won);
            (
                features.clip_samples,
                features.clip_frames(),
                clip_grid(config, &features).hops,
            )
        };
        assert_eq!(clip(&config), (464_000, 1813, 1813));
        config.clip_frames = Some(1813);
        assert_eq!(clip(&config), (464_000, 1813, 1813));
        config.clip_frames = Some(938);
        assert_eq!(clip(&config), (937 * 256, 938, 937));
        config.clip_seconds = Some(3.0);
        assert_eq!(clip(&config), (48_000, 188, 188));
    }
}
