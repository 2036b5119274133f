//! Runs each command and shows its report.

pub mod build;
mod dry_run;
pub mod extend;
pub mod inspect;
mod inspect_one;
pub mod manual;
pub mod merge;
mod result;
pub mod split;
pub mod verify;
