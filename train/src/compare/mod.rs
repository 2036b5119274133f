//! Which run is better, how sure that is, and what is suspicious about it.
//!
//! Tables of predictions and what is known of their splits enter; intervals, paired tests and remarks leave. Nothing here
//! trains or judges anew.

mod board;
pub mod bootstrap;
mod entry;
#[cfg(test)]
mod example;
mod judged;
pub mod marks;
mod outcomes;
pub mod paired;
mod ranked;
mod standings;
pub mod text;
mod units;

pub use board::{Adjusted, Board, Versus};
pub use entry::{Entry, Figure, SplitFacts, runs_without};
pub use judged::{Judged, NotJudged, NotPaired};
pub use outcomes::{ClassOutcomes, Outcomes, Pair, TagOutcomes};
pub use units::Units;
