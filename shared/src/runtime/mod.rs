//! Infrastructure of both programs: random streams, atomic files, protocol buffers, guarded calls, logging, the command
//! line and exit codes. Nothing here depends on audio or data sets.

pub mod atomic_file;
pub mod command_line;
pub mod file_error;
pub mod guard;
pub mod lock;
pub mod log;
pub mod manual;
pub mod outcome;
pub mod output_file;
pub mod progress;
pub mod protobuf;
pub mod rng;
pub mod text;
pub mod version;
