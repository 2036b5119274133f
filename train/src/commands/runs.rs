//! `train runs`.

use super::Outcome;
use crate::catalog::{page, rows, text};
use crate::cli::RunsArgs;
use crate::process::console::Console;
use crate::process::text_table::terminal_width;
use anyhow::bail;
use serde_json::json;
use shared::runtime::atomic_file;
use shared::runtime::output_file::check_place;
use shared::runtime::text::shown;

/// Lists the runs below a directory.
pub fn run_runs(args: &RunsArgs, console: Console) -> anyhow::Result<Outcome> {
    let root = &args.directory;
    let rows = rows(root)?;
    if rows.is_empty() {
        bail!("{} has no runs; start one with `train fit`", shown(root));
    }
    if let Some(file) = &args.html {
        check_place("--html", file, &[])?;
        atomic_file::write_bytes(file, page(&rows, root, file).as_bytes())?;
        console.line(&format!("wrote {}", shown(file)));
    }
    let list: Vec<_> = rows.iter().map(|row| row.to_json()).collect();
    Ok(Outcome {
        text: text(&rows, root, terminal_width()),
        json: json!({ "command": "runs", "runs": list, "page": args.html }),
    })
}
