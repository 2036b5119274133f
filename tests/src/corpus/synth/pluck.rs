//! Plucked strings (Karplus and Strong, 1983; tuning and pick position after Jaffe and Smith, 1983).

use super::filter::OnePole;
use rand::{Rng, RngExt};

/// How a string sounds.
#[derive(Clone, Copy, Debug)]
pub struct PluckedString {
    /// Where it is plucked, as a share of its length: small is nasal, one half is round.
    pub pick: f32,
    /// Cutoff in Hz of the pluck's noise: nail or flesh.
    pub brightness: f32,
    /// Seconds until the fundamental has fallen by 60 dB.
    pub ring: f32,
}

impl PluckedString {
    /// `seconds` of one note.
    pub fn voice(&self, frequency: f32, seconds: f32, rate: f32, rng: &mut impl Rng) -> Vec<f32> {
        let period = rate / frequency;
        // The averaging filter delays by half a sample, the tuning all-pass by the rest.
        let length = (period - 0.5).floor().max(2.0);
        let fraction = (period - 0.5 - length).clamp(0.05, 1.0);
        let tuning = (1.0 - fraction) / (1.0 + fraction);
        let length = length as usize;
        let loss = 10f32.powf(-3.0 / (frequency * self.ring));

        let mut nail = OnePole::new(rate, self.brightness);
        let noise: Vec<f32> = (0..length).map(|_| nail.run(rng.random_range(-1.0..1.0))).collect();
        let notch = ((self.pick * length as f32) as usize).clamp(1, length - 1);
        let mut line: Vec<f32> = (0..length)
            .map(|index| noise[index] - noise[(index + length - notch) % length])
            .collect();
        // Low-passed noise is quiet: bring every pluck to the same strength.
        let power = line.iter().map(|sample| sample * sample).sum::<f32>() / length as f32;
        let strength = 0.35 / power.sqrt().max(1e-6);
        line.iter_mut().for_each(|sample| *sample *= strength);

        let (mut place, mut last, mut all_pass_in, mut all_pass_out) = (0, 0.0, 0.0, 0.0);
        let mut voice: Vec<f32> = (0..(seconds * rate) as usize)
            .map(|_| {
                let out = line[place];
                let averaged = loss * 0.5 * (out + last);
                last = out;
                all_pass_out = tuning * (averaged - all_pass_out) + all_pass_in;
                all_pass_in = averaged;
                line[place] = all_pass_out;
                place = (place + 1) % length;
                out
            })
            .collect();
        // A finger, not a click, ends it.
        let fade = voice.len().min((0.02 * rate) as usize);
        let end = voice.len();
        for (index, sample) in voice[end - fade..].iter_mut().enumerate() {
            *sample *= 1.0 - index as f32 / fade as f32;
        }
        voice
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn the_string_is_in_tune_and_dies_away() {
        let string = PluckedString {
            pick: 0.3,
            brightness: 3000.0,
            ring: 2.0,
        };
        let (rate, frequency) = (44_100.0, 196.0);
        let voice = string.voice(frequency, 2.0, rate, &mut Pcg64Mcg::new(7));
        // After many periods the wave must repeat at the wanted period and not half a sample beside it.
        let at = |lag: f32, begin: usize| -> f64 {
            (begin..begin + 8000)
                .map(|index| {
                    let place = index as f32 + lag;
                    let (whole, part) = (place as usize, place.fract());
                    let shifted = voice[whole] * (1.0 - part) + voice[whole + 1] * part;
                    f64::from(voice[index] * shifted)
                })
                .sum()
        };
        let period = 20.0 * rate / frequency;
        for cents in [-15.0f32, 15.0] {
            assert!(
                at(period, 10_000) > at(period * (cents / 1200.0).exp2(), 10_000),
                "{cents}"
            );
        }
        let energy = |range: std::ops::Range<usize>| voice[range].iter().map(|sample| sample * sample).sum::<f32>();
        assert!(energy(60_000..70_000) < 0.1 * energy(0..10_000));
    }
}
