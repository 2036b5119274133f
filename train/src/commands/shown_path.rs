//! File names in the output of commands.

use std::path::Path;

/// A path for display. Control characters are escaped, so a name cannot break lines or send commands to the terminal.
pub(super) fn shown(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}
