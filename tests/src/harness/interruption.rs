//! Waits for programs, sends them signals and kills them.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait before a test fails.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Waits until a file exists.
///
/// # Panics
/// If the program ends first, or the file does not exist after two minutes.
pub fn wait_for(path: &Path, child: &mut Child) {
    let deadline = Instant::now() + TIMEOUT;
    while !path.exists() {
        let ended = child.try_wait().unwrap_or_else(|error| panic!("{error}"));
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "{} was not created: {ended:?}",
            path.display()
        );
        thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal, named without `SIG`.
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

/// Waits until a program ends by itself.
///
/// # Panics
/// If it is still running after two minutes; it is then killed.
pub fn end(mut child: Child) -> Output {
    let deadline = Instant::now() + TIMEOUT;
    let mut was_killed = false;
    while !was_killed && child.try_wait().is_ok_and(|ended| ended.is_none()) {
        was_killed = Instant::now() > deadline && child.kill().is_ok();
        thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().unwrap_or_else(|error| panic!("{error}"));
    assert!(!was_killed, "the program did not end: {output:?}");
    output
}

/// The fractional parts of its multiples cover [0, 1) evenly, however many are taken.
const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;

/// Whether an attempt to kill a program succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Killed before it ended.
    Killed,
    /// Ended successfully before the kill.
    Done,
}

/// Starts a program repeatedly and kills it with SIGKILL, at times spread over `span`.
#[derive(Debug)]
pub struct Killer {
    span: Duration,
    kills: usize,
    attempts: usize,
}

impl Killer {
    /// `span` is about how long the program runs without a kill.
    pub fn new(span: Duration) -> Self {
        Self {
            span,
            kills: 0,
            attempts: 0,
        }
    }

    /// Number of programs killed so far.
    pub fn kills(&self) -> usize {
        self.kills
    }

    /// Starts the program and kills it after the next delay.
    ///
    /// # Panics
    /// If it cannot be started, or ends by itself with a failure.
    pub fn attempt(&mut self, command: &mut Command) -> Ended {
        self.attempts += 1;
        let delay = self.span.mul_f64((self.attempts as f64 * GOLDEN_RATIO).fract());
        let mut child = start(command);
        thread::sleep(delay);
        // An error means that it has already ended.
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

/// Runs a program to its end and returns how long it took.
///
/// # Panics
/// If it cannot be started, or fails.
pub fn timed_run(command: &mut Command) -> Duration {
    let begin = Instant::now();
    let output = start(command)
        .wait_with_output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
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
