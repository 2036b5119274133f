//! Players of sounds that are part of the page.

use crate::dsp::resample::{SincResampler, SincScratch};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, Render, html};

/// Maximum duration in seconds.
const SECONDS: usize = 10;
/// Maximum sample rate in Hz; higher rates are resampled. Ten seconds are 320 kB, so a page with twenty excerpts is
/// below 9 MB.
const RATE: u32 = 16_000;

/// A player of the middle ten seconds of `samples` at `sample_rate` Hz. `label` is for screen readers.
pub fn excerpt_player(label: &str, samples: &[i16], sample_rate: u32) -> Markup {
    let source = format!("data:audio/wav;base64,{}", STANDARD.encode(wav(samples, sample_rate)));
    html! { audio controls preload="metadata" aria-label=(label) src=(source) {} }
}

/// The player of a page, which has at most one: audio of a MIME type, as part of the page.
pub fn file_player(mime: &str, audio: &[u8]) -> Markup {
    let source = format!("data:{mime};base64,{}", STANDARD.encode(audio));
    html! { audio.player controls preload="metadata" aria-label="the audio" src=(source) {} }
}

/// A text that plays the [`file_player`] of the page from this second.
pub fn seek(seconds: f64, text: impl Render) -> Markup {
    html! { button.seek type="button" data-seconds=(format!("{seconds:.3}")) { (text) } }
}

/// The part of `samples` that is played.
pub fn excerpt(samples: &[i16], sample_rate: u32) -> &[i16] {
    let length = samples.len().min(SECONDS * sample_rate as usize);
    let begin = (samples.len() - length) / 2;
    &samples[begin..begin + length]
}

/// A WAV file, mono, 16 bits, of the middle ten seconds of `samples` at `sample_rate` Hz.
fn wav(samples: &[i16], sample_rate: u32) -> Vec<u8> {
    let excerpt = excerpt(samples, sample_rate);
    if sample_rate <= RATE {
        return file(excerpt, sample_rate);
    }
    let ratio = f64::from(RATE) / f64::from(sample_rate);
    let excerpt: Vec<f32> = excerpt.iter().map(|&sample| f32::from(sample)).collect();
    let mut out = vec![0.0; SincResampler::resampled_len(excerpt.len(), ratio)];
    SincResampler::new().resample(&excerpt, ratio, &mut SincScratch::default(), &mut out);
    let bounded = |sample: f32| sample.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
    file(&out.into_iter().map(bounded).collect::<Vec<_>>(), RATE)
}

/// A RIFF WAVE file with one chunk of PCM.
fn file(samples: &[i16], sample_rate: u32) -> Vec<u8> {
    const CHANNELS: u16 = 1;
    const BITS: u16 = 16;
    let bytes = 2 * samples.len() as u32;
    let mut file = Vec::with_capacity(44 + bytes as usize);
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    // PCM.
    file.extend(1u16.to_le_bytes());
    file.extend(CHANNELS.to_le_bytes());
    file.extend(sample_rate.to_le_bytes());
    file.extend((sample_rate * u32::from(CHANNELS * BITS / 8)).to_le_bytes());
    file.extend((CHANNELS * BITS / 8).to_le_bytes());
    file.extend(BITS.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(file: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(file[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn long_audio_is_cut_to_its_middle_and_resampled() {
        // One second of silence, ten seconds of a 440 Hz tone, one second of silence.
        let tone = |at: i32| (10_000.0 * (f64::from(at) * 440.0 * std::f64::consts::TAU / 44_100.0).sin()) as i16;
        let quiet = vec![0; 44_100];
        let samples = [quiet.clone(), (0..441_000).map(tone).collect(), quiet].concat();
        let wav = wav(&samples, 44_100);
        assert_eq!(
            (&wav[..4], &wav[8..16], &wav[36..40]),
            (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
        );
        assert_eq!((field(&wav, 4) as usize, field(&wav, 24)), (wav.len() - 8, 16_000));
        assert_eq!((field(&wav, 28), field(&wav, 40)), (32_000, 320_000));
        let samples: Vec<i16> = wav[44..]
            .chunks_exact(2)
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect();
        let crossings = samples.windows(2).filter(|two| (two[0] < 0) != (two[1] < 0)).count();
        assert!((8790..=8810).contains(&crossings), "{crossings}");
    }

    #[test]
    fn short_audio_with_a_low_rate_is_unchanged() {
        let wav = wav(&[1, -2, 3], 8000);
        assert_eq!(
            (wav.len(), field(&wav, 24), &wav[44..]),
            (50, 8000, &[1, 0, 254, 255, 3, 0][..])
        );
        assert_eq!(super::wav(&[], 44_100).len(), 44);
    }
}
