//! What each command does: it reads what is asked, does it, and shows the report.

pub mod build;
pub mod extend;
pub mod inspect;
pub mod manual;
pub mod merge;
mod result;
pub mod split;
pub mod verify;
