//! What the end-to-end tests stand on: the quickstart's corpus of synthetic music, and a harness that builds and runs
//! the two programs.
//!
//! Nothing here is part of `preprocess` or `train`; those are only run, never linked, so that the tests see them as a
//! user does.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod harness;
