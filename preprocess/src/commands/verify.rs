//! `preprocess verify`.

use super::result::outcome;
use crate::build::threads::thread_pool;
use crate::cli::progress::{ByteProgress, Style};
use crate::cli::{VerifyArgs, jobs};
use crate::verify::{VerifyReport, repair, verify};
use serde_json::{Value, json};
use shared::runtime::outcome::{Incomplete, Outcome};
use shared::runtime::text::size;
use std::fmt::Write as _;

pub fn run(args: VerifyArgs, style: Style) -> anyhow::Result<Outcome> {
    let pool = thread_pool(jobs(args.jobs))?;
    let check = || pool.install(|| verify(&args.dataset, &ByteProgress::new(style)));
    let mut report = check()?;
    let mut repaired = Vec::new();
    if args.repair {
        repaired = repair::repair(&args.dataset, &report.problems, args.audio.as_deref(), &pool)?;
        if !repaired.is_empty() {
            report = check()?;
        }
    }
    Ok(show(&report, &repaired)?)
}

/// `report` was made after the shards in `repaired` were rebuilt.
fn show(report: &VerifyReport, repaired: &[String]) -> Result<Outcome, Incomplete> {
    let mut text = String::new();
    for problem in &report.problems {
        let _ = writeln!(text, "{}: {}", problem.file, problem.detail);
    }
    for file in repaired {
        let _ = writeln!(text, "{file}: repaired");
    }
    let found = match report.problems.len() {
        0 => "nothing is wrong".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let _ = write!(text, "{} files, {}: {found}", report.files, size(report.bytes));
    let problems: Vec<Value> = report
        .problems
        .iter()
        .map(|problem| json!({ "file": problem.file, "detail": problem.detail }))
        .collect();
    let json = json!({
        "files": report.files,
        "bytes": report.bytes,
        "problems": problems,
        "repaired": repaired,
    });
    let outcome = outcome("verify", text, json, &[]);
    match report.problems.len() {
        0 => Ok(outcome),
        _ => Err(Incomplete {
            outcome,
            sentence: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Problem;

    #[test]
    fn problem_is_shown_and_the_command_fails() {
        let mut report = VerifyReport {
            problems: Vec::new(),
            files: 9,
            bytes: 12_000,
        };
        let fine = show(&report, &["shards/mel-00000.safetensors".into()]).unwrap();
        assert!(fine.text.ends_with("9 files, 12.00 kB: nothing is wrong"));
        assert!(fine.text.contains("mel-00000.safetensors: repaired"));
        report.problems.push(Problem {
            file: "tracks.csv".into(),
            detail: "it is shorter".into(),
            shard: None,
        });
        let wrong = show(&report, &[]).unwrap_err().outcome;
        assert!(wrong.text.starts_with("tracks.csv: it is shorter\n"));
        assert_eq!(wrong.json["problems"][0]["file"], "tracks.csv");
    }
}
