//! Runs a task on its own thread and gives up on it if it stalls.
//!
//! Meant for decoders, as [`crate::runtime::guard`] is: a file that sends a decoder into an endless loop must cost one
//! track, not the whole build. A thread cannot be killed from outside, so a stalled thread is abandoned with everything
//! it holds, and the next task gets a new thread.
//!
//! Progress is a byte read or a sample decoded ([`Meter::progress`]), so a long file does not count as stalled. Time is
//! counted in ticks of the watching thread. Ticks spent in a system call do not count, so a slow file server is not a
//! stall, and a tick during which the whole process was suspended is one tick, however long it took.

use crate::audio::decode::Meter;
use crate::audio::validate::Rejection;
use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a task may make no progress.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Time between two checks for progress.
    pub tick: Duration,
    /// Consecutive checks without progress after which a task counts as stalled.
    pub ticks: u32,
}

impl Default for Patience {
    /// 60 seconds. A decoder gives thousands of blocks per second, so only an overloaded machine needs this long.
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            ticks: 60,
        }
    }
}

impl Patience {
    /// The total time without progress, in seconds.
    pub fn seconds(&self) -> f64 {
        self.tick.as_secs_f64() * f64::from(self.ticks)
    }
}

/// More tasks have stalled than threads may be abandoned. Each abandoned thread keeps a core and memory until the
/// program exits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {limit} decoders stalled, on {}; move these files elsewhere and run the command again",
    what.join(", ")
)]
pub struct TooManyStalled {
    /// Names of the stalled tasks, as given to [`Supervised::run`].
    pub what: Vec<String>,
    /// How many threads may be abandoned.
    pub limit: usize,
}

/// The tasks that have stalled so far, shared by all threads of a build.
#[derive(Debug)]
pub struct Stalls {
    limit: usize,
    patience: Patience,
    what: Mutex<Vec<String>>,
}

impl Stalls {
    /// Allows `limit` abandoned threads.
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

    /// Returns an error once more tasks have stalled than are allowed.
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

/// The task has stalled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stalled {
    /// How long it made no progress.
    pub seconds: f64,
}

impl From<Stalled> for Rejection {
    fn from(stalled: Stalled) -> Self {
        Self::DecoderStalled {
            detail: format!("no progress for {} seconds", stalled.seconds),
        }
    }
}

type Task<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that runs one task after another and keeps state between them.
pub struct Supervised<S> {
    state: Box<dyn Fn() -> S + Send + Sync>,
    stalls: Arc<Stalls>,
    thread: Option<(Sender<Task<S>>, JoinHandle<()>)>,
}

impl<S: Send + 'static> Supervised<S> {
    /// `state` creates the state that tasks work on, once per thread.
    pub fn new(stalls: Arc<Stalls>, state: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self {
            state: Box::new(state),
            stalls,
            thread: None,
        }
    }

    /// Runs `task`, which reports its progress on the meter. `what` names the task in error messages. A panic of the
    /// task is resumed on this thread.
    pub fn run<T: Send + 'static>(
        &mut self,
        what: &str,
        task: impl FnOnce(&mut S, &Arc<Meter>) -> T + Send + 'static,
    ) -> Result<T, Stalled> {
        let patience = self.stalls.patience;
        let stalled = Stalled {
            seconds: patience.seconds(),
        };
        // The build is about to end: start no task that may have to be abandoned.
        if self.stalls.check().is_err() {
            return Err(stalled);
        }
        let meter = Arc::new(Meter::default());
        let (sender, result) = mpsc::sync_channel(1);
        let watched = Arc::clone(&meter);
        let task: Task<S> = Box::new(move |state| {
            // The receiver is gone once the task counts as stalled.
            let _ = sender.send(task(state, &watched));
        });
        // If the last task panicked, its thread and the receiver are gone.
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
            // Panics like `thread::spawn`; the builder only sets the name.
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

    /// Stops the endless loops of a test when dropped.
    struct StopOnDrop(Arc<AtomicBool>);

    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn endless() -> (StopOnDrop, impl Fn(&mut usize, &Arc<Meter>) + Clone + Send + 'static) {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let work = move |_: &mut usize, _: &Arc<Meter>| {
            while !flag.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        };
        (StopOnDrop(stop), work)
    }

    #[test]
    fn tasks_share_one_thread_and_its_state() {
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
    fn stalled_thread_is_replaced() {
        let (mut supervised, stalls) = supervised(1);
        let (_stop, work) = endless();
        assert_eq!(supervised.run("a.mp3", work), Err(Stalled { seconds: 0.4 }));
        assert_eq!(supervised.run("b.mp3", |state, _| *state), Ok(0));
        assert_eq!(stalls.check(), Ok(()));
    }

    #[test]
    fn empty_blocks_are_not_progress() {
        let (mut supervised, _) = supervised(1);
        let stop = StopOnDrop(Arc::default());
        let flag = Arc::clone(&stop.0);
        let outcome = supervised.run("a.mp3", move |_, meter| {
            while !flag.load(Ordering::Relaxed) {
                meter.decoded(0);
                thread::yield_now();
            }
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn slow_task_that_makes_progress_does_not_stall() {
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
    fn long_system_call_is_not_a_stall() {
        let (mut supervised, _) = supervised(0);
        let outcome = supervised.run("a.mp3", |_, meter| {
            meter.wait(|| thread::sleep(Duration::from_secs_f64(2.5 * QUICK.seconds())));
            7
        });
        assert_eq!(outcome, Ok(7));
    }

    #[test]
    fn too_many_stalls_are_an_error_that_names_the_files() {
        let (mut supervised, stalls) = supervised(1);
        let (_stop, work) = endless();
        let begun = Arc::new(AtomicUsize::new(0));
        for name in ["a.mp3", "b.mp3"] {
            assert!(supervised.run(name, work.clone()).is_err());
        }
        let error = stalls.check().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("more than 1 decoders stalled, on a.mp3, b.mp3"),
            "{error}"
        );
        let count = Arc::clone(&begun);
        let outcome = supervised.run("c.mp3", move |_, _| count.fetch_add(1, Ordering::Relaxed));
        assert!(outcome.is_err());
        assert_eq!(begun.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn panic_of_a_task_is_resumed() {
        let (mut supervised, _) = supervised(1);
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            crate::runtime::guard::catch(|| {
                supervised.run("a.mp3", |_, _| crate::runtime::guard::catch(|| panic!("broken")))
            })
        }));
        assert_eq!(outcome.unwrap(), Ok(Ok(Err::<(), _>("broken".to_owned()))));
        let resumed =
            crate::runtime::guard::catch(|| supervised.run("b.mp3", |_, _| panic::resume_unwind(Box::new("gone"))));
        assert_eq!(resumed.map(|_: Result<(), _>| ()), Err("gone".to_owned()));
        assert_eq!(supervised.run("c.mp3", |_, _| 3), Ok(3));
    }
}
