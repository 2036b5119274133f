//! Formats the overview of a data set as text for the terminal.

use super::distribution::Distribution;
use super::overview::{FeatureSetState, Overview, SourceFiles};
use super::splits::{LeakOverview, SplitDetails, SplitOverview, SplitState};
use shared::audio::validate::describe_reasons;
use shared::dataset::Task;
use shared::dsp::features::FeatureConfig;
use shared::runtime::text::{counted, grouped, percent, size};
use std::fmt;

/// Number of leaked names in the text; `split.json` has all.
const LEAKS_IN_TEXT: usize = 5;

impl fmt::Display for Overview {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = &self.index;
        let task = match index.task {
            Task::SingleLabel => "one label per track",
            Task::MultiLabel => "any number of labels per track",
        };
        writeln!(out, "format    version {}, {task}", index.format_version)?;
        write!(
            out,
            "source    {} {}, audio in {}",
            index.source.name, index.source.subset, index.source.audio
        )?;
        if let Some(part) = &index.source.part {
            write!(out, "; part {part}, to be merged")?;
        }
        writeln!(
            out,
            "\nfeatures  {}; fingerprint {}",
            describe_features(&index.features),
            index.fingerprint
        )?;
        writeln!(
            out,
            "tracks    {} kept, {:.2} hours; {} shard pairs",
            index.kept,
            self.hours(),
            index.shards.len()
        )?;
        self.write_tracks(out)?;
        self.write_feature_sets(out)?;
        self.write_splits(out)?;
        for difference in &index.source.preset_differences {
            write!(out, "\nwarning   {difference}")?;
        }
        Ok(())
    }
}

impl Overview {
    /// Writes classes, lengths, levels, flagged and dropped tracks, and sizes.
    fn write_tracks(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = self.classes.iter().map(|(class, count)| format!("{class} {count}"));
        writeln!(out, "classes   {}", list(classes))?;
        if let Some(seconds) = &self.seconds {
            write_distribution(out, "length", "", seconds, "s")?;
        }
        writeln!(out, "files     {}", describe_files(&self.files))?;
        if let Some(rms) = &self.levels.rms_dbfs {
            write_distribution(out, "level", "rms ", rms, "dBFS")?;
        }
        writeln!(
            out,
            "clipped   {} in {}; {} all zeros",
            counted_u64(self.levels.clipped_samples, "sample", "samples"),
            counted(self.levels.clipped_tracks, "track", "tracks"),
            counted(self.levels.silent_tracks, "track is", "tracks are"),
        )?;
        let flags = self.flags.iter().map(|(flag, count)| format!("{count} {flag}"));
        writeln!(out, "flagged   {}", list(flags))?;
        let reasons = describe_reasons(&self.reasons).to_string();
        writeln!(
            out,
            "dropped   {}{}{reasons}",
            self.index.rejected,
            if reasons.is_empty() { "" } else { ": " }
        )?;
        writeln!(
            out,
            "size      {}: waveforms {}, mel spectrograms {}, summary {}, tables {}",
            size(self.sizes.total()),
            size(self.sizes.waveforms),
            size(self.sizes.mels),
            size(self.sizes.summary),
            size(self.sizes.tables)
        )
    }

    fn write_feature_sets(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for set in &self.feature_sets {
            match &set.state {
                FeatureSetState::Usable { features, mels, .. } => {
                    writeln!(
                        out,
                        "set       {}: {}; {}",
                        set.name,
                        describe_features(features),
                        size(*mels)
                    )?;
                }
                FeatureSetState::Unusable { problem } => writeln!(out, "set       {}: {problem}", set.name)?,
            }
        }
        Ok(())
    }

    /// The last line has no line break.
    fn write_splits(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.splits.is_empty() {
            write!(out, "splits    none")?;
        }
        for (at, split) in self.splits.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            write_split(out, split)?;
        }
        match &self.current_split {
            Some(current) if !self.splits.iter().any(|split| split.current) => {
                write!(
                    out,
                    "\nwarning   splits/current names the split {current}, which does not exist"
                )
            }
            _ => Ok(()),
        }
    }
}

fn write_split(out: &mut fmt::Formatter<'_>, split: &SplitOverview) -> fmt::Result {
    let current = if split.current { " (current)" } else { "" };
    let details = match &split.state {
        SplitState::Usable(details) => details,
        SplitState::Unusable { problem } => return write!(out, "split     {}{current}: {problem}", split.name),
    };
    write!(out, "split     {}{current}: {}", split.name, describe_strategy(details))?;
    if details.left_out > 0 {
        write!(
            out,
            "; {} in none of its sets",
            counted(details.left_out, "track", "tracks")
        )?;
    }
    for (set, own) in &details.sets {
        let classes = own.classes.iter().map(|(class, count)| format!("{class} {count}"));
        write!(out, "\n  {:<7} {}: {}", set.name(), own.tracks, list(classes))?;
    }
    if let Some(deviation) = &details.largest_deviation {
        write!(
            out,
            "\n  balance {} is {:.1} % of {} and {:.1} % of all; no class differs by more",
            deviation.class,
            deviation.percent_of_set,
            deviation.set.name(),
            deviation.percent_of_all
        )?;
    }
    let leaks = &details.leaks;
    write!(out, "\n  leaks   {}", details.describe_leaks())?;
    for (kind, leaks) in [("artists", &leaks.artists), ("albums", &leaks.albums)] {
        if leaks.count > 0 {
            write!(out, "\n          {kind} {}", describe_leaks(leaks))?;
        }
    }
    if let Some(unknown) = details.describe_unknown() {
        write!(out, "\n  unknown {unknown}")?;
    }
    Ok(())
}

fn describe_leaks(leaks: &LeakOverview) -> String {
    let mut names: Vec<&str> = leaks.names.iter().take(LEAKS_IN_TEXT).map(String::as_str).collect();
    if leaks.count > LEAKS_IN_TEXT {
        names.push("…");
    }
    format!("{}; {}", names.join(", "), counted(leaks.tracks, "track", "tracks"))
}

/// `grouped by artist, 80/10/10, seed 0`.
pub(super) fn describe_strategy(details: &SplitDetails) -> String {
    let mut text = details.strategy.clone();
    if let Some(by) = &details.group_by {
        text += &format!(" by {by}");
    }
    if let Some(ratios) = details.ratios {
        // Percentages as typed, without rounding errors.
        let shares = ratios.map(|share| ((share * 1000.0).round() / 10.0).to_string());
        text += &format!(", {}", shares.join("/"));
    }
    if let Some(fold) = &details.fold {
        text += &format!(", fold {} of {} of {}", fold.number, fold.of, fold.name);
    }
    if let Some(seed) = details.seed {
        text += &format!(", seed {seed}");
    }
    text
}

/// `44100 Hz, n_fft 4096, …`.
pub(super) fn describe_features(features: &FeatureConfig) -> String {
    // Settings without a number are named only if they are not the default.
    let default = FeatureConfig::default();
    let others = [
        ("HTK mel scale", features.mel_scale != default.mel_scale),
        ("no mel norm", features.mel_norm != default.mel_norm),
        ("reflect padding", features.pad_mode != default.pad_mode),
        ("reference 1", features.db_reference != default.db_reference),
        ("20 log10", features.db_multiplier != default.db_multiplier),
        ("final frame", features.final_frame),
    ];
    let others: String = (others.into_iter().filter(|(_, differs)| *differs))
        .map(|(name, _)| format!(", {name}"))
        .collect();
    format!(
        "{} Hz, n_fft {}, hop_length {}, n_mels {}, {} to {} Hz, top_db {}{others}",
        features.sample_rate,
        features.n_fft,
        features.hop_length,
        features.n_mels,
        features.f_min,
        features.f_max,
        features.top_db.map_or("none".into(), |top_db| top_db.to_string())
    )
}

fn describe_files(files: &SourceFiles) -> String {
    let rates = list(files.rates.iter().map(|(rate, count)| format!("{count} at {rate} Hz")));
    let channels = list(
        files
            .channels
            .iter()
            .map(|(channels, count)| format!("{count} {}", name_channels(*channels))),
    );
    format!(
        "{rates}; {channels}; {} with damaged frames ({})",
        files.damaged_tracks, files.damaged_frames
    )
}

/// `mono`, `stereo`, `with 6 channels`.
pub(super) fn name_channels(channels: u32) -> String {
    match channels {
        1 => "mono".into(),
        2 => "stereo".into(),
        more => format!("with {more} channels"),
    }
}

/// Two lines: the statistics, and the histogram between its outer edges.
fn write_distribution(
    out: &mut fmt::Formatter<'_>,
    name: &str,
    what: &str,
    distribution: &Distribution,
    unit: &str,
) -> fmt::Result {
    let Distribution {
        min, median, mean, max, ..
    } = distribution;
    writeln!(
        out,
        "{name:<9} {what}{min:.1} to {max:.1} {unit}, median {median:.1}, mean {mean:.1}"
    )?;
    let (first, last) = (distribution.edges.first(), distribution.edges.last());
    if let (Some(first), Some(last), true) = (first, last, distribution.counts.len() > 1) {
        let round = |edge: &f64| (edge * 1000.0).round() / 1000.0;
        writeln!(
            out,
            "          {} │{}│ {} {unit}",
            round(first),
            distribution.line(),
            round(last)
        )?;
    }
    Ok(())
}

fn counted_u64(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { more })
}

fn list(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        "none".into()
    } else {
        words.join(", ")
    }
}

/// A percentage such as `12.5 %`.
pub(super) fn share(part: usize, whole: usize) -> String {
    format!("{:.1} %", percent(part as f64, whole as f64))
}

#[cfg(test)]
mod tests {
    use super::super::splits::{Deviation, Leaks, SetOverview};
    use super::*;
    use crate::testing::{split_at_random, three_tracks};
    use shared::dataset::split::Set;
    use std::collections::BTreeMap;

    #[test]
    fn data_set_is_described_in_lines() {
        let collection = three_tracks();
        collection.build("out").unwrap();
        let root = collection.out("out");
        let text = Overview::read(&root).unwrap().to_string();
        for expected in [
            "format    version 1, one label per track\n",
            "classes   Folk 2, Rock 1\n",
            "files     3 at 44100 Hz; 3 mono; 0 with damaged frames (0)\n",
            "clipped   0 samples in 0 tracks; 0 tracks are all zeros\n",
            "\nsplits    none",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        split_at_random(&root, 3);
        std::fs::write(root.join("splits/current"), "elsewhere\n").unwrap();
        let text = Overview::read(&root).unwrap().to_string();
        assert!(text.contains(": random, 34/33/33, seed 3\n"), "{text}");
        assert!(
            text.ends_with("splits/current names the split elsewhere, which does not exist"),
            "{text}"
        );
    }

    #[test]
    fn leaking_split_is_described_with_names() {
        struct Text(SplitOverview);
        impl fmt::Display for Text {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_split(out, &self.0)
            }
        }
        let leaks = |count: usize| LeakOverview {
            count,
            tracks: 2 * count,
            unknown: 0,
            names: (0..count).map(|at| format!("artist {at}")).collect(),
        };
        let details = SplitDetails {
            strategy: "grouped".into(),
            group_by: Some("artist-album".into()),
            ratios: Some([1.0 / 3.0; 3]),
            seed: Some(7),
            fold: None,
            sets: BTreeMap::from([(
                Set::Val,
                SetOverview {
                    tracks: 2,
                    classes: BTreeMap::from([("Folk".into(), 2)]),
                },
            )]),
            left_out: 1,
            largest_deviation: Some(Deviation {
                set: Set::Val,
                class: "Folk".into(),
                percent_of_set: 100.0,
                percent_of_all: 60.0,
            }),
            leaks: Leaks {
                artists: leaks(6),
                albums: LeakOverview {
                    unknown: 2,
                    ..LeakOverview::default()
                },
                ..Leaks::default()
            },
        };
        let split = SplitOverview {
            name: "mine".into(),
            current: true,
            state: SplitState::Usable(Box::new(details)),
        };
        let text = Text(split).to_string();
        assert_eq!(
            text,
            "split     mine (current): grouped by artist-album, 33.3/33.3/33.3, seed 7; 1 track in none of its sets\n\
             \x20 val     2: Folk 2\n\
             \x20 balance Folk is 100.0 % of val and 60.0 % of all; no class differs by more\n\
             \x20 leaks   6 artists, 0 recordings in more than one set\n\
             \x20         artists artist 0, artist 1, artist 2, artist 3, artist 4, …; 12 tracks\n\
             \x20 unknown albums of all tracks"
        );
    }
}
