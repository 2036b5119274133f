//! End-to-end tests: the programs as a user runs them, on real audio files, judged by files, output and exit status.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files fails with the place where it tried"
)]

mod bench;
mod build;
mod papers;
mod sources;
mod split;
mod tables;
mod train;
mod transfer;
mod usage;
mod verify;
