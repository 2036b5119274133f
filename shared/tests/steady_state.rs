//! Signal processing in the steady state: with a scratch that was used before, nothing is allocated.
//!
//! A test program of its own with one test, because its allocator counts for all threads.

#![forbid(unsafe_code)]

use ndarray::Array2;
use shared::dataset::statistics::{CHROMA_STATISTICS, MFCC_STATISTICS};
use shared::dsp::pitch_shift::{PitchShift, PitchShiftScratch};
use shared::dsp::psd::{PSD_BINS, PsdScratch, PsdSpectrogram};
use shared::dsp::track_statistics::{TrackStatistics, TrackStatisticsScratch};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs once to fill the scratch, and then again under the eyes of the allocator.
fn allocates_nothing(what: &str, mut run: impl FnMut()) {
    run();
    let region = Region::new(ALLOCATOR);
    run();
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{what}");
}

#[test]
fn a_used_scratch_suffices() {
    let samples: Vec<f32> = (0..50_001).map(|t| (t as f32 * 0.03).sin()).collect();

    let (psd, mut scratch) = (PsdSpectrogram::new(16_000), PsdScratch::default());
    let mut out = Array2::zeros((PSD_BINS, psd.frames(samples.len())));
    allocates_nothing("psd", || psd.power(&samples, &mut scratch, out.view_mut()));

    let (plan, mut scratch) = (TrackStatistics::new(44_100), TrackStatisticsScratch::default());
    let (mut mfcc, mut chroma) = (vec![0.0; MFCC_STATISTICS], vec![0.0; CHROMA_STATISTICS]);
    allocates_nothing("track statistics", || {
        plan.compute(&samples, &mut scratch, &mut mfcc, &mut chroma);
    });

    let (shifter, mut scratch) = (PitchShift::new(2048, 512), PitchShiftScratch::default());
    let mut out = vec![0.0; samples.len()];
    // The furthest shift up needs the longest filter, the furthest down the longest stretched sound.
    let steps = [7.0, -7.0, 0.3];
    allocates_nothing("pitch shift", || {
        for n_steps in steps {
            shifter.shift(&samples, n_steps, &mut scratch, &mut out);
        }
    });
}
