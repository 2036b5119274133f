//! Compares the front end on the device with the one on the host.

use crate::augment::{Augment, ClipPlan};
use crate::data::run_data::RunData;
use crate::frontend::{ClipOutput, DeviceFrontEnd, HostFrontEnd, HostScratch, HostSetup, Normalize};
use crate::loader::copy_or_pad;
use crate::models::{InputKind, SpectrogramKind, WaveformKind};
use crate::settings::RunConfig;
use crate::step::batch;
use crate::step::compute::Compute;
use anyhow::Context;
use burn::tensor::Bytes;
use bytemuck::cast_slice_mut;
use shared::dataset::split::Set;

/// The largest differences of the two front ends over some clips.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FrontEndDifference {
    /// The largest difference of mel spectrograms of clips that are not stretched, in dB.
    pub mel_db: f64,
    /// The lowest signal-to-noise ratio of stretched waveforms, in dB: power of the waveform over power of the
    /// difference. Mel spectrograms of stretched clips are not compared: the vocoder's phases are arbitrary in bins
    /// with only rounding errors, so quiet parts may differ more.
    pub waveform_snr_db: f64,
}

/// Stretch rates of the compared clips; 1 means not stretched.
const RATES: [f64; 5] = [1.0, 0.8, 0.93, 1.07, 1.25];

/// Computes the same clips with both front ends, without noise, because their random generators differ.
pub fn compare_front_ends(config: &RunConfig, data: &RunData, compute: &Compute) -> anyhow::Result<FrontEndDifference> {
    let input = InputKind {
        waveform: Some(WaveformKind::Normalized),
        spectrogram: Some(SpectrogramKind::Mel),
        statistics: false,
    };
    let (features, normalization) = (&data.features, &data.split.normalization);
    let plans = plans(config.seed, data)?;
    let on_device = DeviceFrontEnd::new(input, features, (Normalize::ZScore, normalization), &compute.device)?;
    let (waveforms, mels) = run_on_device(&on_device, data, &plans)?;
    let setup = HostSetup {
        input,
        features,
        pcm8: false,
        normalize: Normalize::ZScore,
        normalization,
        statistics: Vec::new(),
    };
    let on_host = HostFrontEnd::new(setup, 0);
    let mut scratch = HostScratch::default();
    let mut worst = FrontEndDifference {
        mel_db: 0.0,
        waveform_snr_db: f64::INFINITY,
    };
    let mut waveform = vec![0.0; features.clip_samples];
    let mut mel = vec![0.0; features.n_mels * features.clip_frames()];
    for (at, (position, plan)) in plans.iter().enumerate() {
        let output = ClipOutput {
            waveform: Some(&mut waveform),
            spectrogram: Some(&mut mel),
            statistics: None,
        };
        on_host.run(&data.dataset, *position, plan, &mut scratch, output);
        if plan.stretch.is_none() {
            let device = &mels[at * mel.len()..][..mel.len()];
            worst.mel_db = worst.mel_db.max(mel_difference(&mel, device, &normalization.mel_std));
        } else {
            let device = &waveforms[at * waveform.len()..][..waveform.len()];
            worst.waveform_snr_db = worst.waveform_snr_db.min(snr_db(&waveform, device));
        }
    }
    Ok(worst)
}

/// A clip of the training set for each of [`RATES`], with the position of its track.
fn plans(seed: u64, data: &RunData) -> anyhow::Result<Vec<(usize, ClipPlan)>> {
    let tracks = data.tracks(Set::Train)?.iter().cycle().take(RATES.len());
    let plan = |(&position, rate): (&usize, f64)| {
        let samples = data.dataset.waveform(position).len();
        let plan = ClipPlan {
            // Noise of amplitude 0, so the spectrogram is computed instead of cut from the stored one.
            noise: Some(0.0),
            stretch: (rate != 1.0).then_some(rate),
            ..ClipPlan::training(Augment::NONE, seed, 0, position as u64, samples, 0, &data.features)
        };
        (position, plan)
    };
    Ok(tracks.zip(RATES).map(plan).collect())
}

/// Concatenated waveforms and mel spectrograms of the clips.
fn run_on_device(
    front_end: &DeviceFrontEnd,
    data: &RunData,
    plans: &[(usize, ClipPlan)],
) -> anyhow::Result<(Vec<f32>, Vec<f32>)> {
    let features = &data.features;
    let longest = ClipPlan::longest_source(Augment::NOISE_AND_STRETCH, features.clip_samples).next_multiple_of(2);
    let mut pcm = vec![0i32; plans.len() * longest / 2];
    for ((position, plan), out) in plans.iter().zip(cast_slice_mut(&mut pcm).chunks_exact_mut(longest)) {
        copy_or_pad(data.dataset.waveform(*position), plan.hop * features.hop_length, out);
    }
    let plans: Vec<ClipPlan> = plans.iter().map(|(_, plan)| *plan).collect();
    let output = front_end.run(Bytes::from_elems(pcm), &plans);
    let waveforms = output
        .waveform
        .context("the device returned no waveform")?
        .flatten(1, 2);
    let mels = output
        .spectrogram
        .context("the device returned no mel spectrogram")?
        .flatten(1, 3);
    Ok((batch::to_host(waveforms)?, batch::to_host(mels)?))
}

/// The largest difference of two normalized mel spectrograms, in dB.
fn mel_difference(host: &[f32], device: &[f32], std: &[f64]) -> f64 {
    let frames = host.len() / std.len();
    let bands = host.chunks_exact(frames).zip(device.chunks_exact(frames)).zip(std);
    bands
        .flat_map(|((host, device), std)| {
            let pairs = host.iter().zip(device);
            pairs.map(move |(host, device)| f64::from(host - device).abs() * std)
        })
        .fold(0.0, f64::max)
}

fn snr_db(host: &[f32], device: &[f32]) -> f64 {
    let difference: Vec<f32> = host.iter().zip(device).map(|(host, device)| host - device).collect();
    10.0 * (power(host) / power(&difference).max(f64::MIN_POSITIVE)).log10()
}

fn power(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum()
}
