//! The files of `train predict --timeline`.

use super::UsageError;
use super::predictions_table::Answers;
use crate::cli::{PredictArgs, TimelineFile, TimelineFormat};
use crate::predict::{Named, PlayableFile, Timeline, page};
use crate::settings::invalid;
use serde_json::{Value, json};
use shared::runtime::atomic_file;
use shared::runtime::output_file::{check_distinct, check_new};
use shared::runtime::text::{counted, shown};
use std::path::PathBuf;

/// Width of the chart in an SVG file.
const WIDTH: f64 = 800.0;

/// Checks before the work that there is a single file, and that the timelines can be written.
pub(super) fn check(args: &PredictArgs, named: &[Named]) -> anyhow::Result<()> {
    let Some(TimelineFile { path, .. }) = args.timeline.first() else {
        return Ok(());
    };
    let wrong = |name: &str, problem: String| Err(UsageError::Setting(invalid(name, problem)).into());
    if named.len() != 1 {
        let problem = format!(
            "{} is of one audio file, and there are {}; give one",
            path.display(),
            named.len()
        );
        return wrong("--timeline", problem);
    }
    let inputs: Vec<PathBuf> = named.iter().map(|(path, _)| path.clone()).collect();
    for TimelineFile { path, .. } in &args.timeline {
        check_new("--timeline", path, &inputs, args.force)?;
    }
    let timelines = args.timeline.iter().map(|file| ("--timeline", Some(&*file.path)));
    let outputs: Vec<_> = timelines.chain([("--csv", args.csv.as_deref())]).collect();
    check_distinct(&outputs)?;
    if args.audio {
        if !args.timeline.iter().any(|file| file.format == TimelineFormat::Html) {
            return wrong(
                "--audio",
                "needs --timeline with a .html file, which it is part of".into(),
            );
        }
        PlayableFile::new(&inputs[0])?;
    }
    Ok(())
}

/// Writes the timeline of the file to all files. Returns a line and JSON about it, if a timeline was asked for and the
/// file could be decoded.
pub(super) fn write(args: &PredictArgs, answers: &Answers<'_>, runs: &str) -> anyhow::Result<Option<(String, Value)>> {
    let (Some((file, Ok(prediction))), false) = (answers.answers.first(), args.timeline.is_empty()) else {
        return Ok(None);
    };
    let timeline = Timeline {
        file,
        classes: answers.classes,
        thresholds: answers.thresholds,
        window: args.window,
        rows: &prediction.timeline,
    };
    for TimelineFile { path, format } in &args.timeline {
        match format {
            TimelineFormat::Csv => atomic_file::write(path, |file| timeline.write_csv(file))?,
            TimelineFormat::Svg => atomic_file::write_bytes(path, timeline.chart(WIDTH).file().as_bytes())?,
            TimelineFormat::Html => {
                let audio = args.audio.then(|| PlayableFile::new(file)).transpose()?;
                atomic_file::write_bytes(path, page(&timeline, runs, audio)?.as_bytes())?;
            }
        }
    }
    let paths: Vec<String> = args.timeline.iter().map(|file| shown(&file.path)).collect();
    let line = format!(
        "timeline {}, {}",
        paths.join(", "),
        counted(timeline.rows.len(), "row", "rows")
    );
    Ok(Some((line, json(args, &timeline))))
}

fn json(args: &PredictArgs, timeline: &Timeline<'_>) -> Value {
    let segments = timeline.segments().into_iter().map(|segment| {
        json!({ "start": segment.span.start, "end": segment.span.end, "class": timeline.classes[segment.class],
                "probability": segment.probability })
    });
    let paths: Vec<_> = args.timeline.iter().map(|file| file.path.to_string_lossy()).collect();
    json!({ "paths": paths, "window": timeline.window, "rows": timeline.rows.len(),
            "segments": segments.collect::<Vec<_>>() })
}
