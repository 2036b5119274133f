//! Compares evaluated runs: intervals of their metrics, warnings if a metric cannot be trusted, and a paired test of
//! each run against the first. It uses saved predictions; nothing here trains or evaluates.

mod bootstrap;
mod comparison;
mod entry;
mod estimate;
#[cfg(test)]
mod example;
mod groups;
mod known_results;
mod predicted_set;
mod run_results;
mod split_facts;
mod text;
mod warnings;

pub use comparison::Comparison;
pub use entry::{Entry, runs_without};
