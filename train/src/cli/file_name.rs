//! Parses names of files that a command writes.

use std::path::PathBuf;

/// A path with this extension. Another name is refused, because the output would replace the file.
pub fn with_extension(text: &str, extension: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let has_it = path
        .extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(extension));
    has_it
        .then_some(path)
        .ok_or_else(|| format!("give a name that ends with .{extension}"))
}
