//! What every program needs besides its subject: random streams, files that appear whole, guarded calls, a log on stderr,
//! failures with their exit codes.

pub mod atomic_file;
pub mod failure;
pub mod guard;
pub mod log;
pub mod rng;
pub mod text;
