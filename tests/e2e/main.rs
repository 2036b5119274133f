//! End-to-end tests: run the programs on real audio files as a user does and check files, output and exit status.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a panic in a test shows where it failed")]

mod bench;
mod build;
mod calibration;
mod current_split;
mod documentation;
mod errors;
mod flipped_bits;
mod folds;
mod full_disk;
mod gpu;
mod import;
mod inspect;
mod killed;
mod killed_training;
mod outputs;
mod own_music;
mod owned_files;
mod papers;
mod parts;
mod places;
mod predict;
mod predictions;
mod recordings;
mod report;
mod report_screenshots;
mod rooms;
mod runs;
mod scoreboard;
mod similar;
mod sources;
mod split;
mod sweep;
mod tables;
mod tensorboard;
mod timeline;
mod train;
mod train_signals;
mod training_disks;
mod transfer;
mod usage;
mod verify;
mod words;

/// Number of repetitions of a fault test: CRATEDIGGER_FAULT_ROUNDS, or `default`.
fn rounds(default: usize) -> usize {
    let rounds = std::env::var("CRATEDIGGER_FAULT_ROUNDS").ok();
    rounds.map_or(default, |rounds| {
        rounds.parse().expect("CRATEDIGGER_FAULT_ROUNDS is a number")
    })
}
