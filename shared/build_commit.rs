//! The build script of both programs. Writes `reflog.rs`, an expression for [`shared::runtime::version::commit`]: the
//! content of git's log of `HEAD`, or `None` if this is not a clone.
//!
//! The programs include the log itself, not the commit. So a new commit recompiles `main.rs`, but not the libraries, which
//! every rerun of a build script does.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=../shared/build_commit.rs");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    let reflog = reflog(&root.join(".git"))
        .and_then(|path| path.canonicalize().ok())
        .and_then(|path| Some(format!("Some(include_bytes!({:?}).as_slice())", path.to_str()?)));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("reflog.rs");
    fs::write(out, reflog.unwrap_or("None".into())).expect("the output directory is writable");
}

/// The log of `HEAD`. Reruns this script if git's files are moved or deleted.
fn reflog(git: &Path) -> Option<PathBuf> {
    let (directory, marker) = if git.is_dir() {
        (git.to_owned(), git.join("config"))
    } else {
        // In a linked worktree it is a file that names the directory.
        let text = fs::read_to_string(git).ok()?;
        (git.parent()?.join(text.strip_prefix("gitdir:")?.trim()), git.to_owned())
    };
    println!("cargo::rerun-if-changed={}", marker.display());
    Some(directory.join("logs/HEAD"))
}
