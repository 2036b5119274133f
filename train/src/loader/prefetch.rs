//! Loader threads that fill batches ahead of the training loop.
//!
//! Buffers are recycled: a thread takes an empty one, claims the next batch number from an atomic counter, fills the
//! buffer and sends it to the consumer, which returns it after the upload. A thread claims a number only once it has a
//! buffer, so the batch the consumer waits for always has one, and the loop cannot deadlock. No locks are taken and,
//! once every buffer has grown to a batch's size, nothing is allocated.

use super::{BatchBuffer, BatchSource};
use crate::frontend::{HostScratch, StageTimes};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The loader's threads and buffers. One value serves a whole run, which reuses the buffers in every epoch.
#[derive(Debug)]
pub struct Prefetch {
    threads: usize,
    buffers: Vec<BatchBuffer>,
    scratches: Vec<HostScratch>,
}

/// Statistics of one prefetch run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PrefetchReport {
    /// Time the consumer waited for batches.
    pub waited: Duration,
    /// Time from the first request to the last consumed batch.
    pub elapsed: Duration,
    pub batches: usize,
    pub clips: usize,
    /// Sum over batches of the number of other batches that were ready when the batch was taken.
    pub ready: usize,
    /// Time per stage, summed over the loader threads.
    pub stages: StageTimes,
}

impl PrefetchReport {
    /// Fraction of the time spent waiting for data, between 0 and 1.
    pub fn wait_share(&self) -> f64 {
        if self.elapsed.is_zero() {
            0.0
        } else {
            self.waited.as_secs_f64() / self.elapsed.as_secs_f64()
        }
    }
}

/// A filled batch with its number, or the panic of a loader thread.
type Filled = Result<(usize, BatchBuffer), Box<dyn Any + Send>>;

impl Prefetch {
    /// `threads` loader threads that keep up to `ahead` batches ready; both are at least one.
    pub fn new(threads: usize, ahead: usize) -> Self {
        let threads = threads.max(1);
        Self {
            threads,
            buffers: vec![BatchBuffer::default(); threads + ahead.max(1)],
            scratches: (0..threads).map(|_| HostScratch::default()).collect(),
        }
    }

    /// Passes the batches `numbers` of `source` to `consume`, in order, with the statistics so far. Stops at its first
    /// error.
    pub fn run<E>(
        &mut self,
        source: &BatchSource<'_>,
        numbers: Range<usize>,
        mut consume: impl FnMut(usize, &BatchBuffer, &PrefetchReport) -> Result<(), E>,
    ) -> Result<PrefetchReport, E> {
        let slots = self.buffers.len();
        let (give_back, empty) = bounded::<BatchBuffer>(slots);
        let (send, filled) = bounded::<Filled>(slots);
        for buffer in self.buffers.drain(..) {
            give_back.send(buffer).expect("the channel has room for every buffer");
        }
        let next = AtomicUsize::new(numbers.start);
        let outcome = std::thread::scope(|scope| {
            for scratch in &mut self.scratches[..self.threads] {
                let (next, empty, send, end) = (&next, empty.clone(), send.clone(), numbers.end);
                scope.spawn(move || load(source, next, end, &empty, &send, scratch));
            }
            drop(send);
            let outcome = in_order(numbers, &filled, &give_back, &mut consume);
            // Threads that wait for a buffer or for space in the channel stop once these are closed.
            next.fetch_max(source.batches.len(), Ordering::Relaxed);
            drop(give_back);
            while let Ok(remaining) = filled.recv() {
                self.buffers.extend(remaining.ok().map(|(_, buffer)| buffer));
            }
            outcome
        });
        self.buffers.extend(empty.try_iter());
        self.buffers.resize_with(slots, BatchBuffer::default);
        outcome
    }
}

fn load(
    source: &BatchSource<'_>,
    next: &AtomicUsize,
    end: usize,
    empty: &Receiver<BatchBuffer>,
    send: &Sender<Filled>,
    scratch: &mut HostScratch,
) {
    while let Ok(mut buffer) = empty.recv() {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return;
        }
        let filling = catch_unwind(AssertUnwindSafe(|| source.fill(number, &mut buffer, scratch)));
        let panicked = filling.is_err();
        if send.send(filling.map(|()| (number, buffer))).is_err() || panicked {
            return;
        }
    }
}

/// The consumer's side: receives batches in any order and passes them on in order.
fn in_order<E>(
    numbers: Range<usize>,
    filled: &Receiver<Filled>,
    give_back: &Sender<BatchBuffer>,
    consume: &mut impl FnMut(usize, &BatchBuffer, &PrefetchReport) -> Result<(), E>,
) -> Result<PrefetchReport, E> {
    let mut report = PrefetchReport::default();
    // Batches that arrived before their turn. They are fewer than the buffers, so a search is cheaper than a map.
    let mut early: Vec<(usize, BatchBuffer)> = Vec::new();
    let started = Instant::now();
    for number in numbers {
        let waiting_since = Instant::now();
        let buffer = loop {
            if let Some(at) = early.iter().position(|(ready, _)| *ready == number) {
                break early.swap_remove(at).1;
            }
            let next = filled
                .recv()
                .expect("loader threads end only when all batches are claimed, or with a panic");
            early.push(next.unwrap_or_else(|panic| resume_unwind(panic)));
        };
        report.waited += waiting_since.elapsed();
        report.ready += early.len() + filled.len();
        report.stages = report.stages + buffer.times;
        report.elapsed = started.elapsed();
        report.batches += 1;
        report.clips += buffer.clips();
        let consumed = consume(number, &buffer, &report);
        give_back.send(buffer).expect("the channel has room for every buffer");
        consumed?;
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::super::{Batches, Clips, Target, training_order};
    use super::*;
    use crate::augment::Augment;
    use crate::data::run_data::RunData;
    use crate::models::ModelKind;
    use crate::testing;
    use std::convert::Infallible;

    fn source(data: &RunData, batch_size: usize) -> BatchSource<'_> {
        // Each excerpt comes twice.
        let excerpts: Vec<_> = (0..testing::TRACKS).map(|at| at % data.training.len()).collect();
        BatchSource {
            dataset: &data.dataset,
            excerpts: &data.training,
            features: &data.features,
            target: Target::ModelInput(&data.front_end),
            batches: Batches::new(training_order(&excerpts, |_| 0, 0, 5, 1), batch_size),
            clips: Clips::Training {
                seed: 5,
                epoch: 1,
                skipped: 0,
                augment: Augment {
                    gain: true,
                    polarity: true,
                    spec_augment: true,
                    ..Augment::NOISE_AND_STRETCH
                },
                mixup: 0.5,
            },
        }
    }

    fn collect(prefetch: &mut Prefetch, source: &BatchSource<'_>, numbers: Range<usize>) -> Vec<BatchBuffer> {
        let mut batches = Vec::new();
        let report = prefetch
            .run(source, numbers.clone(), |number, batch, _| -> Result<(), Infallible> {
                assert_eq!(number, numbers.start + batches.len());
                batches.push(BatchBuffer {
                    times: StageTimes::default(),
                    ..batch.clone()
                });
                Ok(())
            })
            .unwrap();
        assert_eq!(report.batches, numbers.len());
        batches
    }

    #[test]
    fn batches_do_not_depend_on_the_number_of_threads_or_the_first_batch() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
        let source = source(&data, 3);
        let single_threaded = collect(&mut Prefetch::new(1, 1), &source, 0..3);
        assert_eq!(
            single_threaded.iter().map(BatchBuffer::clips).collect::<Vec<_>>(),
            [3, 3, 2]
        );
        assert!(single_threaded.iter().all(|batch| {
            batch
                .waveform
                .iter()
                .chain(batch.spectrogram.iter())
                .all(|value| value.is_finite())
        }));
        for (threads, ahead) in [(2, 1), (4, 2), (16, 5)] {
            let mut prefetch = Prefetch::new(threads, ahead);
            assert_eq!(collect(&mut prefetch, &source, 0..3), single_threaded);
            // Reused buffers, and a resumed epoch.
            assert_eq!(collect(&mut prefetch, &source, 1..3), single_threaded[1..]);
        }
    }

    #[test]
    fn prefetch_can_run_again_after_the_consumer_stops() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
        let source = source(&data, 1);
        let mut prefetch = Prefetch::new(3, 2);
        let stopped = prefetch.run(&source, 0..testing::TRACKS, |number, _, _| {
            if number == 1 { Err("enough") } else { Ok(()) }
        });
        assert_eq!(stopped, Err("enough"));
        assert_eq!(prefetch.buffers.len(), 5);
        assert_eq!(collect(&mut prefetch, &source, 0..2).len(), 2);
    }

    #[test]
    fn a_panic_in_a_loader_thread_reaches_the_consumer() {
        let root = testing::dataset();
        let data = RunData::open(&testing::config(root.path(), ModelKind::MmCrnn)).unwrap();
        let mut source = source(&data, 2);
        // There is no excerpt 99: filling the second batch indexes out of bounds.
        source.batches = Batches::new(vec![0, 1, 99, 2], 2);
        let run = AssertUnwindSafe(|| Prefetch::new(2, 2).run(&source, 0..2, |_, _, _| Ok::<(), Infallible>(())));
        assert!(catch_unwind(run).is_err());
    }
}
