//! `preprocess extend`.

use super::result::outcome;
use crate::cli::ExtendArgs;
use crate::cli::progress::{Style, TrackProgress};
use crate::extend::{ExtendReport, extend};
use serde_json::json;
use shared::dataset::Dataset;
use shared::runtime::outcome::Outcome;
use shared::runtime::text::size;
use std::time::Instant;

pub fn run(args: ExtendArgs, style: Style) -> anyhow::Result<Outcome> {
    let own = Dataset::read_index(&args.dataset)?.features;
    let config = args.resolve(&own)?;
    let begin = Instant::now();
    let report = extend(&config, &mut TrackProgress::new(style))?;
    Ok(show(&report, begin.elapsed().as_secs_f64()))
}

fn show(report: &ExtendReport, seconds: f64) -> Outcome {
    let index = &report.index;
    let features = &index.features;
    let bytes: u64 = index.shards.iter().map(|shard| shard.mel.bytes).sum();
    let made = match report.made {
        0 => "nothing to do: all spectrograms existed".to_owned(),
        made => format!(
            "{made} computed in {seconds:.1} s, {:.1} tracks/s",
            made as f64 / seconds.max(1e-3)
        ),
    };
    let text = format!(
        "features  {} mel bands, windows of {}, hops of {} samples\n\
         tracks    {}, {}; {made}\n\
         splits    {}\n\
         use       train fit --data {}",
        features.n_mels,
        features.n_fft,
        features.hop_length,
        index.kept,
        size(bytes),
        if report.splits.is_empty() {
            "none yet".to_owned()
        } else {
            report.splits.join(", ")
        },
        report.path.display()
    );
    let json = json!({
        "dataset": report.path.to_string_lossy(),
        "features": features,
        "kept": index.kept,
        "made": report.made,
        "bytes": bytes,
        "splits": report.splits,
        "seconds": seconds,
    });
    outcome("extend", text, json, &[])
}
