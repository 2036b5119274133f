//! Checks the order of modules: a module listed in a crate's `lib.rs` may import only from modules listed before it.

use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};

/// Source files below a directory, without those of tests.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if matches!(name, "tests" | "testing") {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn modules_import_only_from_modules_before_them() {
    let module = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let import = Regex::new(r"\bcrate::(\w+|\{)").unwrap();
    let mut upward = Vec::new();
    for name in ["shared", "preprocess", "train"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let lib = fs::read_to_string(root.join("lib.rs")).unwrap();
        let modules: Vec<&str> = module
            .captures_iter(&lib)
            .map(|found| found.extract::<1>().1[0])
            .collect();
        assert!(modules.len() > 3, "{name} has only the modules {modules:?}");
        let place = |name: &str| modules.iter().position(|&other| other == name);
        for (rank, name) in modules.iter().enumerate().filter(|(_, name)| **name != "testing") {
            let directory = root.join(name);
            for file in sources(&directory) {
                let text = fs::read_to_string(&file).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                for (number, line) in code.lines().enumerate() {
                    let line = line.split("//").next().unwrap();
                    for found in import.captures_iter(line) {
                        let is_upward = place(&found[1]).is_some_and(|other| other > rank) && &found[1] != "testing";
                        if is_upward || &found[1] == "{" {
                            upward.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                        }
                    }
                }
            }
        }
    }
    assert!(
        upward.is_empty(),
        "these imports are from later modules:\n{}",
        upward.join("\n")
    );
}
