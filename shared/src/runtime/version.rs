//! The text of `--version`: version, commit and features.

/// The first twelve digits of a commit.
pub type Commit = [u8; 12];

/// The commit that was checked out, from the content of git's log of `HEAD`. A constant, so the program contains the
/// commit and not the log. `None` without a log.
#[must_use]
pub const fn commit(reflog: Option<&[u8]>) -> Option<Commit> {
    // The last line is `OLD NEW NAME <EMAIL> TIME ZONE`, a tab and a message.
    let Some(log) = reflog else { return None };
    let mut at = log.len().saturating_sub(1);
    while at > 0 && log[at - 1] != b'\n' {
        at -= 1;
    }
    while at < log.len() && log[at] != b' ' {
        at += 1;
    }
    let mut commit = [0; 12];
    if at + commit.len() >= log.len() {
        return None;
    }
    let mut digit = 0;
    while digit < commit.len() {
        commit[digit] = log[at + 1 + digit];
        if !commit[digit].is_ascii_hexdigit() {
            return None;
        }
        digit += 1;
    }
    Some(commit)
}

/// `0.1.0 (commit 0123456789ab, features cuda)`.
#[must_use]
pub fn describe(version: &str, commit: Option<Commit>, features: &[&str]) -> String {
    let commit = commit.map(|commit| format!("commit {}", String::from_utf8_lossy(&commit)));
    let features = (!features.is_empty()).then(|| format!("features {}", features.join(", ")));
    match [commit, features].into_iter().flatten().collect::<Vec<_>>().join(", ") {
        details if details.is_empty() => version.to_owned(),
        details => format!("{version} ({details})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_is_read_from_the_last_line_of_a_reflog() {
        let zeros = "0".repeat(40);
        let (first, second) = ("1f".repeat(20), "2e".repeat(20));
        let log = format!(
            "{zeros} {first} A <a@b> 1 +0000\tclone: from x y\n{first} {second} A <a@b> 2 +0000\tcommit: one two\n"
        );
        assert_eq!(commit(Some(log.as_bytes())), Some(*b"2e2e2e2e2e2e"));
        assert_eq!(commit(Some(log.trim_end().as_bytes())), Some(*b"2e2e2e2e2e2e"));
        for damaged in ["", "\n", "no reflog", "1f 2e2e2e", "1f message that is not hexadecimal"] {
            assert_eq!(commit(Some(damaged.as_bytes())), None, "{damaged}");
        }
        assert_eq!(commit(None), None);
    }

    #[test]
    fn version_names_commit_and_features_if_there_are_any() {
        let commit = Some(*b"0123456789ab");
        assert_eq!(describe("0.1.0", None, &[]), "0.1.0");
        assert_eq!(describe("0.1.0", commit, &[]), "0.1.0 (commit 0123456789ab)");
        assert_eq!(
            describe("0.1.0", commit, &["cuda"]),
            "0.1.0 (commit 0123456789ab, features cuda)"
        );
    }
}
