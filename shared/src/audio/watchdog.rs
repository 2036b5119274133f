//! Runs work that may never end: its result, or that it has stalled.
//!
//! Meant for decoders, as [`crate::runtime::guard`] is: a file that sends one round in circles must cost a track, not the build.
//! A thread cannot be ended from outside, so the work runs on one of its own. Where that shows no sign of life any more, it
//! is left behind, with whatever it holds, and the next piece of work gets a new one.
//!
//! A sign of life is a byte read or a sample given ([`Meter::progress`]), so a long file is not taken for a stalled
//! one. Time is counted in ticks of the watching thread: time spent in a call of the operating system counts for nothing,
//! however slow a file server is, and a tick during which the whole process was stopped is one tick, however long it took.

use crate::audio::decode::Meter;
use crate::audio::validate::Rejection;
use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long work may show no sign of life.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Time between two looks.
    pub tick: Duration,
    /// Looks in a row without a sign of life.
    pub ticks: u32,
}

impl Default for Patience {
    /// 60 seconds. A decoder gives thousands of blocks in one, so this is for machines that are far behind with their work.
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            ticks: 60,
        }
    }
}

impl Patience {
    /// The whole of it, in seconds.
    pub fn seconds(&self) -> f64 {
        self.tick.as_secs_f64() * f64::from(self.ticks)
    }
}

/// More work has stalled than threads may be left behind. Each goes on to take a core and memory until the program ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "decoding came to no end in {}, and no more than {limit} such threads are left behind; move these files away and go on",
    what.join(", ")
)]
pub struct TooManyStalled {
    /// What was worked on.
    pub what: Vec<String>,
    /// How many threads may be left behind.
    pub limit: usize,
}

/// What has stalled so far, for all threads of a build.
#[derive(Debug)]
pub struct Stalls {
    limit: usize,
    patience: Patience,
    what: Mutex<Vec<String>>,
}

impl Stalls {
    /// Allows for `limit` threads that are left behind.
    pub fn new(limit: usize, patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            limit,
            patience,
            what: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        // Nothing panics while it holds the lock.
        self.what.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error once more has stalled than is allowed.
    pub fn check(&self) -> Result<(), TooManyStalled> {
        let what = self.lock();
        if what.len() <= self.limit {
            return Ok(());
        }
        Err(TooManyStalled {
            what: what.clone(),
            limit: self.limit,
        })
    }
}

/// The work has stalled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stalled {
    /// How long it showed no sign of life.
    pub seconds: f64,
}

impl From<Stalled> for Rejection {
    fn from(stalled: Stalled) -> Self {
        Self::DecoderStalled {
            detail: format!("it did nothing for {} seconds", stalled.seconds),
        }
    }
}

type Task<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that works on one task after another, with a state of its own that lasts.
pub struct Supervised<S> {
    state: Box<dyn Fn() -> S + Send + Sync>,
    stalls: Arc<Stalls>,
    thread: Option<(Sender<Task<S>>, JoinHandle<()>)>,
}

impl<S: Send + 'static> Supervised<S> {
    /// `state` makes what tasks work with, once for each thread.
    pub fn new(stalls: Arc<Stalls>, state: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self {
            state: Box::new(state),
            stalls,
            thread: None,
        }
    }

    /// Runs `task`, which shows signs of life on the meter. `what` names the work in a sentence. A panic in it goes on here.
    pub fn run<T: Send + 'static>(
        &mut self,
        what: &str,
        task: impl FnOnce(&mut S, &Arc<Meter>) -> T + Send + 'static,
    ) -> Result<T, Stalled> {
        let patience = self.stalls.patience;
        let stalled = Stalled {
            seconds: patience.seconds(),
        };
        // The build is about to end; nothing more is begun that may have to be left behind.
        if self.stalls.check().is_err() {
            return Err(stalled);
        }
        let meter = Arc::new(Meter::default());
        let (sender, result) = mpsc::sync_channel(1);
        let watched = Arc::clone(&meter);
        let task: Task<S> = Box::new(move |state| {
            // Nobody waits for it any more once it counts as stalled.
            let _ = sender.send(task(state, &watched));
        });
        // A thread that panicked in the last task is gone, and its receiver with it.
        let unsent = match &self.thread {
            Some((tasks, _)) => tasks.send(task).err().map(|unsent| unsent.0),
            None => Some(task),
        };
        if let Some(task) = unsent {
            self.start(task);
        }
        let (mut progress, mut idle) = (meter.progress(), 0);
        loop {
            match result.recv_timeout(patience.tick) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Disconnected) => self.resume_panic(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = meter.progress();
            if now != progress {
                (progress, idle) = (now, 0);
            } else if !meter.is_waiting() {
                idle += 1;
            }
            if idle >= patience.ticks {
                self.thread = None;
                self.stalls.lock().push(what.to_owned());
                return Err(stalled);
            }
        }
    }

    fn start(&mut self, first: Task<S>) {
        let (tasks, waiting) = mpsc::channel::<Task<S>>();
        let mut state = (self.state)();
        let handle = thread::Builder::new()
            .name("decode".into())
            .spawn(move || {
                first(&mut state);
                for task in waiting {
                    task(&mut state);
                }
            })
            // As the standard library's own `spawn`; the builder is here for the name.
            .unwrap_or_else(|error| panic!("could not start a thread: {error}; use a lower --jobs"));
        self.thread = Some((tasks, handle));
    }

    fn resume_panic(&mut self) -> ! {
        let payload = self.thread.take().map(|(_, handle)| handle.join());
        match payload {
            Some(Err(payload)) => panic::resume_unwind(payload),
            _ => unreachable!("a task gives its result or panics"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Instant;

    const QUICK: Patience = Patience {
        tick: Duration::from_millis(20),
        ticks: 20,
    };

    fn supervised(limit: usize) -> (Supervised<usize>, Arc<Stalls>) {
        let stalls = Stalls::new(limit, QUICK);
        (Supervised::new(Arc::clone(&stalls), || 0), stalls)
    }

    /// Ends the loops that tests leave behind.
    struct Ends(Arc<AtomicBool>);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn endless() -> (Ends, impl Fn(&mut usize, &Arc<Meter>) + Clone + Send + 'static) {
        let ends = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ends);
        let work = move |_: &mut usize, _: &Arc<Meter>| {
            while !flag.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        };
        (Ends(ends), work)
    }

    #[test]
    fn work_keeps_its_thread_and_its_state() {
        let (mut supervised, _) = supervised(1);
        let mut threads = Vec::new();
        for count in 1..5 {
            let (thread, state) = supervised
                .run("work", |state, _| {
                    *state += 1;
                    (thread::current().id(), *state)
                })
                .unwrap();
            assert_eq!(state, count);
            threads.push(thread);
        }
        threads.dedup();
        assert_eq!(threads.len(), 1);
        assert_ne!(threads[0], thread::current().id());
    }

    #[test]
    fn an_endless_loop_is_left_behind_and_replaced() {
        let (mut supervised, stalls) = supervised(1);
        let (_ends, work) = endless();
        assert_eq!(supervised.run("a.mp3", work), Err(Stalled { seconds: 0.4 }));
        assert_eq!(supervised.run("b.mp3", |state, _| *state), Ok(0));
        assert_eq!(stalls.check(), Ok(()));
    }

    #[test]
    fn empty_blocks_are_no_sign_of_life() {
        let (mut supervised, _) = supervised(1);
        let ends = Ends(Arc::default());
        let flag = Arc::clone(&ends.0);
        let outcome = supervised.run("a.mp3", move |_, meter| {
            while !flag.load(Ordering::Relaxed) {
                meter.decoded(0);
                thread::yield_now();
            }
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn slow_work_that_shows_signs_of_life_is_waited_for() {
        let (mut supervised, stalls) = supervised(0);
        let begin = Instant::now();
        let outcome = supervised.run("a.mp3", |_, meter| {
            for _ in 0..60 {
                thread::sleep(Duration::from_millis(20));
                meter.decoded(1);
            }
        });
        assert_eq!(outcome, Ok(()));
        assert!(begin.elapsed().as_secs_f64() > 2.0 * QUICK.seconds());
        assert_eq!(stalls.check(), Ok(()));
    }

    #[test]
    fn a_read_that_takes_long_is_waited_for() {
        let (mut supervised, _) = supervised(0);
        let outcome = supervised.run("a.mp3", |_, meter| {
            meter.wait(|| thread::sleep(Duration::from_secs_f64(2.5 * QUICK.seconds())));
            7
        });
        assert_eq!(outcome, Ok(7));
    }

    #[test]
    fn more_than_the_limit_is_an_error_that_names_the_files() {
        let (mut supervised, stalls) = supervised(1);
        let (_ends, work) = endless();
        let begun = Arc::new(AtomicUsize::new(0));
        for name in ["a.mp3", "b.mp3"] {
            assert!(supervised.run(name, work.clone()).is_err());
        }
        let error = stalls.check().unwrap_err();
        assert!(
            error.to_string().contains("in a.mp3, b.mp3, and no more than 1"),
            "{error}"
        );
        let count = Arc::clone(&begun);
        let outcome = supervised.run("c.mp3", move |_, _| count.fetch_add(1, Ordering::Relaxed));
        assert!(outcome.is_err());
        assert_eq!(begun.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_panic_in_the_work_is_not_swallowed() {
        let (mut supervised, _) = supervised(1);
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            crate::runtime::guard::catch(|| {
                supervised.run("a.mp3", |_, _| crate::runtime::guard::catch(|| panic!("broken")))
            })
        }));
        assert_eq!(outcome.unwrap(), Ok(Ok(Err::<(), _>("broken".to_owned()))));
        let said =
            crate::runtime::guard::catch(|| supervised.run("b.mp3", |_, _| panic::resume_unwind(Box::new("gone"))));
        assert_eq!(said.map(|_: Result<(), _>| ()), Err("gone".to_owned()));
        assert_eq!(supervised.run("c.mp3", |_, _| 3), Ok(3));
    }
}
