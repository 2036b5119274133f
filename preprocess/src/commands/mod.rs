//! Runs each command and shows its report.

pub mod build;
pub mod extend;
pub mod inspect;
pub mod manual;
pub mod merge;
mod result;
pub mod split;
pub mod verify;
