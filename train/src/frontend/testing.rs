//! Test helper: a clip from the host's front end.

use super::{ClipOutput, HostScratch};
use crate::augment::ClipPlan;
use crate::data::run_data::RunData;

/// A clip's waveform and mel spectrogram.
pub fn clip(data: &RunData, position: usize, plan: &ClipPlan) -> (Vec<f32>, Vec<f32>) {
    let (mut waveform, mut mel) = (vec![0.0; 1 << 19], vec![0.0; 128 * 512]);
    let out = ClipOutput {
        waveform: Some(&mut waveform),
        spectrogram: Some(&mut mel),
        statistics: None,
    };
    data.front_end
        .run(&data.dataset, position, plan, &mut HostScratch::default(), out);
    (waveform, mel)
}
