//! Pages of the documentation, and the fenced blocks in them.
//!
//! Every fence says what is in it. `sh` is run; `crontab` is run without its five columns of times; `python` is run with
//! `scripts/python` in its path; everything else is shown only.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Relative to the root of the project.
    pub path: PathBuf,
    /// Its Markdown.
    pub text: String,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the opening fence.
    pub language: String,
    /// Line of the page in which its first line stands, from 1.
    pub line: usize,
    /// What is in it.
    pub text: String,
}

impl Page {
    /// README.md and everything in docs/, in the order of their paths.
    pub fn all() -> Vec<Self> {
        let mut paths = vec![PathBuf::from("README.md")];
        collect(&root().join("docs"), &mut paths);
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// The page at a path relative to the root of the project.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            path: path.to_owned(),
            text,
        }
    }

    /// Its fenced blocks, or what is wrong with one of them.
    pub fn blocks(&self) -> Result<Vec<Block>, String> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (at, line) in self.text.lines().enumerate() {
            let Some(info) = line.trim_start().strip_prefix("```") else {
                if let Some(block) = &mut open {
                    block.text += line;
                    block.text.push('\n');
                }
                continue;
            };
            match open.take() {
                Some(block) => blocks.push(block),
                None if info.is_empty() => {
                    return Err(format!(
                        "{}:{}: a fence without a language",
                        self.path.display(),
                        at + 1
                    ));
                }
                None => {
                    open = Some(Block {
                        language: info.to_owned(),
                        line: at + 2,
                        text: String::new(),
                    });
                }
            }
        }
        match open {
            Some(block) => Err(format!(
                "{}:{}: a fence without an end",
                self.path.display(),
                block.line
            )),
            None => Ok(blocks),
        }
    }

    /// The commands of the page, in order, as a script of bash that says before each block where it stands.
    pub fn script(&self) -> Result<String, String> {
        let mut script = String::new();
        for block in self.blocks()? {
            let commands = match block.language.as_str() {
                "sh" => block.text,
                "crontab" => crontab(&block.text)?,
                "python" => format!(
                    "PYTHONPATH=scripts/python python3 - << 'PYTHON'\n{}PYTHON\n",
                    block.text
                ),
                _ => continue,
            };
            script += &format!("echo '== {}:{}' >&2\n{commands}", self.path.display(), block.line);
        }
        Ok(script)
    }

    /// The pages at whose ends it begins: those linked in its line `Begins where ... end.`
    pub fn begins_where(&self) -> Vec<PathBuf> {
        let line = self.text.lines().find(|line| line.starts_with("Begins where "));
        let beside = self.path.parent().unwrap_or(Path::new(""));
        line.map(|line| links(line).into_iter().map(|link| normal(&beside.join(link))).collect())
            .unwrap_or_default()
    }

    /// What stands outside of fenced blocks, with the numbers of its lines.
    pub fn prose(&self) -> Vec<(usize, &str)> {
        let mut fenced = false;
        let lines = self.text.lines().enumerate();
        lines
            .filter(|(_, line)| {
                let fence = line.trim_start().starts_with("```");
                fenced ^= fence;
                !fenced && !fence
            })
            .map(|(at, line)| (at + 1, line))
            .collect()
    }
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
}

/// The commands of a crontab: lines without comments, their five columns of times and the backslashes before `%`.
fn crontab(text: &str) -> Result<String, String> {
    let entries = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let command = |line: &str| {
        let mut rest = line;
        for _ in 0..5 {
            let (time, after) = rest.trim_start().split_once(' ')?;
            if !time.chars().all(|c| c.is_ascii_digit() || "*/,-".contains(c)) {
                return None;
            }
            rest = after;
        }
        // cron takes the rest of a line from an unescaped % on for the command's input.
        let escaped = rest.matches("\\%").count();
        (escaped == rest.matches('%').count()).then(|| format!("{}\n", rest.trim().replace("\\%", "%")))
    };
    entries
        .map(|line| command(line).ok_or_else(|| format!("`{line}` is no line of a crontab")))
        .collect()
}

/// The targets of the Markdown links in a line.
pub fn links(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        if let Some(end) = rest.find(')') {
            targets.push(&rest[..end]);
        }
    }
    targets
}

/// A path without `..`.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == ".." {
            normal.pop();
        } else {
            normal.push(part);
        }
    }
    normal
}

/// The anchor that a heading has on GitHub: lower case, spaces as `-`, no other punctuation.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A page that is not in the documentation.
pub fn made_up(text: &str) -> Page {
    Page {
        path: "made-up.md".into(),
        text: text.into(),
    }
}

#[test]
fn only_blocks_of_commands_are_run() {
    let page = made_up("# A\n```sh\ntrain models\n```\ntext\n```json\n{}\n```\n  ```sh\n  ls\n  ```\n");
    assert_eq!(
        page.script().unwrap(),
        "echo '== made-up.md:3' >&2\ntrain models\necho '== made-up.md:10' >&2\n  ls\n"
    );
    let prose: Vec<usize> = page.prose().iter().map(|(line, _)| *line).collect();
    assert_eq!(prose, [1, 5]);
}

#[test]
fn a_fence_without_a_language_or_an_end_is_an_error() {
    assert!(
        made_up("```\nls\n```\n")
            .script()
            .unwrap_err()
            .contains(":1: a fence without a language")
    );
    assert!(made_up("```sh\nls\n").script().unwrap_err().contains("without an end"));
}

#[test]
fn a_crontab_is_run_without_its_times() {
    let page = made_up("```crontab\n# Mondays\n30 3 * * 1 cd \"$HOME\" && date +\\%F\n```\n");
    assert_eq!(
        page.script().unwrap(),
        "echo '== made-up.md:2' >&2\ncd \"$HOME\" && date +%F\n"
    );
    for wrong in ["30 3 * * date", "30 3 * * 1 date +%F"] {
        let page = made_up(&format!("```crontab\n{wrong}\n```\n"));
        assert!(
            page.script().unwrap_err().contains("is no line of a crontab"),
            "{wrong}"
        );
    }
}
