//! The front end on the device against the one on the host.

use crate::augment::{Augment, ClipPlan};
use crate::data::run_data::RunData;
use crate::frontend::{ClipOutput, DeviceFrontEnd, HostFrontEnd, HostScratch, HostSetup, Normalize};
use crate::loader::copy_or_pad;
use crate::models::{InputKind, SpectrogramKind, WaveformKind};
use crate::settings::RunConfig;
use crate::step::batch;
use crate::step::compute::Compute;
use anyhow::Context;
use burn::tensor::TensorData;
use shared::dataset::split::Set;

/// How far apart the two are, in the worst of some clips.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FrontEndDifference {
    /// The largest difference of mel spectrograms of clips at their own speed, in dB.
    pub mel_db: f64,
    /// The power of stretched waveforms over that of their differences, in dB. The vocoder's phases are arbitrary where
    /// a spectrum holds nothing but rounding, so that quiet places of stretched clips may differ more than this.
    pub waveform_snr_db: f64,
}

/// Speeds of the clips that are compared; 1 is left as it is.
const RATES: [f64; 5] = [1.0, 0.8, 0.93, 1.07, 1.25];

/// Makes the same clips on both sides, without noise, which comes from different generators.
pub fn compare_front_ends(config: &RunConfig, data: &RunData, compute: &Compute) -> anyhow::Result<FrontEndDifference> {
    let input = InputKind {
        waveform: Some(WaveformKind::Normalized),
        spectrogram: Some(SpectrogramKind::Mel),
        statistics: false,
    };
    let (features, normalization) = (&data.features, &data.split.normalization);
    let on_device = DeviceFrontEnd::new(input, features, normalization, &compute.device)?;
    let setup = HostSetup {
        input,
        features,
        pcm8: false,
        normalize: Normalize::ZScore,
        normalization,
        statistics: Vec::new(),
    };
    let on_host = HostFrontEnd::new(setup, 0);
    let tracks = data.tracks(Set::Train)?.iter().cycle().take(RATES.len());
    let plans: Vec<(usize, ClipPlan)> = tracks
        .zip(RATES)
        .map(|(&position, rate)| {
            let samples = data.dataset.waveform(position).len();
            let plan = ClipPlan {
                // No noise, but the way of a clip that has some: its spectrogram is computed, not cut out.
                noise: Some(0.0),
                stretch: (rate != 1.0).then_some(rate),
                ..ClipPlan::training(Augment::NONE, config.seed, 0, position as u64, samples, features)
            };
            (position, plan)
        })
        .collect();
    let longest = ClipPlan::longest_source(Augment::NOISE_AND_STRETCH, features.clip_samples);
    let mut pcm = vec![0i16; plans.len() * longest];
    for ((position, plan), out) in plans.iter().zip(pcm.chunks_exact_mut(longest)) {
        copy_or_pad(data.dataset.waveform(*position), plan.hop * features.hop_length, out);
    }
    let made = on_device.run(
        TensorData::new(pcm, [plans.len(), longest]),
        &plans.iter().map(|(_, plan)| *plan).collect::<Vec<_>>(),
    );
    let waveforms = batch::to_host(made.waveform.context("no waveform was made")?.flatten::<2>(1, 2))?;
    let mels = batch::to_host(
        made.spectrogram
            .context("no mel spectrogram was made")?
            .flatten::<2>(1, 3),
    )?;

    let (mut scratch, frames) = (HostScratch::default(), features.clip_frames());
    let mut worst = FrontEndDifference {
        mel_db: 0.0,
        waveform_snr_db: f64::INFINITY,
    };
    let (mut waveform, mut mel) = (vec![0.0; features.clip_samples], vec![0.0; features.n_mels * frames]);
    for (at, (position, plan)) in plans.iter().enumerate() {
        on_host.run(
            &data.dataset,
            *position,
            plan,
            &mut scratch,
            ClipOutput {
                waveform: Some(&mut waveform),
                spectrogram: Some(&mut mel),
                statistics: None,
            },
        );
        if plan.stretch.is_none() {
            let device = mels[at * mel.len()..][..mel.len()].chunks_exact(frames);
            for ((host, device), std) in mel.chunks_exact(frames).zip(device).zip(&normalization.mel_std) {
                for (host, device) in host.iter().zip(device) {
                    worst.mel_db = worst.mel_db.max(f64::from(host - device).abs() * std);
                }
            }
        } else {
            let device = &waveforms[at * waveform.len()..][..waveform.len()];
            let difference: Vec<f32> = waveform
                .iter()
                .zip(device)
                .map(|(host, device)| host - device)
                .collect();
            let ratio = power(&waveform) / power(&difference).max(f64::MIN_POSITIVE);
            worst.waveform_snr_db = worst.waveform_snr_db.min(10.0 * ratio.log10());
        }
    }
    Ok(worst)
}

fn power(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum()
}
