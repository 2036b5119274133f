//! Processes items on many threads and passes the results, in order, to the caller's thread.
//!
//! Waiting results use memory, so their total weight is bounded: above the limit, only the next item in order
//! continues.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};

/// Limits on the work in progress.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Items that are started and not yet consumed.
    pub items: usize,
    /// Total weight of the waiting results. Only the next result in order may exceed it.
    pub weight: usize,
}

struct Turn {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    next: usize,
    waiting_weight: usize,
    cancelled: bool,
}

impl Turn {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so the state is always valid.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until work on `index` may start. Returns false if the loop was cancelled.
    fn wait_for_room(&self, index: usize, limit: usize) -> bool {
        let blocked = |state: &mut State| !state.cancelled && state.next != index && state.waiting_weight > limit;
        let state = self
            .changed
            .wait_while(self.lock(), blocked)
            .unwrap_or_else(PoisonError::into_inner);
        !state.cancelled
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Calls `work` for each index on the threads of `pool`, and `consume` with each result in the order of the indices.
/// The first error of `consume` stops the loop. So does a panic of `work`, which is resumed in the caller.
///
/// Rayon starts FIFO tasks in the order in which they were spawned, so the next item in order has always been started
/// when a later one waits for room.
pub fn for_each<R: Send, E>(
    pool: &rayon::ThreadPool,
    indices: Range<usize>,
    bounds: Bounds,
    work: impl Fn(usize) -> R + Sync,
    weight: impl Fn(&R) -> usize + Sync,
    mut consume: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    let turn = Turn {
        state: Mutex::new(State {
            next: indices.start,
            waiting_weight: 0,
            cancelled: false,
        }),
        changed: Condvar::new(),
    };
    let (turn, work, weight) = (&turn, &work, &weight);
    pool.in_place_scope_fifo(|scope| {
        let (sender, results) = mpsc::channel();
        let mut started = indices.start;
        let mut early = BTreeMap::new();
        for next in indices.clone() {
            while started < indices.end && started - next < bounds.items.max(1) {
                let (index, sender) = (started, sender.clone());
                scope.spawn_fifo(move |_| {
                    if turn.wait_for_room(index, bounds.weight) {
                        // The caller's thread waits for this result, so a panic must be sent to it too.
                        let result = panic::catch_unwind(AssertUnwindSafe(|| work(index)));
                        let added = result.as_ref().map_or(0, weight);
                        turn.update(|state| state.waiting_weight += added);
                        // After an error there is no receiver, and the result is not needed.
                        let _ = sender.send((index, result));
                    }
                });
                started += 1;
            }
            let result = loop {
                if let Some(result) = early.remove(&next) {
                    break result;
                }
                let Ok((index, result)) = results.recv() else {
                    unreachable!("this thread holds a sender too");
                };
                early.insert(index, result);
            };
            let result = result.unwrap_or_else(|payload| {
                turn.update(|state| state.cancelled = true);
                panic::resume_unwind(payload)
            });
            let consumed_weight = weight(&result);
            let outcome = consume(next, result);
            turn.update(|state| {
                state.next = next + 1;
                state.waiting_weight -= consumed_weight;
                state.cancelled = outcome.is_err();
            });
            outcome?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    const BOUNDS: Bounds = Bounds { items: 6, weight: 100 };

    #[test]
    fn results_are_in_order_for_any_number_of_threads() {
        for threads in [1, 3] {
            let mut seen = Vec::new();
            let uneven = |index: usize| {
                std::thread::sleep(Duration::from_micros(((index * 7) % 5) as u64 * 200));
                index * index
            };
            let outcome: Result<(), ()> = for_each(
                &pool(threads),
                3..60,
                BOUNDS,
                uneven,
                |_| 40,
                |index, square| {
                    assert_eq!(square, index * index);
                    seen.push(index);
                    Ok(())
                },
            );
            assert_eq!(outcome, Ok(()));
            assert!(seen.into_iter().eq(3..60));
        }
    }

    #[test]
    fn work_in_progress_stays_within_the_bounds() {
        let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |_| {
            most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        };
        let outcome: Result<(), ()> = for_each(
            &pool(3),
            0..200,
            BOUNDS,
            work,
            |()| 1000,
            |_, ()| {
                std::thread::sleep(Duration::from_micros(100));
                alive.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            },
        );
        assert_eq!(outcome, Ok(()));
        // Every result exceeds the weight limit: one waits, one is being consumed, and each of 3 threads may hold one.
        assert!(most.into_inner() <= 5);
    }

    #[test]
    fn error_of_the_consumer_stops_the_loop() {
        let consumed = AtomicUsize::new(0);
        let outcome = for_each(
            &pool(2),
            0..1000,
            BOUNDS,
            |index| index,
            |_| 1000,
            |index, _| {
                consumed.fetch_add(1, Ordering::SeqCst);
                if index == 10 { Err("full") } else { Ok(()) }
            },
        );
        assert_eq!((outcome, consumed.into_inner()), (Err("full"), 11));
    }

    #[test]
    #[should_panic(expected = "broken")]
    fn panic_in_the_work_reaches_the_caller() {
        let _ = for_each(
            &pool(2),
            0..3,
            BOUNDS,
            |index| assert_ne!(index, 2, "broken"),
            |()| 0,
            |_, ()| Ok::<(), ()>(()),
        );
    }
}
