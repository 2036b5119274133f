//! The runs below a directory: a row for each run and each set of runs.
//!
//! It reads small files of the runs only: settings, history and metrics. Nothing here evaluates, and a run that cannot be
//! read is a row with the reason.

mod find;
mod page;
mod row;
mod set;
mod state;
mod text;

pub use page::page;
pub use row::rows;
pub use text::text;

#[cfg(test)]
mod tests;
