//! The command line: what was typed, resolved to configurations that are complete and consistent before any thread is
//! started or any file is written. The arguments of a command are in the file of its name; what it does is in
//! `commands/`.

mod build;
mod command_line;
mod extend;
mod features;
mod inspect;
mod jobs;
mod merge;
pub mod progress;
mod split;
mod verify;

pub use build::BuildArgs;
pub use command_line::{Cli, Command};
pub use extend::ExtendArgs;
pub use inspect::InspectArgs;
pub use jobs::jobs;
pub use merge::MergeArgs;
pub use split::{SplitArgs, SplitTask};
pub use verify::VerifyArgs;
