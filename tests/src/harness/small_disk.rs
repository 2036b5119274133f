//! Runs a script with a file system of limited size.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a shell script with a file system of `bytes` bytes mounted on `directory`. The script gets `directory` as `$1`
/// and `arguments` as `$2` and so on. The mount is in a namespace of its own and disappears when the script ends.
/// Prints the reason and returns `None` if this machine does not allow the mount.
///
/// # Panics
/// If the directory cannot be created.
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
            println!("skipped: could not mount a small file system: {refused:?}");
            None
        }
    }
}
