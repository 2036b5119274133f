//! The text of `--version`: version, commit and features.

/// `0.1.0 (commit 0123456789ab, features cuda)`.
#[must_use]
pub fn describe(version: &str, commit: Option<&str>, features: &[&str]) -> String {
    let commit = commit.map(|commit| format!("commit {commit}"));
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
    fn version_names_commit_and_features_if_there_are_any() {
        let commit = Some("0123456789ab");
        assert_eq!(describe("0.1.0", None, &[]), "0.1.0");
        assert_eq!(describe("0.1.0", commit, &[]), "0.1.0 (commit 0123456789ab)");
        assert_eq!(
            describe("0.1.0", commit, &["cuda"]),
            "0.1.0 (commit 0123456789ab, features cuda)"
        );
    }
}
