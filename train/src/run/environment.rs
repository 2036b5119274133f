//! `environment.json`: the machine that a run was trained on, to interpret its times later.

use crate::run::directory::{RunDirectory, RunError};
use crate::settings::cores;
use serde::{Deserialize, Serialize};
use shared::runtime::text::date;
use std::time::SystemTime;

pub const ENVIRONMENT_FILE: &str = "environment.json";

/// The machine and the version of the program. A run that was resumed elsewhere records the last machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The devices as `--device` names them: `cpu`, `cuda:0`, `cuda:0, cuda:1`.
    pub device: String,
    pub version: String,
    /// The operating system: `linux`.
    pub system: String,
    /// The processor's architecture: `x86_64`.
    pub architecture: String,
    /// Cores that the program may use.
    pub cores: usize,
    /// The name of the machine.
    pub host: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// When training began or was resumed, in UTC: `2026-11-29 15:04`.
    pub date: String,
}

impl Environment {
    /// The environment of this process.
    pub fn here(device: &str) -> Self {
        Self {
            device: device.to_owned(),
            version: env!("CARGO_PKG_VERSION").into(),
            system: std::env::consts::OS.into(),
            architecture: std::env::consts::ARCH.into(),
            cores: cores(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            command: std::env::args_os()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
            date: date(SystemTime::now()).unwrap_or_else(|| "–".into()),
        }
    }

    pub fn write(&self, run: &RunDirectory) -> Result<(), RunError> {
        run.write_json(ENVIRONMENT_FILE, self)
    }

    /// Reads the file; `None` if it does not exist.
    pub fn read(run: &RunDirectory) -> Result<Option<Self>, RunError> {
        let Some(bytes) = run.read(ENVIRONMENT_FILE)? else {
            return Ok(None);
        };
        let damaged = |error: serde_json::Error| RunError::Damaged {
            path: run.path(ENVIRONMENT_FILE),
            detail: error.to_string(),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_read_back_and_damage_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        assert_eq!(Environment::read(&run).unwrap(), None);
        let here = Environment::here("cpu");
        here.write(&run).unwrap();
        assert_eq!(Environment::read(&run).unwrap(), Some(here));
        run.write(ENVIRONMENT_FILE, b"{}").unwrap();
        let error = Environment::read(&run).unwrap_err().to_string();
        assert!(error.contains(ENVIRONMENT_FILE) && error.contains("device"), "{error}");
    }
}
