//! Cuts a waveform of unknown length into clips while it is decoded, and keeps only the samples that later clips need.
//!
//! The clips are those of [`ClipGrid::starts`] for the whole waveform. Each has a margin of a few hops on both sides,
//! so its mel spectrogram equals the one cut from the spectrogram of the whole waveform.

use crate::loader::{ClipGrid, EvalClips};
use shared::dsp::features::FeatureConfig;

/// A clip with its margins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutClip<'a> {
    /// The samples, starting `lead` hops before the clip. They may end before the clip does, at the end of the
    /// waveform.
    pub samples: &'a [i16],
    /// Hops before the clip.
    pub lead: usize,
    /// Where the clip begins in the waveform, in hops.
    pub hop: usize,
}

#[derive(Clone, Debug)]
pub struct ClipCutter {
    grid: ClipGrid,
    features: FeatureConfig,
    /// Hops before and after a clip that the windows of its first and last frames overlap.
    margin: usize,
    /// Samples that were dropped.
    dropped: usize,
    /// Clips that were cut.
    cut: usize,
}

impl ClipCutter {
    /// For spectrograms with these settings.
    pub fn new(grid: ClipGrid, features: &FeatureConfig) -> Self {
        Self {
            grid,
            features: features.clone(),
            margin: (features.n_fft / 2).div_ceil(features.hop_length),
            dropped: 0,
            cut: 0,
        }
    }

    /// Maximum number of pending samples, not counting those that were pushed last. `None` if all samples stay pending,
    /// because an even spread of clips is unknown before the waveform's end.
    pub fn max_pending(&self) -> Option<usize> {
        let ClipGrid { hops, skipped, clips } = self.grid;
        let hops = skipped
            .saturating_mul(2)
            .saturating_add(hops.saturating_mul(2))
            .saturating_add(2 * self.margin)
            .saturating_add(1);
        (clips == EvalClips::All).then(|| hops.saturating_mul(self.features.hop_length))
    }

    pub fn clips(&self) -> usize {
        self.cut
    }

    /// Samples seen so far.
    pub fn seen(&self, pending: &[i16]) -> usize {
        self.dropped + pending.len()
    }

    /// Cuts the clips whose positions no longer depend on the end of the waveform, and drops samples from `pending`
    /// that no later clip needs.
    pub fn cut<E>(
        &mut self,
        pending: &mut Vec<i16>,
        mut take: impl FnMut(CutClip<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let ClipGrid { hops, skipped, clips } = self.grid;
        if clips != EvalClips::All {
            return Ok(());
        }
        loop {
            let available = self.seen(pending) / self.features.hop_length;
            let begin = skipped.saturating_add(self.cut * hops);
            // The skipped end and the margin must have been seen.
            if available < begin.saturating_add(hops).saturating_add(skipped.max(self.margin)) {
                return Ok(());
            }
            take(self.clip(pending, begin))?;
            self.cut += 1;
            // The waveform may end one hop later; then the last clip starts one hop after this one.
            let unneeded = begin.saturating_sub(self.margin) * self.features.hop_length - self.dropped;
            pending.drain(..unneeded);
            self.dropped += unneeded;
        }
    }

    /// Cuts the remaining clips at the end of the waveform. The clip of a waveform shorter than a clip ends early.
    pub fn finish<E>(&mut self, pending: &[i16], mut take: impl FnMut(CutClip<'_>) -> Result<(), E>) -> Result<(), E> {
        let starts = self.grid.starts(self.seen(pending), &self.features);
        for hop in starts.skip(self.cut) {
            take(self.clip(pending, hop))?;
            self.cut += 1;
        }
        Ok(())
    }

    fn clip<'a>(&self, pending: &'a [i16], begin: usize) -> CutClip<'a> {
        let lead = self.margin.min(begin);
        let hop_length = self.features.hop_length;
        let from = (begin - lead) * hop_length - self.dropped;
        let to = (begin + self.grid.hops + self.margin) * hop_length - self.dropped;
        CutClip {
            samples: &pending[from..to.min(pending.len())],
            lead,
            hop: begin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::audio::extract::MelExtractor;
    use std::convert::Infallible;
    use std::num::NonZeroUsize;

    fn features() -> FeatureConfig {
        FeatureConfig {
            n_fft: 64,
            hop_length: 16,
            n_mels: 4,
            ..FeatureConfig::default()
        }
    }

    /// Samples, `lead` and `hop` of the clips of a waveform that arrives in pieces.
    fn cut(waveform: &[i16], pieces: &[usize], grid: ClipGrid) -> Vec<(Vec<i16>, usize, usize)> {
        let mut cutter = ClipCutter::new(grid, &features());
        let (mut pending, mut remaining, mut clips) = (Vec::new(), waveform, Vec::new());
        let mut take = |clip: CutClip<'_>| {
            clips.push((clip.samples.to_vec(), clip.lead, clip.hop));
            Ok::<_, Infallible>(())
        };
        for &piece in pieces.iter().chain([&usize::MAX]) {
            let (piece, left) = remaining.split_at(piece.min(remaining.len()));
            remaining = left;
            pending.extend_from_slice(piece);
            cutter.cut(&mut pending, &mut take).unwrap();
            let longest = cutter.max_pending().unwrap_or(waveform.len());
            assert!(pending.len() <= longest + piece.len());
        }
        cutter.finish(&pending, &mut take).unwrap();
        assert_eq!((cutter.clips(), cutter.seen(&pending)), (clips.len(), waveform.len()));
        clips
    }

    proptest! {
        #[test]
        fn clips_in_pieces_equal_those_of_the_whole_waveform(
            length in 0usize..3000,
            pieces in prop::collection::vec(1usize..400, 0..20),
            hops in 1usize..20,
            skipped in 0usize..12,
            spread in 0usize..6,
        ) {
            let clips = NonZeroUsize::new(spread).map_or(EvalClips::All, EvalClips::Spread);
            let grid = ClipGrid { hops, skipped, clips };
            let waveform: Vec<i16> = (0..length).map(|at| ((at * at) % 20_011) as i16 - 10_000).collect();
            let (features, hop_length) = (features(), 16);
            let mut extractor = MelExtractor::new(&features);
            let whole = extractor.extract(&waveform);
            let whole_frames = features.track_frames(length);
            let clips = cut(&waveform, &pieces, grid);
            let starts: Vec<_> = grid.starts(length, &features).collect();
            prop_assert_eq!(clips.len(), starts.len());
            for ((samples, lead, found), hop) in clips.iter().zip(starts) {
                prop_assert_eq!(*found, hop);
                let clip_samples = &samples[(lead * hop_length).min(samples.len())..];
                let begin = (hop * hop_length).min(length);
                let expected = &waveform[begin..(begin + hops * hop_length).min(length)];
                prop_assert_eq!(&clip_samples[..expected.len()], expected);
                let mel = extractor.extract(samples);
                let columns = features.track_frames(samples.len());
                for band in 0..features.n_mels {
                    // One more than hops: the final frame.
                    let frames = hops + 1;
                    let row = &mel[band * columns + lead..][..frames.min(columns - lead)];
                    let expected = &whole[band * whole_frames + hop..][..frames.min(whole_frames - hop)];
                    prop_assert_eq!(row, expected);
                }
            }
        }
    }
}
