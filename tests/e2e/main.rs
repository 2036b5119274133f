//! End-to-end tests: the programs as a user runs them, on real audio files, evaluated by files, output and exit status.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files fails with the place where it tried"
)]

mod bench;
mod build;
mod current_split;
mod documentation;
mod errors;
mod flipped_bits;
mod folds;
mod full_disk;
mod inspect;
mod killed;
mod killed_training;
mod outputs;
mod own_music;
mod papers;
mod parts;
mod places;
mod predict;
mod predictions;
mod recordings;
mod report;
mod report_screenshots;
mod rooms;
mod scoreboard;
mod sources;
mod split;
mod sweep;
mod tables;
mod tensorboard;
mod train;
mod train_signals;
mod training_disks;
mod transfer;
mod usage;
mod verify;
mod words;

/// How often a fault is tried: as often as CRATEDIGGER_FAULT_ROUNDS says, or `usual` times.
fn rounds(usual: usize) -> usize {
    let asked = std::env::var("CRATEDIGGER_FAULT_ROUNDS").ok();
    asked.map_or(usual, |rounds| {
        rounds.parse().expect("CRATEDIGGER_FAULT_ROUNDS is a number")
    })
}
