//! The last step before the encoder: a tilt of the spectrum, tape hiss and a level, all drawn anew for each track, so that
//! none of them tells genres apart.

use super::synth::bus::Bus;
use super::synth::filter::OnePole;
use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use std::ops::Range;

/// Root-mean-square level, in dB below full scale.
const LEVEL: Range<f32> = -25.0..-14.0;
/// How much stronger highs than lows become, in dB.
const TILT: Range<f32> = -5.0..5.0;
/// Where highs begin, in Hz.
const TILT_CENTRE: f32 = 900.0;
/// Level of the hiss, in dB below the music.
const HISS: Range<f32> = -75.0..-50.0;
/// Where the limiter begins to bend; full scale is 1.
const KNEE: f32 = 0.7;

pub(super) fn master(bus: &mut Bus, rng: &mut Pcg64Mcg) {
    let (level, tilt, hiss) = (
        gain(rng.random_range(LEVEL)),
        gain(0.5 * rng.random_range(TILT)),
        gain(rng.random_range(HISS)),
    );
    let rate = bus.rate;
    for channel in bus.channels_mut() {
        let mut lows = OnePole::new(rate, TILT_CENTRE);
        for sample in channel.iter_mut() {
            let low = lows.run(*sample);
            *sample = low / tilt + (*sample - low) * tilt;
        }
    }
    let power: f32 = bus.left.iter().chain(&bus.right).map(|sample| sample * sample).sum();
    let rms = (power / (bus.left.len() + bus.right.len()) as f32).sqrt().max(1e-9);
    for channel in bus.channels_mut() {
        for sample in channel.iter_mut() {
            // A uniform draw from -1 to 1 has a power of a third.
            let noise = hiss * 3f32.sqrt() * rng.random_range(-1.0..1.0);
            *sample = limited(level * (*sample / rms + noise));
        }
    }
}

fn gain(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// Straight up to the knee, then bending towards full scale without reaching it.
fn limited(sample: f32) -> f32 {
    let over = (sample.abs() - KNEE).max(0.0) / (1.0 - KNEE);
    sample.clamp(-KNEE, KNEE) + sample.signum() * (1.0 - KNEE) * over.tanh() * 0.999
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_in_range_and_nothing_clips() {
        for seed in 0..10 {
            let mut bus = Bus::silent(22_050.0, 1.0);
            let click: Vec<f32> = (0..22_050)
                .map(|index| if index % 500 == 0 { 50.0 } else { 0.1 })
                .collect();
            bus.add(0.0, &click, 1.0, 0.0);
            master(&mut bus, &mut Pcg64Mcg::new(seed));
            assert!(bus.left.iter().all(|sample| sample.abs() < 1.0));
            let mut noise = Bus::silent(22_050.0, 1.0);
            let rng = &mut Pcg64Mcg::new(seed);
            let hum: Vec<f32> = (0..22_050).map(|_| rng.random_range(-1.0..1.0)).collect();
            noise.add(0.0, &hum, 1.0, 0.0);
            master(&mut noise, &mut Pcg64Mcg::new(seed));
            let rms = (noise.left.iter().map(|sample| sample * sample).sum::<f32>() / 22_050.0).sqrt();
            let level = 20.0 * rms.log10();
            assert!((LEVEL.start - 0.5..LEVEL.end + 0.5).contains(&level), "{level}");
        }
    }
}
