//! Benchmarks of the most expensive transforms of builds and training, on a default clip: `cargo bench -p shared`.

use divan::Bencher;
use divan::counter::ItemsCount;
use ndarray::Array2;
use shared::dsp::features::FeatureConfig;
use shared::dsp::frame_pair::{LANES, groups};
use shared::dsp::mel::{MelScratch, MelSpectrogram};
use shared::dsp::phase_vocoder::{TimeStretch, TimeStretchScratch};
use shared::dsp::resample::{SincResampler, SincScratch};
use shared::dsp::stft::{Stft, StftScratch};
use shared::dsp::track_statistics::{TrackStatistics, TrackStatisticsScratch};

fn main() {
    divan::main();
}

/// A clip of noise, because silence and pure tones need less work.
fn clip() -> Vec<f32> {
    let mut state = 1u32;
    let mut sample = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / u32::MAX as f32 - 0.5
    };
    (0..FeatureConfig::default().clip_samples).map(|_| sample()).collect()
}

#[divan::bench(args = [512, 2048, 4096])]
fn stft(bencher: Bencher<'_, '_>, n_fft: usize) {
    let (stft, clip) = (Stft::new(n_fft, n_fft / 4), clip());
    let (mut scratch, mut power) = (StftScratch::default(), vec![[0.0; LANES]; groups(n_fft)]);
    let frames = stft.frames(clip.len());
    bencher.counter(ItemsCount::new(clip.len())).bench_local(|| {
        for frame in (0..frames).step_by(2) {
            stft.power_pair(&clip, [frame, frame + 1], &mut scratch, &mut power);
        }
    });
}

#[divan::bench]
fn mel(bencher: Bencher<'_, '_>) {
    let (features, clip) = (FeatureConfig::default(), clip());
    let mel = MelSpectrogram::new(&features);
    let mut scratch = MelScratch::default();
    let mut out = Array2::zeros((features.n_mels, mel.frames(clip.len())));
    let bencher = bencher.counter(ItemsCount::new(clip.len()));
    bencher.bench_local(|| mel.power(&clip, &mut scratch, out.view_mut()));
}

#[divan::bench]
fn statistics(bencher: Bencher<'_, '_>) {
    let (plan, clip) = (TrackStatistics::new(44_100), clip());
    let mut scratch = TrackStatisticsScratch::default();
    let (mut mfcc, mut chroma) = ([0.0; 140], [0.0; 84]);
    let bencher = bencher.counter(ItemsCount::new(clip.len()));
    bencher.bench_local(|| plan.compute(&clip, &mut scratch, &mut mfcc, &mut chroma));
}

#[divan::bench(args = [0.8, 1.25])]
fn stretch(bencher: Bencher<'_, '_>, rate: f64) {
    let (stretch, clip) = (TimeStretch::new(2048, 512), clip());
    let mut scratch = TimeStretchScratch::default();
    let mut out = vec![0.0; TimeStretch::stretched_len(clip.len(), rate)];
    let bencher = bencher.counter(ItemsCount::new(clip.len()));
    bencher.bench_local(|| stretch.stretch(&clip, rate, &mut scratch, &mut out));
}

#[divan::bench(args = [0.5, 0.9, 1.1])]
fn resample(bencher: Bencher<'_, '_>, ratio: f64) {
    let (resampler, clip) = (SincResampler::new(), clip());
    let mut scratch = SincScratch::default();
    let mut out = vec![0.0; SincResampler::resampled_len(clip.len(), ratio)];
    let bencher = bencher.counter(ItemsCount::new(clip.len()));
    bencher.bench_local(|| resampler.resample(&clip, ratio, &mut scratch, &mut out));
}
