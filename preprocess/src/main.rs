//! The program `preprocess`: arguments in, one of the commands, results on stdout, progress and warnings on stderr.
//!
//! Exit status 0 when done, 1 when it failed, 2 when it was called wrongly.

#![forbid(unsafe_code)]

use anyhow::{Context, ensure};
use clap::Parser;
use preprocess::build::pipeline;
use preprocess::build::recorded::Recorded;
use preprocess::cli::manual;
use preprocess::cli::progress::{ByteProgress, Style, TrackProgress};
use preprocess::cli::report::{self, Outcome, Written};
use preprocess::cli::{
    self, BuildArgs, Cli, Command, ExtendArgs, InspectArgs, MergeArgs, SplitArgs, SplitTask, UsageError, VerifyArgs,
};
use preprocess::inspect::duplicates::DuplicateReport;
use preprocess::inspect::files::TrackLabels;
use preprocess::inspect::labels::LabelReport;
use preprocess::inspect::picture::TrackPicture;
use preprocess::inspect::{Analysis, Overview, files, page};
use preprocess::verify::repair;
use preprocess::{extend, merge, split, verify};
use shared::dataset::Dataset;
use shared::runtime::atomic_file::write_bytes;
use shared::runtime::failure::{self, Failure};
use shared::runtime::log;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use tracing::Level;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error, failure::wants_json(&arguments)),
    };
    let level = if cli.quiet { Level::WARN } else { Level::INFO };
    log::show("preprocess", level, cli.log_format);
    let style = Style::detect(cli.quiet);
    let outcome = match cli.command {
        Command::Build(args) => build(args, style),
        Command::Merge(args) => make_whole(args, style),
        Command::Extend(args) => add_features(args, style),
        Command::Split(args) => make_split(args),
        Command::Verify(args) => verify(args, style),
        Command::Inspect(args) => inspect(args, style),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::pages(&directory),
    };
    match print(&outcome, cli.json) {
        Ok(()) => {}
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            tracing::error!("could not write to standard output: {error}");
            return ExitCode::from(1);
        }
    }
    match outcome {
        Ok(outcome) => ExitCode::from(u8::from(!outcome.ok)),
        Err(error) if error.is::<UsageError>() => ExitCode::from(2),
        Err(_) => ExitCode::from(1),
    }
}

/// Prints help, the version or a usage error, and chooses the exit code.
fn not_parsed(error: &clap::Error, json: bool) -> ExitCode {
    // There is no other place to complain.
    let _ = error.print();
    if json && error.use_stderr() {
        let message = failure::usage_message(&error.render().to_string());
        let _ = writeln!(io::stdout(), "{}", Failure::Usage.json(&message));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn print(outcome: &anyhow::Result<Outcome>, json: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let line = match outcome {
        Ok(outcome) => {
            for warning in &outcome.warnings {
                tracing::warn!("{warning}");
            }
            writeln!(stdout, "{}", outcome.text)?;
            outcome.json.clone()
        }
        Err(error) => {
            let kind = if error.is::<UsageError>() {
                Failure::Usage
            } else {
                Failure::Failed
            };
            let error = format!("{error:#}");
            tracing::error!("{error}");
            kind.json(&error)
        }
    };
    if json {
        writeln!(stdout, "{line}")?;
    }
    stdout.flush()
}

fn build(args: BuildArgs, style: Style) -> anyhow::Result<Outcome> {
    let recorded = Recorded::read(&args.out)?;
    let config = args.resolve(recorded.as_ref())?;
    let report = pipeline::build(&config, &mut TrackProgress::new(style))?;
    Ok(report::build("build", &report, &config.out))
}

fn make_whole(args: MergeArgs, style: Style) -> anyhow::Result<Outcome> {
    let config = args.resolve();
    let report = merge::merge(&config, &mut TrackProgress::new(style))?;
    Ok(report::build("merge", &report, &config.out))
}

fn add_features(args: ExtendArgs, style: Style) -> anyhow::Result<Outcome> {
    let own = Dataset::read_index(&args.dataset)?.features;
    let config = args.resolve(&own)?;
    let begin = Instant::now();
    let report = extend::extend(&config, &mut TrackProgress::new(style))?;
    Ok(report::extend(&report, begin.elapsed().as_secs_f64()))
}

fn make_split(args: SplitArgs) -> anyhow::Result<Outcome> {
    Ok(match args.resolve()? {
        SplitTask::Make(config) => report::split(&split::make(&config)?),
        SplitTask::MakeFolds(config) => report::folds(&split::make_folds(&config)?),
        SplitTask::Prune(dataset) => report::prune(&split::prune(&dataset)?),
    })
}

fn pool(jobs: Option<NonZeroUsize>) -> anyhow::Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(cli::jobs(jobs))
        .build()
        .context("could not start threads; use a lower --jobs")
}

fn verify(args: VerifyArgs, style: Style) -> anyhow::Result<Outcome> {
    let pool = pool(args.jobs)?;
    let check = || pool.install(|| verify::verify(&args.dataset, &ByteProgress::new(style)));
    let mut report = check()?;
    let mut repaired = Vec::new();
    if args.repair {
        repaired = repair::repair(&args.dataset, &report.problems, args.audio.as_deref(), &pool)?;
        if !repaired.is_empty() {
            report = check()?;
        }
    }
    Ok(report::verify(&report, &repaired))
}

fn inspect(args: InspectArgs, style: Style) -> anyhow::Result<Outcome> {
    if args.labels {
        let labels = LabelReport::read(&args.dataset)?;
        if let Some(svg) = &args.svg {
            write_bytes(svg, labels.picture().as_bytes())?;
        }
        return Ok(report::labels(&labels, args.svg.as_deref()));
    }
    if args.duplicates {
        return Ok(report::duplicates(&DuplicateReport::read(&args.dataset)?));
    }
    match (args.track, &args.png) {
        (Some(track_id), Some(png)) => draw_track(&args.dataset, track_id, png),
        _ => inspect_all(&args, style),
    }
}

fn inspect_all(args: &InspectArgs, style: Style) -> anyhow::Result<Outcome> {
    let overview = Overview::read(&args.dataset)?;
    let mut written = Written::default();
    if let Some(config) = args.analysis_config() {
        let analysis = pool(args.jobs)?.install(|| Analysis::of(&config, &ByteProgress::new(style)))?;
        ensure!(
            analysis.dataset == overview.index.checksum,
            "{} has grown while it was looked at; give the same command again",
            args.dataset.display()
        );
        let labels = TrackLabels::read(&args.dataset)?;
        if let Some(directory) = &args.analysis {
            let names = files::write(&analysis, &labels, directory)?;
            written.analysis = Some((directory.clone(), names));
        }
        if let Some(html) = &args.html {
            page::write(html, &overview, &analysis, &labels, &config)?;
            written.html = Some(html.clone());
        }
    }
    Ok(report::inspect(&overview, &written))
}

fn draw_track(dataset: &Path, track_id: u64, png: &Path) -> anyhow::Result<Outcome> {
    let dataset = Dataset::open(dataset)?;
    let position = dataset.position(track_id).with_context(|| {
        format!(
            "{} has no track {track_id}; tracks.csv and rejected.csv list all",
            dataset.root().display()
        )
    })?;
    let picture = TrackPicture {
        samples: dataset.waveform(position),
        mel: dataset.mel(position),
        features: dataset.features(),
    };
    write_bytes(png, &picture.png())?;
    Ok(report::picture(track_id, png))
}
