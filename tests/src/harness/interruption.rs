//! Programs that are waited for, sent signals and killed.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Long after anything that is waited for should have happened.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until a file exists.
///
/// # Panics
/// If the program ends before, or nothing happens for two minutes.
pub fn wait_for(path: &Path, child: &mut Child) {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        let ended = child.try_wait().unwrap_or_else(|error| panic!("{error}"));
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "waited for {} in vain: {ended:?}",
            path.display()
        );
        thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal, by its name without `SIG`.
///
/// # Panics
/// If the program has ended.
pub fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args(["-s", signal, &child.id().to_string()])
        .status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "SIG{signal} could not be sent"
    );
}

/// Waits until a program ends by itself. One that does not is killed.
///
/// # Panics
/// If it had to be killed.
pub fn end(mut child: Child) -> Output {
    let deadline = Instant::now() + PATIENCE;
    let mut was_killed = false;
    while !was_killed && child.try_wait().is_ok_and(|ended| ended.is_none()) {
        was_killed = Instant::now() > deadline && child.kill().is_ok();
        thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{error}"));
    assert!(!was_killed, "the program did not end: {output:?}");
    output
}

/// Fractions of a span that cover it evenly however many are taken: multiples of the golden ratio.
const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;

/// What became of a program that was to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was killed before it ended.
    Killed,
    /// It had ended before, successfully.
    Done,
}

/// Starts a program over and over and kills it (SIGKILL, which nothing can catch) at moments that are spread over `span`.
#[derive(Debug)]
pub struct Killer {
    span: Duration,
    kills: usize,
    attempts: usize,
}

impl Killer {
    /// A killer whose victims take about `span` when they are left alone.
    pub fn new(span: Duration) -> Self {
        Self {
            span,
            kills: 0,
            attempts: 0,
        }
    }

    /// Programs that were killed so far.
    pub fn kills(&self) -> usize {
        self.kills
    }

    /// Starts the program and kills it at the next moment.
    ///
    /// # Panics
    /// If it cannot be started, or ends by itself with a failure.
    pub fn attempt(&mut self, command: &mut Command) -> Ended {
        self.attempts += 1;
        let moment = self.span.mul_f64((self.attempts as f64 * GOLDEN_RATIO).fract());
        let mut child = start(command);
        thread::sleep(moment);
        // An error says that it has ended.
        let _ = child.kill();
        let output = child
            .wait_with_output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        match output.status.code() {
            None => {
                self.kills += 1;
                Ended::Killed
            }
            Some(0) => Ended::Done,
            Some(code) => panic!(
                "{command:?} ended with {code} after a kill: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
}

/// Runs a program to its end and says how long it took.
///
/// # Panics
/// If it cannot be started, or fails.
pub fn undisturbed(command: &mut Command) -> Duration {
    let begin = Instant::now();
    let output = start(command)
        .wait_with_output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    begin.elapsed()
}

fn start(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
