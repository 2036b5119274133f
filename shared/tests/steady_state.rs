//! Checks that signal processing allocates no memory if its scratch space was used before.
//!
//! This is a separate test binary with a single test, because the counting allocator counts for all threads.

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

/// Runs once to fill the scratch space, and asserts that a second run does not allocate.
fn assert_no_allocation(what: &str, mut run: impl FnMut()) {
    run();
    let region = Region::new(ALLOCATOR);
    run();
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{what}");
}

#[test]
fn reused_scratch_allocates_nothing() {
    let samples: Vec<f32> = (0..50_001).map(|t| (t as f32 * 0.03).sin()).collect();

    let (psd, mut scratch) = (PsdSpectrogram::new(16_000), PsdScratch::default());
    let mut out = Array2::zeros((PSD_BINS, psd.frames(samples.len())));
    assert_no_allocation("psd", || psd.power(&samples, &mut scratch, out.view_mut()));

    let (plan, mut scratch) = (TrackStatistics::new(44_100), TrackStatisticsScratch::default());
    let (mut mfcc, mut chroma) = (vec![0.0; MFCC_STATISTICS], vec![0.0; CHROMA_STATISTICS]);
    assert_no_allocation("track statistics", || {
        plan.compute(&samples, &mut scratch, &mut mfcc, &mut chroma);
    });

    let (shifter, mut scratch) = (PitchShift::new(2048, 512), PitchShiftScratch::default());
    let mut out = vec![0.0; samples.len()];
    // The largest shift up needs the longest filter, the largest shift down the longest stretched signal.
    let steps = [7.0, -7.0, 0.3];
    assert_no_allocation("pitch shift", || {
        for n_steps in steps {
            shifter.shift(&samples, n_steps, &mut scratch, &mut out);
        }
    });
}
