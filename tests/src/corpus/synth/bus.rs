//! The stereo mix: mono voices enter at a time, a gain and a place between the ears.

use std::f32::consts::FRAC_PI_4;

/// Stereo audio of a fixed length.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    /// Frames per second.
    pub rate: f32,
    /// The left channel.
    pub left: Vec<f32>,
    /// The right channel, as long as the left.
    pub right: Vec<f32>,
}

impl Bus {
    /// `seconds` of silence.
    pub fn silent(rate: f32, seconds: f32) -> Self {
        let frames = (seconds * rate).ceil() as usize;
        Self {
            rate,
            left: vec![0.0; frames],
            right: vec![0.0; frames],
        }
    }

    /// As long as `self`, and silent.
    pub fn sibling(&self) -> Self {
        Self {
            rate: self.rate,
            left: vec![0.0; self.left.len()],
            right: vec![0.0; self.right.len()],
        }
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f32 {
        self.left.len() as f32 / self.rate
    }

    /// Mixes `voice` in from `at` seconds on, panned at constant power: -1 is left, 1 is right. What lies before the
    /// beginning or past the end is not heard.
    pub fn add(&mut self, at: f32, voice: &[f32], gain: f32, pan: f32) {
        let begin = (at * self.rate).round() as i64;
        let skipped = usize::try_from(-begin).unwrap_or(0).min(voice.len());
        let begin = usize::try_from(begin).unwrap_or(0).min(self.left.len());
        let angle = (pan.clamp(-1.0, 1.0) + 1.0) * FRAC_PI_4;
        let (right_gain, left_gain) = (gain * angle.sin(), gain * angle.cos());
        let voice = &voice[skipped..];
        for (out, sample) in self.left[begin..].iter_mut().zip(voice) {
            *out += left_gain * sample;
        }
        for (out, sample) in self.right[begin..].iter_mut().zip(voice) {
            *out += right_gain * sample;
        }
    }

    /// Mixes another bus in, from the beginning.
    pub fn mix(&mut self, other: &Self, gain: f32) {
        for (out, sample) in self.left.iter_mut().zip(&other.left) {
            *out += gain * sample;
        }
        for (out, sample) in self.right.iter_mut().zip(&other.right) {
            *out += gain * sample;
        }
    }

    /// Both channels, for what treats them alike.
    pub fn channels_mut(&mut self) -> [&mut Vec<f32>; 2] {
        [&mut self.left, &mut self.right]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_are_panned_and_cut_at_both_ends() {
        let mut bus = Bus::silent(10.0, 1.0);
        bus.add(-0.1, &[9.0, 1.0, 1.0], 1.0, -1.0);
        bus.add(0.9, &[2.0, 9.0], 1.0, 1.0);
        bus.add(5.0, &[9.0], 1.0, 0.0);
        assert_eq!(bus.left[..3], [1.0, 1.0, 0.0]);
        assert!((bus.right[9] - 2.0).abs() < 1e-6 && bus.right[..9].iter().all(|sample| sample.abs() < 1e-6));
        assert!(bus.left.iter().chain(&bus.right).all(|sample| sample.abs() < 9.0));
    }
}
