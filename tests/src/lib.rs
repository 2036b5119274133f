//! The synthetic music corpus of the quickstart, and a harness that builds and runs the two programs.
//!
//! `preprocess` and `train` are run as executables, never linked, so the tests see them as a user does.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod harness;
