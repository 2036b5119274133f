//! Signals with which batch systems and users stop a training.
//!
//! SIGTERM, SIGUSR1 and SIGINT only set a flag, which is checked wherever the work can be resumed later. A Ctrl-C after
//! another signal ends the program at once. A second SIGTERM or SIGUSR1 does not, because batch systems send several
//! before SIGKILL.

use crate::process::resume_command::{resume_fit, resume_sweep};
use serde_json::{Value, json};
use shared::runtime::outcome::Failure;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::low_level::{raise, signal_name};
use std::ffi::c_int;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Slurm sends SIGTERM or SIGUSR1 before a time limit or a preemption; SIGINT is Ctrl-C.
const SIGNALS: [c_int; 3] = [SIGTERM, SIGUSR1, SIGINT];

/// The exit code of stopped work that can be continued: `EX_TEMPFAIL` of `sysexits.h`.
pub const EXIT_STOPPED: u8 = 75;

/// Returns the name of the received stop signal, if any.
pub type StopRequest<'a> = &'a (dyn Fn() -> Option<&'static str> + Sync);

/// The signals received since [`StopSignals::listen`].
#[derive(Clone, Debug)]
pub struct StopSignals {
    /// The number of the last signal; 0 before the first.
    number: Arc<AtomicUsize>,
}

impl StopSignals {
    /// Installs the handlers. From now on only a SIGINT after another signal ends the program.
    pub fn listen() -> io::Result<Self> {
        let (number, stopping) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for signal in SIGNALS {
            // In this order, because the signal that sets the flag must not count as a second one.
            if signal == SIGINT {
                flag::register_conditional_default(signal, Arc::clone(&stopping))?;
            }
            flag::register(signal, Arc::clone(&stopping))?;
            let value = usize::try_from(signal).expect("signals have positive numbers");
            flag::register_usize(signal, Arc::clone(&number), value)?;
        }
        Ok(Self { number })
    }

    /// The name of the last received signal.
    pub fn received(&self) -> Option<&'static str> {
        let number = self.number.load(Ordering::Relaxed);
        let number = c_int::try_from(number).ok().filter(|&number| number != 0)?;
        Some(signal_name(number).unwrap_or("a signal"))
    }
}

/// Raises SIGTERM when standard input ends, which happens when the parent program closes it or dies. Call
/// [`StopSignals::listen`] before.
pub fn stop_at_eof() -> io::Result<()> {
    let watch = || {
        // A read error counts as the end.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // Fails only for invalid signal numbers.
        let _ = raise(SIGTERM);
    };
    thread::Builder::new().name("stop-at-eof".into()).spawn(watch).map(drop)
}

/// Work that was stopped by a signal and can be continued.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Stopped {
    /// A single run, which saved a checkpoint.
    #[error("stopped by {signal} at step {step}; continue with `{}`", resume_fit(run, device))]
    AtStep {
        signal: &'static str,
        /// Steps done since the run began.
        step: u64,
        run: PathBuf,
        /// The value of `--device`.
        device: String,
    },
    /// A run of a set of runs; finished runs and its checkpoint are kept.
    #[error("stopped by {signal} at {member}; continue with `{}`", resume_fit(run, device))]
    InSet {
        signal: &'static str,
        /// The run that was being trained: `seed 4`, `fold 2`.
        member: String,
        /// Steps of that run, if it had begun.
        step: Option<u64>,
        /// The directory of the set.
        run: PathBuf,
        /// The value of `--device`.
        device: String,
    },
    /// A sweep, whose trials saved checkpoints.
    #[error(
        "stopped by {signal} with {done} of {trials} trials done; continue with `{}`",
        resume_sweep(sweep, devices, *jobs_per_device)
    )]
    Sweep {
        signal: &'static str,
        /// Finished trials.
        done: usize,
        /// All trials.
        trials: usize,
        sweep: PathBuf,
        /// The value of `--devices`.
        devices: String,
        /// Parallel trials on each device.
        jobs_per_device: usize,
    },
    /// Nothing had been trained yet.
    #[error("stopped by {signal} before training began; run the same command again")]
    BeforeTraining { signal: &'static str },
}

impl Stopped {
    /// An error if a stop signal was received before training.
    pub fn check(stop: StopRequest<'_>) -> Result<(), Self> {
        stop().map_or(Ok(()), |signal| Err(Self::BeforeTraining { signal }))
    }

    /// The line that `--json` prints.
    pub fn json(&self) -> Value {
        let (signal, step, run) = match self {
            Self::AtStep { signal, step, run, .. } => (signal, Some(*step), Some(run.to_string_lossy())),
            Self::InSet { signal, step, run, .. } => (signal, *step, Some(run.to_string_lossy())),
            Self::Sweep {
                signal,
                done,
                trials,
                sweep,
                ..
            } => {
                let mut line = Failure::Stopped.json(&self.to_string());
                line["signal"] = json!(signal);
                line["done"] = json!(done);
                line["trials"] = json!(trials);
                line["sweep"] = json!(sweep.to_string_lossy());
                return line;
            }
            Self::BeforeTraining { signal } => (signal, None, None),
        };
        let mut line = Failure::Stopped.json(&self.to_string());
        line["signal"] = json!(signal);
        line["step"] = json!(step);
        line["run"] = json!(run);
        if let Self::InSet { member, .. } = self {
            line["member"] = json!(member);
        }
        line
    }

    /// Adds the value of `--device`, for the resume command.
    pub fn on_device(mut self, name: &str) -> Self {
        if let Self::AtStep { device, .. } = &mut self {
            *device = name.to_owned();
        }
        self
    }

    /// Turns this into the stop of the set of runs in `root`, whose run `member` was being trained.
    pub fn in_set(self, root: &Path, member: &str, device: &str) -> Self {
        let (signal, step) = match self {
            Self::AtStep { signal, step, .. } => (signal, Some(step)),
            Self::InSet { signal, step, .. } => (signal, step),
            Self::BeforeTraining { signal } => (signal, None),
            // A set of runs never contains a sweep.
            Self::Sweep { .. } => return self,
        };
        Self::InSet {
            signal,
            member: member.to_owned(),
            step,
            run: root.to_owned(),
            device: device.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopped_run_names_the_command_that_continues_it() {
        let stopped = Stopped::AtStep {
            signal: "SIGUSR1",
            step: 12,
            run: "runs/crnn".into(),
            device: "auto".into(),
        }
        .on_device("cpu,cpu");
        assert_eq!(
            stopped.to_string(),
            "stopped by SIGUSR1 at step 12; continue with `train fit --run runs/crnn --resume --device cpu,cpu`"
        );
        assert_eq!(
            (stopped.json()["step"].as_u64(), stopped.json()["kind"].as_str()),
            (Some(12), Some("stopped"))
        );
        let in_set = stopped.in_set(Path::new("my runs"), "seed 4", "auto");
        assert_eq!(
            in_set.to_string(),
            "stopped by SIGUSR1 at seed 4; continue with `train fit --run 'my runs' --resume`"
        );
        assert_eq!(
            (in_set.json()["member"].as_str(), in_set.json()["step"].as_u64()),
            (Some("seed 4"), Some(12))
        );
        assert_eq!(Stopped::check(&|| None), Ok(()));
        assert!(Stopped::check(&|| Some("SIGTERM")).is_err());
    }
}
