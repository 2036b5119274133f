//! Pages of the documentation: their code blocks, links, headings and names in backticks.
//!
//! Every code block has a language. `sh` is run; `crontab` is run without its five time columns; `python` is run with
//! `scripts/python` in PYTHONPATH; blocks of other languages are not run.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A page of the documentation.
#[derive(Clone, Debug)]
pub struct Page {
    /// Path relative to the root of the repository.
    pub path: PathBuf,
    /// Its Markdown text.
    pub text: String,
}

impl Page {
    /// README.md and all pages in docs/, sorted by path.
    pub fn all() -> Vec<Self> {
        let mut paths = vec![PathBuf::from("README.md")];
        collect(&root().join("docs"), &mut paths);
        paths.sort();
        paths.iter().map(Self::read).collect()
    }

    /// Reads a page at a path relative to the root of the repository.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        let text = fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// The Markdown events of the page, each with its position as `PAGE:LINE`.
    fn events(&self) -> impl Iterator<Item = (Event<'_>, String)> {
        let parser = Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter();
        parser.map(|(event, range)| {
            let line = self.text[..range.start].matches('\n').count() + 1;
            (event, format!("{}:{line}", self.path.display()))
        })
    }

    /// The commands of the page as a bash script, which prints the position of each block before it runs. A block
    /// without a language is an error.
    pub fn script(&self) -> Result<String, String> {
        let mut script = String::new();
        let mut block = None;
        for (event, place) in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block = Some((language, place, String::new()));
                }
                Event::Text(part) => {
                    if let Some((_, _, text)) = &mut block {
                        *text += &part;
                    }
                }
                Event::End(TagEnd::CodeBlock) => {
                    let Some((language, place, text)) = block.take() else {
                        continue;
                    };
                    let commands = match &*language {
                        "" => return Err(format!("{place}: a code block without a language")),
                        "sh" => text,
                        "crontab" => text.lines().filter_map(without_times).collect(),
                        "python" => format!("python3 - << 'PYTHON'\n{text}PYTHON\n"),
                        _ => continue,
                    };
                    script += &format!("echo '== {place}' >&2\n{commands}");
                }
                _ => {}
            }
        }
        Ok(script)
    }

    /// The targets of its links and images, each with its position.
    pub fn links(&self) -> Vec<(String, String)> {
        let target = |(event, place)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some((dest_url.to_string(), place))
            }
            _ => None,
        };
        self.events().filter_map(target).collect()
    }

    /// The inline code of the page, each with its position.
    pub fn names(&self) -> Vec<(String, String)> {
        let name = |(event, place)| match event {
            Event::Code(name) => Some((name.to_string(), place)),
            _ => None,
        };
        self.events().filter_map(name).collect()
    }

    /// The anchors of its headings on GitHub: lower case, spaces as `-`, no other punctuation.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.text.lines().filter(|line| line.starts_with('#'));
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        headings
            .map(|line| {
                let heading = line.trim_start_matches('#').trim().to_lowercase();
                heading.chars().filter(kept).collect::<String>().replace(' ', "-")
            })
            .collect()
    }

    /// The path of a link target, relative to the root of the repository.
    pub fn target(&self, link: &str) -> PathBuf {
        let mut target = self.path.parent().unwrap_or(Path::new("")).to_owned();
        for part in Path::new(link).components() {
            if part.as_os_str() == ".." {
                target.pop();
            } else {
                target.push(part);
            }
        }
        target
    }

    /// The pages whose commands must run first: those linked in its line `Begins where ... end.`
    pub fn begins_where(&self) -> Vec<PathBuf> {
        let line = self.text.lines().find(|line| line.starts_with("Begins where "));
        let line = Self {
            path: self.path.clone(),
            text: line.unwrap_or_default().to_owned(),
        };
        line.links().iter().map(|(link, _)| self.target(link)).collect()
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

/// The command in a line of a crontab, where `%` is written as `\%`.
fn without_times(line: &str) -> Option<String> {
    let command = line.splitn(6, ' ').nth(5).filter(|_| !line.starts_with('#'))?;
    Some(command.replace("\\%", "%") + "\n")
}

/// A page for tests.
pub fn made_up(text: &str) -> Page {
    Page {
        path: "made-up.md".into(),
        text: text.into(),
    }
}

#[test]
fn only_command_blocks_are_run() {
    let page = made_up(
        "# A\n```sh\ntrain models\n```\ntext\n```json\n{}\n```\n\n- item\n  ```crontab\n  # Mondays\n  30 3 * * 1 date +\\%F\n  ```\n",
    );
    assert_eq!(
        page.script().unwrap(),
        "echo '== made-up.md:2' >&2\ntrain models\necho '== made-up.md:11' >&2\ndate +%F\n"
    );
    let nameless = made_up("```\nls\n```\n").script().unwrap_err();
    assert_eq!(nameless, "made-up.md:1: a code block without a language");
}
