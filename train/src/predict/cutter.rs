//! Cuts a waveform of unknown length into frames while it is decoded, and holds no more of it than the next frame needs.
//!
//! The frames are those that [`Framing::frames`] has of the whole waveform. Each comes with a few hops of what lies
//! around it, so that its mel spectrogram is the same that would be cut out of the whole one's.

use crate::loader::Framing;
use shared::features::FeatureConfig;

/// A frame and what lies around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutFrame<'a> {
    /// The samples, from `lead` hops before the frame on; the frame's own may end early, where the waveform does.
    pub samples: &'a [i16],
    /// Hops before the frame.
    pub lead: usize,
}

/// Cuts one waveform.
#[derive(Clone, Debug)]
pub struct FrameCutter {
    framing: Framing,
    hop_length: usize,
    /// Hops around a frame that its first and last windows reach into.
    around: usize,
    /// Samples that were dropped already.
    dropped: usize,
    /// Frames that were cut.
    cut: usize,
}

impl FrameCutter {
    /// For spectrograms with these settings.
    pub fn new(framing: Framing, features: &FeatureConfig) -> Self {
        Self {
            framing,
            hop_length: features.hop_length,
            around: (features.n_fft / 2).div_ceil(features.hop_length),
            dropped: 0,
            cut: 0,
        }
    }

    /// Samples that wait at most, besides those that were pushed last.
    pub fn longest_wait(&self) -> usize {
        let Framing { hops, skipped } = self.framing;
        skipped
            .saturating_mul(2)
            .saturating_add(hops)
            .saturating_add(2 * self.around)
            .saturating_add(1)
            .saturating_mul(self.hop_length)
    }

    /// Frames that were cut so far.
    pub fn frames(&self) -> usize {
        self.cut
    }

    /// Samples that were seen, given those that wait.
    pub fn seen(&self, waiting: &[i16]) -> usize {
        self.dropped + waiting.len()
    }

    /// Cuts the frames that are certain, and drops from the beginning of `waiting` what no later frame needs.
    pub fn cut<E>(
        &mut self,
        waiting: &mut Vec<i16>,
        mut take: impl FnMut(CutFrame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Framing { hops, skipped } = self.framing;
        loop {
            let available = self.seen(waiting) / self.hop_length;
            let begin = skipped.saturating_add(self.cut * hops);
            // The end that is skipped must have been seen, and what the last windows reach into.
            if available < begin.saturating_add(hops).saturating_add(skipped.max(self.around)) {
                return Ok(());
            }
            take(self.frame(waiting, begin))?;
            self.cut += 1;
            let needless = (begin + hops).saturating_sub(self.around) * self.hop_length;
            let needless = (needless - self.dropped).min(waiting.len());
            waiting.drain(..needless);
            self.dropped += needless;
        }
    }

    /// Cuts the rest, at the end of the waveform. One that is shorter than a frame has one from its middle, whose end is
    /// missing.
    pub fn finish<E>(&mut self, waiting: &[i16], mut take: impl FnMut(CutFrame<'_>) -> Result<(), E>) -> Result<(), E> {
        let Framing { hops, skipped } = self.framing;
        let available = self.seen(waiting) / self.hop_length;
        let count = available.saturating_sub(skipped.saturating_mul(2)) / hops;
        if count == 0 {
            take(self.frame(waiting, available.saturating_sub(hops) / 2))?;
            self.cut = 1;
        }
        while self.cut < count {
            take(self.frame(waiting, skipped + self.cut * hops))?;
            self.cut += 1;
        }
        Ok(())
    }

    fn frame<'a>(&self, waiting: &'a [i16], begin: usize) -> CutFrame<'a> {
        let lead = self.around.min(begin);
        let from = (begin - lead) * self.hop_length - self.dropped;
        let to = (begin + self.framing.hops + self.around) * self.hop_length - self.dropped;
        CutFrame {
            samples: &waiting[from..to.min(waiting.len())],
            lead,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::audio::extract::MelExtractor;
    use std::convert::Infallible;

    fn features() -> FeatureConfig {
        FeatureConfig {
            n_fft: 64,
            hop_length: 16,
            n_mels: 4,
            ..FeatureConfig::default()
        }
    }

    /// The frames of a waveform that comes in pieces: their samples, and how many hops come before them.
    fn cut(waveform: &[i16], pieces: &[usize], framing: Framing) -> Vec<(Vec<i16>, usize)> {
        let mut cutter = FrameCutter::new(framing, &features());
        let (mut waiting, mut rest, mut frames) = (Vec::new(), waveform, Vec::new());
        let mut take = |frame: CutFrame<'_>| {
            frames.push((frame.samples.to_vec(), frame.lead));
            Ok::<_, Infallible>(())
        };
        for &piece in pieces.iter().chain([&usize::MAX]) {
            let (piece, left) = rest.split_at(piece.min(rest.len()));
            rest = left;
            waiting.extend_from_slice(piece);
            cutter.cut(&mut waiting, &mut take).unwrap();
            assert!(waiting.len() <= cutter.longest_wait() + piece.len());
        }
        cutter.finish(&waiting, &mut take).unwrap();
        assert_eq!((cutter.frames(), cutter.seen(&waiting)), (frames.len(), waveform.len()));
        frames
    }

    proptest! {
        #[test]
        fn frames_and_their_mel_spectrograms_are_those_of_the_whole_waveform(
            length in 0usize..3000,
            pieces in prop::collection::vec(1usize..400, 0..20),
            hops in 1usize..20,
            skipped in 0usize..12,
        ) {
            let framing = Framing { hops, skipped };
            let waveform: Vec<i16> = (0..length).map(|at| ((at * at) % 20_011) as i16 - 10_000).collect();
            let (features, hop_length) = (features(), 16);
            let mut extractor = MelExtractor::new(&features);
            let whole = extractor.extract(&waveform);
            let whole_frames = features.track_frames(length);
            let frames = cut(&waveform, &pieces, framing);
            let expected: Vec<_> = framing.frames(length, &features).collect();
            prop_assert_eq!(frames.len(), expected.len());
            for ((samples, lead), frame) in frames.iter().zip(expected) {
                let own = &samples[(lead * hop_length).min(samples.len())..];
                let begin = (frame.hop * hop_length).min(length);
                let of_whole = &waveform[begin..(begin + hops * hop_length).min(length)];
                prop_assert_eq!(&own[..of_whole.len()], of_whole);
                let mel = extractor.extract(samples);
                let columns = features.track_frames(samples.len());
                for band in 0..features.n_mels {
                    let row = &mel[band * columns + lead..][..hops.min(columns - lead)];
                    let of_whole = &whole[band * whole_frames + frame.hop..][..hops.min(whole_frames - frame.hop)];
                    prop_assert_eq!(row, of_whole);
                }
            }
        }
    }
}
