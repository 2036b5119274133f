//! The error for an invalid setting.

/// An invalid setting: its name and the problem form one sentence.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name} {problem}")]
pub struct InvalidSetting {
    name: String,
    problem: String,
}

pub fn invalid(name: impl Into<String>, problem: impl Into<String>) -> InvalidSetting {
    InvalidSetting {
        name: name.into(),
        problem: problem.into(),
    }
}
