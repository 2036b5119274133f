//! Signals by which batch systems and people end a training.
//!
//! A SIGTERM, SIGUSR1 or SIGINT is noted here, and the work asks at places where it can be continued from. A Ctrl-C after
//! that does what it does to any program: it ends this one at once. Another SIGTERM or SIGUSR1 does not, because batch
//! systems send several, and then mean it with SIGKILL.

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

/// SIGTERM and SIGUSR1 are what Slurm sends, before a time limit or a preemption; SIGINT is a person's Ctrl-C.
const SIGNALS: [c_int; 3] = [SIGTERM, SIGUSR1, SIGINT];

/// The exit code of work that was stopped and can be continued: `EX_TEMPFAIL` of `sysexits.h`, "try again".
pub const EXIT_STOPPED: u8 = 75;

/// Says whether to stop: the name of the signal that asked for it.
pub type StopRequest<'a> = &'a (dyn Fn() -> Option<&'static str> + Sync);

/// The signals that have come since [`StopSignals::listen`].
#[derive(Clone, Debug)]
pub struct StopSignals {
    /// The number of the last one; 0 is none.
    number: Arc<AtomicUsize>,
}

impl StopSignals {
    /// From now on signals are noted only, but for a SIGINT that comes after another signal.
    pub fn listen() -> io::Result<Self> {
        let (number, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for signal in SIGNALS {
            // In this order, so that the signal that raises the flag is not taken for a second one.
            if signal == SIGINT {
                flag::register_conditional_default(signal, Arc::clone(&again))?;
            }
            flag::register(signal, Arc::clone(&again))?;
            let value = usize::try_from(signal).expect("signals have positive numbers");
            flag::register_usize(signal, Arc::clone(&number), value)?;
        }
        Ok(Self { number })
    }

    /// The name of the signal that has come, if one has.
    pub fn received(&self) -> Option<&'static str> {
        let number = self.number.load(Ordering::Relaxed);
        let number = c_int::try_from(number).ok().filter(|&number| number != 0)?;
        Some(signal_name(number).unwrap_or("a signal"))
    }
}

/// Sends this program a SIGTERM when its standard input ends: when the program that holds the other end closes it, or ends,
/// however it does. Signals must be listened for before.
pub fn stop_at_eof() -> io::Result<()> {
    let watch = || {
        // What cannot be read any more has ended too.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // It fails for signals that do not exist only.
        let _ = raise(SIGTERM);
    };
    thread::Builder::new().name("stop-at-eof".into()).spawn(watch).map(drop)
}

/// Work that was stopped by a signal, with nothing lost.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Stopped {
    /// The run's checkpoint holds everything.
    #[error("stopped by {signal} at step {step}; continue with `{}`", resume_fit(run, device))]
    AtStep {
        signal: &'static str,
        /// Steps done since the run began.
        step: u64,
        run: PathBuf,
        /// What `--device` named.
        device: String,
    },
    /// One of a set of runs was being trained; what was done is kept.
    #[error("stopped by {signal} at {member}; continue with `{}`", resume_fit(run, device))]
    InSet {
        signal: &'static str,
        /// The run under way: `seed 4`, `fold 2`.
        member: String,
        /// Steps of its run, if it had begun.
        step: Option<u64>,
        /// The directory of the set.
        run: PathBuf,
        /// What `--device` named.
        device: String,
    },
    /// Trials of a sweep have kept everything.
    #[error(
        "stopped by {signal} with {done} of {trials} trials done; continue with `{}`",
        resume_sweep(sweep, devices, *jobs_per_device)
    )]
    Sweep {
        signal: &'static str,
        /// Trials that need nothing more.
        done: usize,
        /// All of them.
        trials: usize,
        sweep: PathBuf,
        /// What `--devices` named.
        devices: String,
        /// Trials at once on each device.
        jobs_per_device: usize,
    },
    /// There was nothing to keep yet.
    #[error("stopped by {signal} before training began; run the same command again")]
    BeforeTraining { signal: &'static str },
}

impl Stopped {
    /// An error where `stop` has been asked for before training.
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

    /// The same, of a run on the devices that `--device` named.
    pub fn on_device(mut self, name: &str) -> Self {
        if let Self::AtStep { device, .. } = &mut self {
            *device = name.to_owned();
        }
        self
    }

    /// The same, of the set of runs in `root` of which `member` was being trained, on the devices that `--device` named.
    pub fn in_set(self, root: &Path, member: &str, device: &str) -> Self {
        let (signal, step) = match self {
            Self::AtStep { signal, step, .. } => (signal, Some(step)),
            Self::InSet { signal, step, .. } => (signal, step),
            Self::BeforeTraining { signal } => (signal, None),
            // A set of runs sweeps nothing.
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
    fn a_stopped_run_says_how_to_go_on() {
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
        let of_set = stopped.in_set(Path::new("my runs"), "seed 4", "auto");
        assert_eq!(
            of_set.to_string(),
            "stopped by SIGUSR1 at seed 4; continue with `train fit --run 'my runs' --resume`"
        );
        assert_eq!(
            (of_set.json()["member"].as_str(), of_set.json()["step"].as_u64()),
            (Some("seed 4"), Some(12))
        );
        assert_eq!(Stopped::check(&|| None), Ok(()));
        assert!(Stopped::check(&|| Some("SIGTERM")).is_err());
    }
}
