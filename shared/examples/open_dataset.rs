//! Measures how long it takes to open a data set, as every training does: index, table, and the header of each shard.
//!
//! ```sh
//! cargo run --release -p shared --example open_dataset -- DATASET
//! ```
//!
//! Prints the seconds, without the start of the program.

#![forbid(unsafe_code)]

use shared::dataset::Dataset;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let Some(root) = std::env::args_os().nth(1) else {
        eprintln!("error: give the data set's directory");
        return ExitCode::from(2);
    };
    let begin = Instant::now();
    match Dataset::open(Path::new(&root)) {
        Ok(_) => {
            println!("{:.4}", begin.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}
