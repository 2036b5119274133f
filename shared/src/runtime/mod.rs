//! What a program needs besides its subject: random streams, files that appear whole, guarded calls, the log, the command
//! line's end. Each file is one noun. Nothing here knows of audio or of data sets, or prints a result of its own.

pub mod atomic_file;
pub mod command_line;
pub mod file_error;
pub mod guard;
pub mod lock;
pub mod log;
pub mod manual;
pub mod outcome;
pub mod progress;
pub mod rng;
pub mod text;
