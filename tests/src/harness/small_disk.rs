//! A file system of a given size, for as long as a script runs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a shell script with a file system of `bytes` bytes mounted on `directory`, which is `$1`; `arguments` are `$2` and
/// so on. It is mounted in a namespace of the script's own and is gone when the script ends. None, with the reason
/// printed, where this machine does not allow that.
///
/// # Panics
/// If the directory cannot be made.
pub fn on_a_small_disk(directory: &Path, bytes: u64, script: &str, arguments: &[&Path]) -> Option<Output> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(directory).args(arguments);
        command.output()
    };
    fs::create_dir_all(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mount = format!("mount -t tmpfs -o size={bytes} none \"$1\"");
    match unshare(&mount) {
        Ok(output) if output.status.success() => unshare(&format!("{mount} && {script}")).ok(),
        refused => {
            println!("skipped: a small file system cannot be mounted here: {refused:?}");
            None
        }
    }
}
