//! End-to-end tests: the programs as a user runs them, on real audio files, judged by files, output and exit status.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files fails with the place where it tried"
)]

mod bench;
mod build;
mod full_disk;
mod killed;
mod live_split;
mod papers;
mod parts;
mod places;
mod sources;
mod split;
mod tables;
mod train;
mod transfer;
mod usage;
mod verify;

/// How often a test at random moments or places tries: so often as `CRATEDIGGER_FAULT_ROUNDS` says, or as is given here.
fn rounds(usual: usize) -> usize {
    std::env::var("CRATEDIGGER_FAULT_ROUNDS").map_or(usual, |rounds| {
        rounds
            .parse()
            .unwrap_or_else(|_| panic!("CRATEDIGGER_FAULT_ROUNDS is a number, not `{rounds}`"))
    })
}
