//! Compares pieces of random notes with altered copies of them.

use super::*;
use crate::audio::extract::MelExtractor;
use crate::dataset::statistics::TrackSummary;
use crate::dsp::features::FeatureConfig;
use crate::dsp::noise::add_gaussian;
use crate::dsp::resample::{SincResampler, SincScratch};
use crate::runtime::rng::{Purpose, stream};
use proptest::prelude::*;
use rand::RngExt;
use std::f32::consts::TAU;

const SECONDS: f32 = 20.0;

/// The default settings, those of two presets, and settings with fewer bands.
fn settings() -> [FeatureConfig; 4] {
    let other = |sample_rate: u32, n_fft, hop_length, n_mels| FeatureConfig {
        sample_rate,
        n_fft,
        hop_length,
        n_mels,
        clip_samples: 512 * hop_length,
        f_max: sample_rate as f32 / 2.0,
        ..FeatureConfig::default()
    };
    [
        FeatureConfig::default(),
        other(16_000, 512, 192, 96),
        other(12_000, 512, 256, 96),
        other(22_050, 2048, 512, 64),
    ]
}

/// Plucked notes of one scale at 120 beats per minute. Pieces differ only in the random notes.
fn piece(number: u64, rate: u32) -> Vec<f32> {
    let rate = rate as f32;
    let mut rng = stream(1, 0, number, Purpose::Crop);
    let mut samples = vec![0.0; (SECONDS * rate) as usize];
    for eighth in 0..(SECONDS * 4.0) as usize {
        for _ in 0..2 {
            let step = [0, 2, 4, 5, 7, 9, 11][rng.random_range(0..7)] + 12 * rng.random_range(0..3);
            let hertz = 110.0 * (step as f32 / 12.0).exp2();
            let begin = (eighth as f32 / 4.0 * rate) as usize;
            for (at, sample) in samples[begin..].iter_mut().take((0.6 * rate) as usize).enumerate() {
                let seconds = at as f32 / rate;
                let partials: f32 = (1..=5)
                    .map(|partial| (TAU * hertz * partial as f32 * seconds).sin() / partial as f32)
                    .sum();
                *sample += 0.08 * partials * (-6.0 * seconds).exp();
            }
        }
    }
    samples
}

/// Adds the same bar of clicks from beginning to end.
fn drums(samples: &mut [f32], rate: u32) {
    let bar = rate as usize / 2;
    let mut noise = vec![0.0; bar];
    add_gaussian(&mut noise, 0.2, &mut stream(2, 0, 0, Purpose::NoiseSamples));
    for (at, sample) in samples.iter_mut().enumerate() {
        let within = at % bar;
        *sample += noise[within] * (-40.0 * (within % (bar / 2)) as f32 / rate as f32).exp();
    }
}

fn summary(samples: &[f32], features: &FeatureConfig) -> TrackSummary {
    let pcm: Vec<i16> = samples
        .iter()
        .map(|sample| (sample * 32_767.0).round() as i16)
        .collect();
    let mel = MelExtractor::new(features).extract(&pcm);
    TrackSummary::new(0, &pcm, &mel, features)
}

/// Altered copies of a recording, and the seconds that are cut from the beginning of each.
fn copies(samples: &[f32], rate: u32) -> Vec<(&'static str, Vec<f32>, f32)> {
    let softer = |samples: &[f32]| samples.iter().map(|sample| 0.5 * sample).collect::<Vec<f32>>();
    let noisy = |samples: &[f32]| {
        let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32;
        let mut noisy = samples.to_vec();
        add_gaussian(
            &mut noisy,
            0.1 * power.sqrt(),
            &mut stream(3, 0, 0, Purpose::NoiseSamples),
        );
        noisy
    };
    let resampled = |samples: &[f32]| {
        let (sinc, mut scratch) = (SincResampler::new(), SincScratch::default());
        let mut low = vec![0.0; SincResampler::resampled_len(samples.len(), 0.6)];
        sinc.resample(samples, 0.6, &mut scratch, &mut low);
        let mut back = vec![0.0; samples.len()];
        sinc.resample(&low, 1.0 / 0.6, &mut scratch, &mut back);
        back
    };
    // Not a whole number of frames.
    let cut = &samples[(7.3 * rate as f32) as usize..];
    vec![
        ("softer", softer(samples), 0.0),
        ("noisy", noisy(samples), 0.0),
        ("resampled", resampled(samples), 0.0),
        ("cut", cut.to_vec(), 7.3),
        ("everything", noisy(&softer(&resampled(cut))), 7.3),
    ]
}

fn track<'a>(grid: &PeakGrid, summary: &'a TrackSummary) -> Track<'a> {
    grid.track(&summary.peaks, summary.frames)
}

fn search_all(summaries: &[TrackSummary], features: &FeatureConfig) -> Vec<(usize, usize)> {
    let grid = PeakGrid::new(features);
    let tracks: Vec<Track<'_>> = summaries.iter().map(|summary| track(&grid, summary)).collect();
    search(&tracks, grid.step_seconds())
}

#[test]
fn copies_are_found_at_their_offset_and_other_pieces_are_not() {
    for features in settings() {
        let (rate, grid) = (features.sample_rate, PeakGrid::new(&features));
        let mut tracks = Vec::new();
        for number in 0..4 {
            let samples = piece(number, rate);
            let original = summary(&samples, &features);
            for (name, copy, cut_seconds) in copies(&samples, rate) {
                let copy = summary(&copy, &features);
                let found = compare(track(&grid, &original), track(&grid, &copy), grid.step_seconds())
                    .unwrap_or_else(|| panic!("{name} copy of piece {number} with {features:?}"));
                let begins = -f64::from(found.offset) * grid.step_seconds();
                assert!((begins - f64::from(cut_seconds)).abs() < 0.05, "{name}: {begins} s");
                tracks.push((number, copy));
            }
            tracks.push((number, original));
        }
        let summaries: Vec<TrackSummary> = tracks.iter().map(|(_, summary)| summary.clone()).collect();
        let positions = 0..tracks.len();
        let expected: Vec<(usize, usize)> = positions
            .clone()
            .flat_map(|a| positions.clone().map(move |b| (a, b)))
            .filter(|&(a, b)| a < b && tracks[a].0 == tracks[b].0)
            .collect();
        assert_eq!(search_all(&summaries, &features), expected, "{features:?}");
    }
}

#[test]
fn pieces_over_the_same_loop_are_different_recordings() {
    let features = FeatureConfig::default();
    let with_drums = |number| {
        let mut samples = piece(number, features.sample_rate);
        drums(&mut samples, features.sample_rate);
        samples
    };
    let mut summaries: Vec<TrackSummary> = (0..6).map(|number| summary(&with_drums(number), &features)).collect();
    assert_eq!(search_all(&summaries, &features), []);
    summaries.push(summary(&with_drums(3)[100_000..], &features));
    assert_eq!(search_all(&summaries, &features), [(3, 6)]);
}

#[test]
fn another_key_is_another_recording() {
    let features = FeatureConfig::default();
    let samples = piece(0, features.sample_rate);
    let (sinc, mut scratch) = (SincResampler::new(), SincScratch::default());
    let mut higher = vec![0.0; SincResampler::resampled_len(samples.len(), 0.9)];
    sinc.resample(&samples, 0.9, &mut scratch, &mut higher);
    let summaries = [summary(&samples, &features), summary(&higher, &features)];
    assert_eq!(search_all(&summaries, &features), []);
}

#[test]
fn silence_steady_tones_and_short_tracks_do_not_match() {
    let features = FeatureConfig::default();
    let tone: Vec<f32> = (0..400_000)
        .map(|at| 0.3 * (TAU * 440.0 * at as f32 / 44_100.0).sin())
        .collect();
    let short = &piece(0, 44_100)[..3 * 44_100];
    for samples in [&[0.0; 400_000][..], &tone, &short[..1000], &[]] {
        assert_eq!(summary(samples, &features).peaks, [], "{} samples", samples.len());
    }
    let summaries = [summary(short, &features), summary(short, &features)];
    assert!(summaries[0].peaks.len() > 20);
    assert_eq!(search_all(&summaries, &features), []);
}

#[test]
fn burst_gives_a_peak_at_its_time_and_frequency() {
    for features in settings() {
        let rate = features.sample_rate as f32;
        let mut samples = vec![0.0; 3 * features.sample_rate as usize];
        for (at, sample) in samples.iter_mut().enumerate() {
            let seconds = at as f32 / rate - 1.5;
            *sample = 0.5 * (-800.0 * seconds * seconds).exp() * (TAU * 1000.0 * seconds).sin();
        }
        let grid = PeakGrid::new(&features);
        let loudest = summary(&samples, &features).peaks;
        let near = |peak: &&Peak| (f64::from(peak.step) * grid.step_seconds() - 1.5).abs() < 0.03;
        let peak = loudest.iter().find(near).unwrap_or_else(|| panic!("{loudest:?}"));
        let band = crate::dsp::mel::band_peaks(&features)[usize::from(peak.row)];
        assert!((band - 1000.0).abs() < 120.0, "{band} Hz with {features:?}");
    }
}

#[test]
fn search_does_not_depend_on_the_number_of_threads() {
    let features = settings()[2].clone();
    let summaries: Vec<TrackSummary> = (0..24)
        .map(|at| summary(&piece(at / 2, features.sample_rate)[1000 * at as usize..], &features))
        .collect();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| search_all(&summaries, &features))
    };
    assert_eq!(with(1).len(), 12);
    assert_eq!(with(1), with(5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 64 }))]
    #[test]
    fn search_and_compare_agree_for_any_peaks(
        tracks in prop::collection::vec(
            (prop::collection::vec((any::<u32>(), 0..MAX_ROWS as u8), 0..60), any::<u32>(), 0u32..3), 0..4),
    ) {
        let tracks: Vec<(Vec<Peak>, u32)> = tracks
            .into_iter()
            .map(|(peaks, steps, scale)| {
                let place = |(step, row)| Peak { step: step >> (12 * scale), row };
                let mut peaks: Vec<Peak> = peaks.into_iter().map(place).collect();
                peaks.sort_unstable();
                (peaks, steps)
            })
            .collect();
        let tracks: Vec<Track<'_>> = tracks.iter().map(|(peaks, steps)| Track { peaks, steps: *steps }).collect();
        let pairs = search(&tracks, 0.02);
        for (a, b) in (0..tracks.len()).flat_map(|b| (0..b).map(move |a| (a, b))) {
            prop_assert_eq!(compare(tracks[a], tracks[b], 0.02).is_some(), pairs.contains(&(a, b)));
        }
    }

    #[test]
    fn any_spectrogram_has_sorted_peaks_within_the_grid(
        n_mels in 1usize..300,
        values in prop::collection::vec(-90f32..0.0, 0..200),
        frames in 0usize..120,
    ) {
        let features = FeatureConfig { n_mels, ..FeatureConfig::default() };
        let decibels: Vec<f32> =
            (0..n_mels * frames).map(|at| values.get(at * 7 % values.len().max(1)).copied().unwrap_or(0.0)).collect();
        let peaks = PeakGrid::new(&features).peaks(&decibels, n_mels);
        prop_assert!(peaks.is_sorted());
        prop_assert!(peaks.iter().all(|peak| usize::from(peak.row) < MAX_ROWS && (peak.step as usize) < frames));
    }
}
