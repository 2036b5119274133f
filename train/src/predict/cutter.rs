//! Cuts a waveform of unknown length into clips while it is decoded, and keeps no more of it than the next clips need.
//!
//! The clips are those of [`ClipGrid::places`] for the whole waveform. Each comes with a few hops of what is around it, so
//! that its mel spectrogram is the same that would be cut out of the whole one's.

use crate::loader::{ClipGrid, EvalClips};
use shared::dsp::features::FeatureConfig;

/// A clip and what is around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutClip<'a> {
    /// The samples, from `lead` hops before the clip on; the clip's own may end early, where the waveform does.
    pub samples: &'a [i16],
    /// Hops before the clip.
    pub lead: usize,
}

#[derive(Clone, Debug)]
pub struct ClipCutter {
    grid: ClipGrid,
    features: FeatureConfig,
    /// Hops around a clip that its first and last windows reach into.
    around: usize,
    /// Samples that were dropped already.
    dropped: usize,
    cut: usize,
}

impl ClipCutter {
    /// For spectrograms with these settings.
    pub fn new(grid: ClipGrid, features: &FeatureConfig) -> Self {
        Self {
            grid,
            features: features.clone(),
            around: (features.n_fft / 2).div_ceil(features.hop_length),
            dropped: 0,
            cut: 0,
        }
    }

    /// Samples that wait at most, besides those that were pushed last; `None` where all do, because the middle of a
    /// waveform is not known before its end.
    pub fn longest_wait(&self) -> Option<usize> {
        let ClipGrid { hops, skipped, clips } = self.grid;
        let hops = skipped
            .saturating_mul(2)
            .saturating_add(hops.saturating_mul(2))
            .saturating_add(2 * self.around)
            .saturating_add(1);
        (clips == EvalClips::All).then(|| hops.saturating_mul(self.features.hop_length))
    }

    /// Clips that were cut so far.
    pub fn clips(&self) -> usize {
        self.cut
    }

    /// Samples that were seen, given those that wait.
    pub fn seen(&self, waiting: &[i16]) -> usize {
        self.dropped + waiting.len()
    }

    /// Cuts the clips that are certain, and drops from the beginning of `waiting` what no later clip needs.
    pub fn cut<E>(
        &mut self,
        waiting: &mut Vec<i16>,
        mut take: impl FnMut(CutClip<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let ClipGrid { hops, skipped, clips } = self.grid;
        if clips == EvalClips::Middle {
            return Ok(());
        }
        loop {
            let available = self.seen(waiting) / self.features.hop_length;
            let begin = skipped.saturating_add(self.cut * hops);
            // The end that is skipped must have been seen, and what the last windows reach into.
            if available < begin.saturating_add(hops).saturating_add(skipped.max(self.around)) {
                return Ok(());
            }
            take(self.clip(waiting, begin))?;
            self.cut += 1;
            // The waveform may end a hop later, and the last clip begin a hop behind this one.
            let needless = begin.saturating_sub(self.around) * self.features.hop_length - self.dropped;
            waiting.drain(..needless);
            self.dropped += needless;
        }
    }

    /// Cuts the rest, at the end of the waveform. That of one which is shorter than a clip ends early.
    pub fn finish<E>(&mut self, waiting: &[i16], mut take: impl FnMut(CutClip<'_>) -> Result<(), E>) -> Result<(), E> {
        let places = self.grid.places(self.seen(waiting), &self.features);
        for place in places.skip(self.cut) {
            take(self.clip(waiting, place.hop))?;
            self.cut += 1;
        }
        Ok(())
    }

    fn clip<'a>(&self, waiting: &'a [i16], begin: usize) -> CutClip<'a> {
        let lead = self.around.min(begin);
        let hop_length = self.features.hop_length;
        let from = (begin - lead) * hop_length - self.dropped;
        let to = (begin + self.grid.hops + self.around) * hop_length - self.dropped;
        CutClip {
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

    /// The clips of a waveform that comes in pieces: their samples, and how many hops come before them.
    fn cut(waveform: &[i16], pieces: &[usize], grid: ClipGrid) -> Vec<(Vec<i16>, usize)> {
        let mut cutter = ClipCutter::new(grid, &features());
        let (mut waiting, mut rest, mut clips) = (Vec::new(), waveform, Vec::new());
        let mut take = |clip: CutClip<'_>| {
            clips.push((clip.samples.to_vec(), clip.lead));
            Ok::<_, Infallible>(())
        };
        for &piece in pieces.iter().chain([&usize::MAX]) {
            let (piece, left) = rest.split_at(piece.min(rest.len()));
            rest = left;
            waiting.extend_from_slice(piece);
            cutter.cut(&mut waiting, &mut take).unwrap();
            let longest = cutter.longest_wait().unwrap_or(waveform.len());
            assert!(waiting.len() <= longest + piece.len());
        }
        cutter.finish(&waiting, &mut take).unwrap();
        assert_eq!((cutter.clips(), cutter.seen(&waiting)), (clips.len(), waveform.len()));
        clips
    }

    proptest! {
        #[test]
        fn clips_and_their_mel_spectrograms_are_those_of_the_whole_waveform(
            length in 0usize..3000,
            pieces in prop::collection::vec(1usize..400, 0..20),
            hops in 1usize..20,
            skipped in 0usize..12,
            middle: bool,
        ) {
            let clips = if middle { EvalClips::Middle } else { EvalClips::All };
            let grid = ClipGrid { hops, skipped, clips };
            let waveform: Vec<i16> = (0..length).map(|at| ((at * at) % 20_011) as i16 - 10_000).collect();
            let (features, hop_length) = (features(), 16);
            let mut extractor = MelExtractor::new(&features);
            let whole = extractor.extract(&waveform);
            let whole_frames = features.track_frames(length);
            let clips = cut(&waveform, &pieces, grid);
            let expected: Vec<_> = grid.places(length, &features).collect();
            prop_assert_eq!(clips.len(), expected.len());
            for ((samples, lead), place) in clips.iter().zip(expected) {
                let own = &samples[(lead * hop_length).min(samples.len())..];
                let begin = (place.hop * hop_length).min(length);
                let of_whole = &waveform[begin..(begin + hops * hop_length).min(length)];
                prop_assert_eq!(&own[..of_whole.len()], of_whole);
                let mel = extractor.extract(samples);
                let columns = features.track_frames(samples.len());
                for band in 0..features.n_mels {
                    let row = &mel[band * columns + lead..][..hops.min(columns - lead)];
                    let of_whole = &whole[band * whole_frames + place.hop..][..hops.min(whole_frames - place.hop)];
                    prop_assert_eq!(row, of_whole);
                }
            }
        }
    }
}
