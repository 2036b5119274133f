//! The project's words: those of PyTorch, scikit-learn and librosa, one for each thing.

use regex::Regex;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Patterns of words that this project does not use, and the word or sentence to use instead.
const AVOIDED: [(&str, &str); 23] = [
    (r"(?i)\bfigures?\b", "metric, value, number"),
    (r"(?i)\bjudg", "evaluate"),
    (r"(?i)\b(un)?heard\b|\blisteners?\b", "decoded, decoder"),
    (r"(?i)\blive split\b", "current split"),
    (r"(?i)\bfresh (weights|model|layer)", "newly initialized"),
    (r"(?i)\bh[eo]ld against\b", "compare with, check"),
    (r"(?i)\bis told by\b|\bare told apart\b", "select, distinguish"),
    (r"(?i)\bthat (is|are) none\b", "say what it is instead"),
    (r"(?i)\bha(s|ve) not[,.;)]", "does not have"),
    (r"(?i)\bbut for\b", "except"),
    (r"(?i)\bbesides?\b", "next to, and"),
    (r"(?i)\bso that\b", "so"),
    (r"(?i)\benters?\b.{1,60}\bleaves?\b", "say what the module does"),
    (
        r"(?i)^\s*//[/!]? what (is|was|are|were|training|makes?)\b.*\.$",
        "a sentence with a verb",
    ),
    (r"(?i)\bsurroundings\b|\bfates?\b|\bstandings?\b", "the thing's name"),
    (r"(?i)\bmakes? small\b", "the loss"),
    (r"(?i)\bfare[sd]?\b", "statistics"),
    (r"(?i)\bthere is none yet\b|\bwhere none\b", "does not exist, no ..."),
    (
        r"(?i)\bgone on with\b|\bgoes on with\b|\bgo on with\b",
        "resume, continue",
    ),
    (r"(?i)\b(frame|excerpt).seconds\b", "clip-seconds"),
    (r"(?i)\btrain features\b", "train embed"),
    (r"\bfn of\(", "new, from_..."),
    (r"(?i)\bnone for none\b", "none to disable"),
];

/// Lines that contain one of these may use the words: names that others chose.
const ALLOWED: [&str; 6] = [
    // HTML and the DOM.
    "addEventListener",
    "figure {",
    "figure,",
    "figure.",
    // Statistics of one prefetch run have no such word; a file of proptest has.
    "prop::option::of(",
    "matplotlib",
];

/// Files of the repository with one of these extensions, without what builds leave.
fn files(directory: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "golden") {
                files(&path, extensions, found);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extensions.iter().any(|&one| extension == one))
        {
            found.push(path);
        }
    }
}

/// The repository's text files and their contents, except this file.
fn texts(extensions: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for directory in ["shared", "preprocess", "train", "tests", "fuzz", "scripts", "docs"] {
        files(&root.join(directory), extensions, &mut found);
    }
    found.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|file| root.join(file)));
    found.sort();
    let name = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    let text = |path: PathBuf| (name(&path), fs::read_to_string(&path).unwrap());
    found
        .into_iter()
        .map(text)
        .filter(|(name, _)| name != "tests/e2e/words.rs")
        .collect()
}

#[test]
fn sources_and_docs_use_the_words_of_the_field() {
    let avoided = AVOIDED.map(|(pattern, instead)| (Regex::new(pattern).unwrap(), instead));
    let mut wrong = String::new();
    for (file, text) in texts(&["rs", "md", "sh", "py", "awk", "css", "js", "toml"]) {
        for (number, line) in text.lines().enumerate() {
            if ALLOWED.iter().any(|word| line.contains(word)) {
                continue;
            }
            for (pattern, instead) in &avoided {
                if let Some(found) = pattern.find(line) {
                    let _ = writeln!(wrong, "{file}:{}: `{}`: {instead}", number + 1, found.as_str());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "use other words:\n{wrong}");
}

/// All errors and warnings in the sources, as they are written there. They are also listed in
/// `target/tmp/messages.md`, to be read as a whole.
#[test]
fn messages_are_one_sentence_without_a_full_stop() {
    let literal = r#""((?:[^"\\]|\\.)*)""#;
    let begin = [
        r"#\[error\(",
        r"\b(?:invalid|refuse|fail)\((?:[^()]*,\s*)?(?:format!\()?",
        r"(?:bail|anyhow)!\(",
        r"\bcontext\(",
        r"with_context\(\|\| (?:\{\s*)?format!\(",
        r"warn!\((?:[^()]*,\s*)?",
    ]
    .join("|");
    let message = Regex::new(&format!(r"(?s)(?:{begin})\s*{literal}")).unwrap();
    let line_end = Regex::new(r"\\\n\s*").unwrap();
    let (mut list, mut wrong, mut count) = (String::from("# Errors and warnings\n"), String::new(), 0);
    for (file, text) in texts(&["rs"]) {
        if file.starts_with("tests/") || file.contains("/tests") || file.contains("testing") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let mut messages = message.captures_iter(code).peekable();
        if messages.peek().is_some() {
            let _ = writeln!(list, "\n## {file}\n");
        }
        for found in messages {
            let text = line_end
                .replace_all(&found[1], "")
                .replace("\\n", " ")
                .replace("\\\"", "\"");
            let _ = writeln!(list, "- {text}");
            count += 1;
            if text.ends_with('.') && !text.ends_with("...") || text.contains(". ") {
                let _ = writeln!(wrong, "{file}: {text}");
            }
        }
    }
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages.md"), list).unwrap();
    assert!(
        count > 250,
        "only {count} messages were found: the pattern no longer matches"
    );
    assert!(wrong.is_empty(), "these messages are not one sentence:\n{wrong}");
}
