//! End-to-end tests: the programs as a user runs them, on real MP3 files, judged by files, output and exit status.

mod build;
mod split;
mod train;
mod usage;
mod verify;
