//! No import looks up: the modules of each crate's `lib.rs`, its rooms, import only from the rooms before them.

use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};

/// The files below a directory that are compiled into the program: not those of tests.
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
fn rooms_import_only_from_rooms_before_them() {
    let module = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let import = Regex::new(r"\bcrate::(\w+|\{)").unwrap();
    let mut upward = Vec::new();
    for name in ["shared", "preprocess", "train"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let lib = fs::read_to_string(root.join("lib.rs")).unwrap();
        let rooms: Vec<&str> = module
            .captures_iter(&lib)
            .map(|found| found.extract::<1>().1[0])
            .collect();
        assert!(rooms.len() > 3, "{name} has rooms: {rooms:?}");
        let place = |room: &str| rooms.iter().position(|&other| other == room);
        for (rank, room) in rooms.iter().enumerate().filter(|(_, room)| **room != "testing") {
            let directory = root.join(room);
            for file in sources(&directory) {
                let text = fs::read_to_string(&file).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                for (number, line) in code.lines().enumerate() {
                    let line = line.split("//").next().unwrap();
                    for found in import.captures_iter(line) {
                        let looks_up = place(&found[1]).is_some_and(|other| other > rank) && &found[1] != "testing";
                        if looks_up || &found[1] == "{" {
                            upward.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                        }
                    }
                }
            }
        }
    }
    assert!(upward.is_empty(), "these imports look up:\n{}", upward.join("\n"));
}
