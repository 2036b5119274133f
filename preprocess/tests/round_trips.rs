//! Plans and journals with arbitrary content are read back as they were written.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use preprocess::build::journal::{Entry, Journal};
use preprocess::build::plan::BuildPlan;
use proptest::prelude::*;
use shared::audio::validate::ValidateConfig;
use shared::dataset::manifest::{Flag, RejectedRow, TrackRow};
use shared::dataset::statistics::TrackSummary;
use shared::dataset::{ShardFileRecord, ShardRecord};
use shared::dsp::features::{DbReference, FeatureConfig, MelNorm, MelScale, PadMode};
use shared::recordings::Peak;
use std::fs;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ \"',|\\t\\r\\n\\\\a]{0,6}"]
}

prop_compose! {
    fn plan()(
        texts in prop::collection::vec(text(), 4),
        preset in prop::option::of(text()),
        drop in prop::collection::vec(text(), 0..3),
        numbers in any::<(u64, u64, u32)>(),
        sizes in any::<[u32; 4]>(),
        (share, silent, near_silent) in (0.0..=1.0, -200.0..0.0, -200.0..0.0),
        (f_min, f_max, top_db) in any::<(u16, u16, u16)>(),
        tracks in any::<usize>(),
        part in prop::option::of((1usize..50, 0usize..50)),
    ) -> BuildPlan {
        let [source, subset, decoders, sources_blake3] = texts.try_into().unwrap();
        BuildPlan {
            source,
            subset,
            preset,
            features: FeatureConfig {
                sample_rate: numbers.2,
                clip_samples: sizes[0] as usize,
                n_fft: sizes[1] as usize,
                hop_length: sizes[2] as usize,
                n_mels: sizes[3] as usize,
                f_min: f32::from(f_min) / 3.0,
                f_max: f32::from(f_max) / 7.0,
                mel_scale: if top_db % 2 == 0 { MelScale::Slaney } else { MelScale::Htk },
                mel_norm: if top_db % 3 == 0 { MelNorm::Slaney } else { MelNorm::None },
                pad_mode: if top_db % 5 == 0 { PadMode::Constant } else { PadMode::Reflect },
                db_reference: if top_db % 7 == 0 { DbReference::Max } else { DbReference::One },
                db_multiplier: u32::from(f_max),
                top_db: (top_db > 1000).then(|| f32::from(top_db) / 9.0),
                final_frame: f_min % 2 == 0,
            },
            validate: ValidateConfig {
                min_samples: numbers.0,
                max_samples: numbers.1,
                min_decoded_share: share,
                silent_peak_dbfs: silent,
                near_silent_rms_dbfs: near_silent,
            },
            decoders,
            drop,
            tracks,
            sources_blake3,
            part: part.map(|(number, more)| format!("{number}/{}", number + more).parse().unwrap()),
        }
    }
}

prop_compose! {
    fn track()(
        numbers in any::<(u64, u64, u32, u32, u64, u64)>(),
        (shard, recording) in any::<(usize, u64)>(),
        labels in prop::collection::vec(text().prop_filter("as sources give them", |label| !label.is_empty() && !label.contains('|')), 0..3),
        texts in prop::collection::vec(text(), 6),
        flagged in any::<bool>(),
    ) -> TrackRow {
        let [artist, album, official_split, path, waveform_blake3, mel_blake3] = texts.try_into().unwrap();
        TrackRow {
            track_id: numbers.0,
            labels,
            artist,
            album,
            official_split,
            path,
            samples: numbers.1,
            source_rate: numbers.2,
            source_channels: numbers.3,
            bad_frames: numbers.4,
            clipped_samples: numbers.5,
            flags: if flagged { vec![Flag::Duplicate, Flag::NearSilent] } else { Vec::new() },
            recording,
            shard,
            waveform_blake3,
            mel_blake3,
        }
    }
}

prop_compose! {
    /// A summary with two mel bands.
    fn summary()(numbers in any::<[u64; 3]>(), values in prop::collection::vec(prop::num::f64::NORMAL, 6)) -> TrackSummary {
        TrackSummary {
            track_id: numbers[0],
            samples: numbers[1],
            waveform_sum: values[0],
            waveform_sum_squares: values[1],
            frames: numbers[2],
            mel_sum: values[2..4].to_vec(),
            mel_sum_squares: values[4..].to_vec(),
            mfcc: vec![0.1; 140],
            chroma: vec![0.3; 84],
            peaks: vec![Peak { step: 3, row: 5 }],
        }
    }
}

prop_compose! {
    fn entry()(
        shard in prop::option::of(any::<(usize, u64, u64)>()),
        done in any::<usize>(),
        tracks in prop::collection::vec((track(), summary()), 0..3),
        rejected in prop::collection::vec((any::<Option<u64>>(), text(), text(), text()), 0..3),
        header_blake3 in text(),
    ) -> (Entry, Vec<TrackSummary>) {
        let file = |bytes| ShardFileRecord { bytes, header_blake3: header_blake3.clone() };
        let (tracks, mut summaries): (Vec<TrackRow>, Vec<TrackSummary>) = tracks.into_iter().unzip();
        for (summary, row) in summaries.iter_mut().zip(&tracks) {
            summary.track_id = row.track_id;
        }
        let entry = Entry {
            shard: shard.map(|(tracks, waveform, mel)| ShardRecord { tracks, waveform: file(waveform), mel: file(mel) }),
            done,
            tracks,
            rejected: rejected
                .into_iter()
                .map(|(track_id, path, reason, detail)| RejectedRow { track_id, path, reason, detail })
                .collect(),
        };
        (entry, summaries)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn plan_is_read_back(plan in plan(), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut json = plan.to_json();
        let read: BuildPlan = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(&read, &plan);
        prop_assert_eq!(read.differences(&plan), Vec::<String>::new());
        let at = at.index(json.len());
        json[at] = value;
        if let Ok(changed) = serde_json::from_slice::<BuildPlan>(&json) {
            prop_assert_eq!(changed.differences(&plan).is_empty(), changed == plan);
        }
    }

    #[test]
    fn journal_is_read_back(plan in plan(), entries in prop::collection::vec(entry(), 0..3), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let root = tempfile::tempdir().unwrap();
        let journal = Journal::open(root.path(), &plan).unwrap();
        for (at, (entry, summaries)) in entries.iter().enumerate() {
            journal.append(at, entry, summaries, 2).unwrap();
        }
        drop(journal);
        let journal = Journal::open(root.path(), &plan).unwrap();
        for (at, (entry, summaries)) in entries.iter().enumerate() {
            prop_assert_eq!(&journal.summaries(at, entry, 2).unwrap(), summaries);
        }
        let entries: Vec<Entry> = entries.into_iter().map(|(entry, _)| entry).collect();
        prop_assert_eq!(journal.entries(2).unwrap(), entries);
        // A changed file gives an error or another entry, but no panic.
        for entry in fs::read_dir(root.path().join(".build")).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = value;
                fs::write(&path, bytes).unwrap();
                let _ = journal.entries(2);
            }
        }
    }
}
