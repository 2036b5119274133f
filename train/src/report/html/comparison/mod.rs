//! The page that compares several runs, or sets of runs.
//!
//! It takes evaluated runs with their intervals and paired tests, and gives a page with a row, a colour and a column for
//! each. A set of runs counts as one. Nothing here computes intervals.

mod contestant;
mod intervals;
mod metrics;
mod page;

pub use contestant::Contestant;
pub use page::comparison;
