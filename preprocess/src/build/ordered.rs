//! Work on items by many threads, with results in the order of the items, on the caller's thread.
//!
//! Results that wait for their turn take memory, so their weight is bounded: beyond it, only the item whose turn it is
//! goes on. What the work is, is not known here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};

/// How much may be under way at once.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Items that are begun and not consumed.
    pub items: usize,
    /// Total weight of results that wait; the one whose turn it is may exceed it.
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
        // Nothing panics while it holds the lock, and a count is valid at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until `index` may be worked on; false when nobody wants it any more.
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

/// Calls `work` for each index on the threads of `pool`, and `consume` with each result in the order of the indices. The
/// first error of `consume` ends it all, and so does a panic of `work`, which goes on in the caller.
///
/// Rayon begins FIFO tasks in the order in which they were spawned, so the item whose turn it is has always been begun
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
        let mut begun = indices.start;
        let mut early = BTreeMap::new();
        for next in indices.clone() {
            while begun < indices.end && begun - next < bounds.items.max(1) {
                let (index, sender) = (begun, sender.clone());
                scope.spawn_fifo(move |_| {
                    if turn.wait_for_room(index, bounds.weight) {
                        // The caller's thread waits for this result, so it must get a panic too.
                        let result = panic::catch_unwind(AssertUnwindSafe(|| work(index)));
                        let added = result.as_ref().map_or(0, weight);
                        turn.update(|state| state.waiting_weight += added);
                        // Nobody receives any more after an error; then the result is not wanted either.
                        let _ = sender.send((index, result));
                    }
                });
                begun += 1;
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
    fn results_come_in_order_whatever_the_threads() {
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
    fn no_more_than_the_bounds_is_under_way() {
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
        // Each weighs more than all may: one waits, one is being consumed, and each thread may hold one it had begun.
        assert!(most.into_inner() <= 5);
    }

    #[test]
    fn an_error_ends_it() {
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
    fn a_panic_in_the_work_is_not_swallowed() {
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
