//! Reads an audio file as a 16-bit mono waveform at the data set's sample rate.
//!
//! Only this code handles untrusted file contents, so it runs under [`crate::runtime::guard`] and
//! [`crate::audio::watchdog`]. [`crate::audio::validate`] decides whether a waveform is good enough.

use crate::audio::decode::{self, AudioStream, Bytes, DecodeReport, Meter};
use crate::audio::quantize::quantize;
use crate::audio::resample::Resampler;
use crate::audio::validate::Rejection;
use crate::runtime::guard;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Resamplers that a reader keeps, one per sample rate.
const MAX_RESAMPLERS: usize = 12;

/// Longest block of a resampler that is kept, in input samples. Usual sample rates need shorter blocks. An unusual rate
/// needs a block as long as the rate, which takes tens of MB, so only one of these is held at a time.
const LONGEST_KEPT: usize = 1 << 14;

/// A decoded file.
#[derive(Clone, Debug)]
pub struct Waveform {
    /// Mono PCM at the data set's rate.
    pub samples: Vec<i16>,
    /// A short name of the codec.
    pub codec: &'static str,
    /// Sample rate of the file, in Hz.
    pub source_rate: u32,
    /// Channels of the file.
    pub source_channels: u32,
    /// Samples that did not fit 16 bits.
    pub clipped_samples: u64,
    /// Statistics of the decoder.
    pub report: DecodeReport,
}

/// Reads one file after another and reuses its resamplers.
pub struct WaveformReader {
    rate: u32,
    max_samples: u64,
    resamplers: HashMap<u32, Resampler>,
}

impl WaveformReader {
    /// Reads waveforms at `rate` Hz. Longer ones than `max_samples` are rejected.
    pub fn new(rate: u32, max_samples: u64) -> Self {
        Self {
            rate,
            max_samples,
            resamplers: HashMap::new(),
        }
    }

    /// Decodes a whole file. A panic of the decoder is a rejection. `meter` must be new.
    pub fn read(&mut self, path: &Path, meter: &Arc<Meter>) -> Result<Waveform, Rejection> {
        self.read_stream(|| decode::open(path, meter), meter, |_| Ok(()))
    }

    /// Like [`Self::read`], from `length` bytes.
    pub fn read_bytes(
        &mut self,
        bytes: impl Bytes + 'static,
        length: u64,
        meter: &Arc<Meter>,
    ) -> Result<Waveform, Rejection> {
        self.read_stream(|| decode::open_bytes(Box::new(bytes), length, meter), meter, |_| Ok(()))
    }

    /// Decodes a file of any length in pieces. After each block, new samples are appended to a buffer and `consume` is
    /// called with it; `consume` may remove samples from the front. `max_samples` limits the samples that remain in the
    /// buffer. The returned waveform has those that remain at the end. An error of `consume` ends the decoding. If
    /// `consume` waits for anything, it must wait inside [`Meter::wait`].
    pub fn read_in_pieces(
        &mut self,
        path: &Path,
        meter: &Arc<Meter>,
        consume: impl FnMut(&mut Vec<i16>) -> Result<(), Rejection>,
    ) -> Result<Waveform, Rejection> {
        self.read_stream(|| decode::open(path, meter), meter, consume)
    }

    fn read_stream(
        &mut self,
        open: impl FnOnce() -> Result<Box<dyn AudioStream>, Rejection>,
        meter: &Meter,
        mut consume: impl FnMut(&mut Vec<i16>) -> Result<(), Rejection>,
    ) -> Result<Waveform, Rejection> {
        // A panic in `consume` is a bug of the caller, not a rejection of the file.
        let mut consume = |samples: &mut Vec<i16>| guard::unguarded(|| consume(samples));
        guard::catch(|| {
            let waveform = open().and_then(|mut stream| self.decode(stream.as_mut(), meter, &mut consume));
            // A decoder may take the error of an exceeded limit for the end of the file.
            meter.exceeded().map_or(waveform, Err)
        })
        .unwrap_or_else(|message| {
            // The panic may have left a resampler in an invalid state.
            self.resamplers.clear();
            Err(Rejection::DecoderPanic { message })
        })
    }

    fn decode(
        &mut self,
        stream: &mut dyn AudioStream,
        meter: &Meter,
        consume: &mut dyn FnMut(&mut Vec<i16>) -> Result<(), Rejection>,
    ) -> Result<Waveform, Rejection> {
        let (source_rate, to) = (stream.rate(), self.rate);
        // Bounds the memory for a collection with many unusual rates.
        if self.resamplers.len() >= MAX_RESAMPLERS && !self.resamplers.contains_key(&source_rate) {
            self.resamplers.clear();
        }
        self.resamplers
            .retain(|&rate, resampler| rate == source_rate || resampler.block() <= LONGEST_KEPT);
        let resampler = self
            .resamplers
            .entry(source_rate)
            .or_insert_with(|| Resampler::new(source_rate, to));
        // The previous track may have been given up in the middle.
        resampler.reset();
        let maximum = self.max_samples;
        let promised = stream.promised_samples().unwrap_or(0).saturating_mul(u64::from(to)) / u64::from(source_rate);
        let mut samples = Vec::with_capacity(usize::try_from(promised.min(maximum)).map_or(0, |count| count + 1));
        let mut clipped_samples = 0;
        while let Some(block) = stream.next_block()? {
            meter.decoded(block.len());
            resampler.push(block, &mut |ready| clipped_samples += quantize(ready, &mut samples));
            consume(&mut samples)?;
            if samples.len() as u64 > maximum {
                return Err(Rejection::TooLong { maximum });
            }
        }
        resampler.finish(&mut |ready| clipped_samples += quantize(ready, &mut samples));
        consume(&mut samples)?;
        Ok(Waveform {
            samples,
            codec: stream.codec(),
            source_rate,
            source_channels: stream.channels(),
            clipped_samples,
            report: stream.report()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::watchdog::{Patience, Stalls, Supervised};
    use std::thread;
    use std::time::Duration;

    /// A decoder with scripted answers.
    struct Scripted<F> {
        next: F,
        block: Vec<f32>,
    }

    enum Answer {
        Samples(usize),
        End,
    }

    impl<F: FnMut() -> Answer> AudioStream for Scripted<F> {
        fn codec(&self) -> &'static str {
            "scripted"
        }

        fn rate(&self) -> u32 {
            44_100
        }

        fn channels(&self) -> u32 {
            1
        }

        fn promised_samples(&self) -> Option<u64> {
            None
        }

        fn next_block(&mut self) -> Result<Option<&[f32]>, Rejection> {
            match (self.next)() {
                Answer::Samples(count) => {
                    self.block.resize(count, 0.1);
                    Ok(Some(&self.block))
                }
                Answer::End => Ok(None),
            }
        }

        fn report(&self) -> Result<DecodeReport, Rejection> {
            Ok(DecodeReport {
                decoding: crate::audio::validate::Decoding {
                    decoded_frames: 1,
                    expected_frames: 1,
                    decoded_share: 1.0,
                    non_finite_samples: 0,
                    channels_cancel: false,
                },
                bad_frames: 0,
            })
        }
    }

    /// Reads from a scripted decoder that may stall for 400 ms. Returns `None` if it stalled.
    fn watch<F: FnMut() -> Answer + 'static>(
        next: impl FnOnce(Arc<Meter>) -> F + Send + 'static,
    ) -> Option<Result<usize, Rejection>> {
        let patience = Patience {
            tick: Duration::from_millis(20),
            ticks: 20,
        };
        let mut supervised = Supervised::new(Stalls::new(1, patience), || WaveformReader::new(44_100, 1_000_000));
        let read = move |reader: &mut WaveformReader, meter: &Arc<Meter>| {
            let next = next(Arc::clone(meter));
            let open = || -> Result<Box<dyn AudioStream>, _> {
                Ok(Box::new(Scripted {
                    next,
                    block: Vec::new(),
                }))
            };
            reader.read_stream(open, meter, |_| Ok(()))
        };
        let outcome = supervised.run("a.mp3", read).ok()?;
        Some(outcome.map(|waveform| waveform.samples.len()))
    }

    #[test]
    fn decoder_that_hangs_or_gives_empty_blocks_stalls() {
        // The abandoned loops end after a while, or they would slow down the other tests.
        let naps = |nap: u64| {
            move |_: Arc<Meter>| {
                let mut left = 10_000 / nap;
                move || {
                    thread::sleep(Duration::from_millis(nap));
                    left -= 1;
                    if left == 0 { Answer::End } else { Answer::Samples(0) }
                }
            }
        };
        assert_eq!(watch(naps(5000)), None);
        assert_eq!(watch(naps(1)), None);
    }

    #[test]
    fn slow_decoder_and_slow_file_do_not_stall() {
        let slow = |_| {
            let mut left = 40;
            move || {
                thread::sleep(Duration::from_millis(20));
                left -= 1;
                if left == 0 { Answer::End } else { Answer::Samples(3) }
            }
        };
        assert_eq!(watch(slow), Some(Ok(39 * 3)));
        let waits = |meter: Arc<Meter>| {
            let mut left = 2;
            move || {
                meter.wait(|| thread::sleep(Duration::from_millis(900)));
                left -= 1;
                if left == 0 { Answer::End } else { Answer::Samples(3) }
            }
        };
        assert_eq!(watch(waits), Some(Ok(3)));
    }

    #[test]
    fn endless_stream_is_too_long() {
        let endless = |_| || Answer::Samples(1000);
        assert_eq!(watch(endless), Some(Err(Rejection::TooLong { maximum: 1_000_000 })));
    }

    #[test]
    fn non_finite_samples_are_counted_and_do_not_break_resampling() {
        // A WAV file of 32-bit floats at 22,050 Hz.
        for (hostile, count) in [(f32::NAN, 1), (f32::NEG_INFINITY, 1), (f32::MAX, 1), (1e9, 0)] {
            let mut file = b"RIFF\x24\x40\x00\x00WAVEfmt \x10\x00\x00\x00\x03\x00\x01\x00".to_vec();
            file.extend([22_050u32, 4 * 22_050].iter().flat_map(|word| word.to_le_bytes()));
            file.extend(b"\x04\x00\x20\x00data\x00\x40\x00\x00");
            let sample = |at: usize| if at == 2000 { hostile } else { 0.25 };
            file.extend((0..4096).flat_map(|at| sample(at).to_le_bytes()));
            let (length, meter) = (file.len() as u64, Arc::default());
            let mut reader = WaveformReader::new(44_100, 1_000_000);
            let waveform = reader.read_bytes(std::io::Cursor::new(file), length, &meter).unwrap();
            assert_eq!(waveform.report.decoding.non_finite_samples, count, "{hostile}");
            assert_eq!(waveform.samples.len(), 2 * 4096);
        }
    }

    #[test]
    fn resamplers_of_unusual_rates_are_not_kept() {
        let mut reader = WaveformReader::new(44_100, 1000);
        let rates = [8000, 11_025, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000];
        for rate in rates.into_iter().chain([44_099, 47_981, 48_000]) {
            let file = sun_audio(rate);
            let length = file.len() as u64;
            let outcome = reader.read_bytes(std::io::Cursor::new(file), length, &Arc::default());
            assert_eq!(outcome.map(|waveform| waveform.source_rate), Ok(rate));
        }
        let mut kept: Vec<u32> = reader.resamplers.keys().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, rates);
    }

    /// An `.au` file with one sample.
    fn sun_audio(rate: u32) -> Vec<u8> {
        let words = [24, 2, 3, rate, 1];
        let header = words.iter().flat_map(|word: &u32| word.to_be_bytes());
        b".snd".iter().copied().chain(header).chain([0, 9]).collect()
    }

    #[test]
    fn panic_of_the_decoder_is_a_rejection() {
        let broken = |_| || panic!("broken");
        let rejection = watch(broken).unwrap().unwrap_err();
        assert_eq!(rejection.code(), "decoder_panic");
    }
}
