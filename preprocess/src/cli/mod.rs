//! The command line: one file per command. Arguments are resolved to complete, checked configurations before a command
//! starts a thread or writes a file.

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
