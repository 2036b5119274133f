//! The scoreboard in text, for terminals.

use super::board::{Adjusted, Board};
use super::bootstrap::Interval;
use super::entry::Entry;

/// The whole of it.
pub fn describe(board: &Board) -> String {
    let mut names: Vec<&str> = board.entries.iter().map(|entry| entry.figures[0].name).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    let mut parts: Vec<String> = Vec::new();
    for name in names {
        let entries: Vec<&Entry> = board
            .entries
            .iter()
            .filter(|entry| entry.figures[0].name == name)
            .collect();
        parts.push(figures(&entries));
    }
    parts.extend(marks(board));
    parts.extend(comparisons(board));
    parts.join("\n\n")
}

/// Rows of cells, each column as wide as its widest cell.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn with_interval(value: f64, interval: Option<Interval>) -> String {
    match interval {
        _ if value.is_nan() => "undefined".into(),
        Some([low, high]) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        None => format!("{value:.3}"),
    }
}

fn figures(entries: &[&Entry]) -> String {
    let mut rows = vec![
        ["run", "model", "data set", "split", "set", "tracks"]
            .map(String::from)
            .to_vec(),
    ];
    rows[0].extend(entries[0].figures.iter().map(|figure| figure.name.to_owned()));
    for entry in entries {
        let runs = match entry.runs.as_ref().map(|set| (set.seeds(), set.folds())) {
            Some((Some(seeds), _)) => format!(" ({} seeds)", seeds.len()),
            Some((_, Some(folds))) => format!(" ({folds} folds)"),
            _ => String::new(),
        };
        let data = entry.config.data.file_name().unwrap_or(entry.config.data.as_os_str());
        let mut row = vec![
            format!("{}{runs}", entry.path.display()),
            entry.config.model.to_string(),
            data.to_string_lossy().into_owned(),
            split(entry),
            entry.set.name().into(),
            entry.judged.track_ids.len().to_string(),
        ];
        row.extend(
            entry
                .figures
                .iter()
                .map(|figure| with_interval(figure.mean, figure.interval)),
        );
        rows.push(row);
    }
    let mut methods: Vec<String> = entries.iter().map(|entry| entry.method()).collect();
    methods.sort();
    methods.dedup();
    format!("{}\nin brackets: 95 % intervals, {}", table(&rows), methods.join("; "))
}

/// `main (grouped by artist; 0 artists and 0 recordings in other sets)`, or `artists unknown` where none is known.
fn split(entry: &Entry) -> String {
    let name = &entry.config.split;
    let Some(split) = &entry.split else {
        return format!("{name} (unknown)");
    };
    let by = split.group_by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    let (overlap, tracks) = (&split.overlap, entry.judged.track_ids.len());
    let artists = match overlap.tracks_without_artist {
        0 => format!("{} artists", overlap.artists),
        unknown if unknown == tracks => "artists unknown,".into(),
        unknown => format!("{} artists ({unknown} of {tracks} tracks: unknown)", overlap.artists),
    };
    format!(
        "{name} ({}{by}; {artists} and {} recordings in other sets)",
        split.strategy, overlap.recordings
    )
}

fn marks(board: &Board) -> Option<String> {
    let of_entry = |entry: &Entry| {
        let sentences = entry.marks.iter().map(|mark| {
            let sign = if mark.leak { "!!" } else { " !" };
            format!("\n {sign} {}", mark.sentence)
        });
        let sentences: String = sentences.collect();
        (!sentences.is_empty()).then(|| format!("{}{sentences}", entry.path.display()))
    };
    let marked: Vec<String> = board.entries.iter().filter_map(of_entry).collect();
    (!marked.is_empty()).then(|| marked.join("\n"))
}

fn comparisons(board: &Board) -> Option<String> {
    let first = board.entries.first()?;
    if board.versus.is_empty() {
        return None;
    }
    let several = board.compared() > 1;
    let mut rows = vec![["run", "figure", "difference", "p"].map(String::from).to_vec()];
    if several {
        rows[0].push("Holm's p".into());
    }
    rows[0].push("test".into());
    let mut refused = Vec::new();
    for versus in &board.versus {
        let entry = &board.entries[versus.entry];
        match &versus.outcome {
            Ok(adjusted) => rows.extend(contrasts(board, entry, adjusted, several)),
            Err(reason) => refused.push(format!("{} is not compared: {reason}", entry.path.display())),
        }
    }
    let mut text = format!("compared with {}, on the same tracks:", first.path.display());
    if rows.len() > 1 {
        text += &format!("\n{}", table(&rows));
    }
    refused.iter().for_each(|reason| text += &format!("\n{reason}"));
    Some(text)
}

fn contrasts(board: &Board, entry: &Entry, adjusted: &Adjusted, several: bool) -> Vec<Vec<String>> {
    let comparison = &adjusted.comparison;
    let test = board.test(comparison);
    let mut rows = Vec::new();
    for (at, contrast) in comparison.contrasts.iter().enumerate() {
        let Some(contrast) = contrast else { continue };
        let interval = contrast
            .interval
            .map_or(String::new(), |[low, high]| format!(" [{low:+.3}, {high:+.3}]"));
        let mut row = vec![
            entry.path.display().to_string(),
            entry.figures[at].name.to_owned(),
            format!("{:+.3}{interval}", contrast.difference),
            p_value(contrast.p),
        ];
        if several {
            row.push(adjusted.holm[at].map_or(String::new(), p_value));
        }
        row.push(test.clone());
        rows.push(row);
    }
    if let Some(mcnemar) = comparison.mcnemar {
        let mut row = vec![
            entry.path.display().to_string(),
            "top-1".into(),
            format!("right alone {} : {}", mcnemar.only_first, mcnemar.only_second),
            p_value(mcnemar.p),
        ];
        if several {
            row.push(String::new());
        }
        row.push("McNemar's exact, of tracks".into());
        rows.push(row);
    }
    rows
}

/// Three digits, as many as permutations resolve.
fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "b".into()], vec!["long".to_owned(), "ü".into()]];
        assert_eq!(table(&rows), "a     b\nlong  ü");
        assert_eq!(with_interval(0.5, Some([0.25, 0.75])), "0.500 [0.250, 0.750]");
        assert_eq!(with_interval(f64::NAN, None), "undefined");
        assert_eq!(
            (p_value(0.0004).as_str(), p_value(0.0406).as_str()),
            ("< 0.001", "0.041")
        );
    }
}
