//! A setting that is refused.

/// Settings that cannot be trained with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name} {problem}")]
pub struct InvalidSetting {
    name: String,
    problem: String,
}

/// A setting that cannot be trained with, and why.
pub fn invalid(name: impl Into<String>, problem: impl Into<String>) -> InvalidSetting {
    InvalidSetting {
        name: name.into(),
        problem: problem.into(),
    }
}
