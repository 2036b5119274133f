//! Checks README.md and docs/ against the programs and runs their commands.
//!
//! All command blocks of a page run in order in a directory that looks like a new clone (`scratch`). A few commands are
//! replaced (`replaced`).

mod facts;
mod fields;
mod page;
mod python;
mod replaced;
mod scratch;

use page::{Page, made_up};
use scratch::Pages;
use std::collections::BTreeSet;
use std::time::Instant;

#[test]
fn all_commands_of_all_pages_run() {
    let mut pages = Pages::default();
    let mut failures = Vec::new();
    let mut found = BTreeSet::new();
    for page in Page::all().iter().filter(|page| page.script() != Ok(String::new())) {
        let begin = Instant::now();
        match pages.run(page) {
            Ok(home) => {
                fields::check_names(&home.join("cratedigger"));
                found.extend(fields::check(&home.join("cratedigger")));
            }
            Err(output) => failures.push(output),
        }
        println!("{:5.1} s  {}", begin.elapsed().as_secs_f32(), page.path.display());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert_eq!(
        found,
        fields::all(),
        "the files that pages create and the files that the reference describes differ"
    );
}

#[test]
fn page_with_a_wrong_command_fails() {
    let home = scratch::create(&[]);
    let good = made_up("```sh\ntrain models\ntrain fit --help > help.txt\n```\n\n```text\ntrain fly\n```\n");
    assert_eq!(scratch::run(&good, home.path()), Ok(()));
    for (commands, expected) in [
        ("train models --colour", "--colour"),
        (
            "train fit --data fma --model crnn --run run --epoch-count 3",
            "--epoch-count",
        ),
        (
            "preprocess build --source gtzan --audio genres --out x --loudness 3",
            "--loudness",
        ),
        (
            "train fit --data missing --model crnn --run run",
            "missing is not a data set",
        ),
        ("preprocess split fma --strategy astrology", "astrology"),
        ("train fly", "fly"),
        ("make-corpus --out x --genres 3", "--genres"),
        ("scripts/fetch_fma.sh --mirror x", "made-up.md:1"),
        ("scripts/papers/gtzan.sh --albums x", "does not have --albums"),
        ("scripts/gone.sh", "No such file"),
        ("sbatch --gpus-per-pod=1 scripts/slurm/train.sh", "--gpus-per-pod"),
        ("cargo build --fast", "--fast"),
        ("false | true", "made-up.md:1"),
        ("echo \"$UNSET\"", "UNSET"),
    ] {
        let page = made_up(&format!("```sh\n{commands}\n```\n"));
        let output = scratch::run(&page, home.path()).expect_err(commands);
        assert!(output.contains(expected), "{commands}: {output}");
    }
}

#[test]
fn every_replacement_is_used_and_has_a_reason() {
    let commands: String = Page::all().iter().map(|page| page.script().unwrap()).collect();
    for replaced in replaced::REPLACED {
        let name = replaced.name.split('*').next().unwrap_or_default();
        assert!(commands.contains(name), "no page runs {}", replaced.name);
        assert!(
            replaced.reason.ends_with('.'),
            "the reason for replacing {} must be a sentence",
            replaced.name
        );
    }
}
