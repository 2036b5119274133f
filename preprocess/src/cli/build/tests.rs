//! Tests how command lines of `preprocess build` are resolved.

use super::*;
use crate::cli::{Cli, Command};
use crate::source::Listing;
use clap::Parser;
use shared::dsp::feature_preset::FeaturePreset;
use shared::dsp::features::{DbReference, MelNorm, MelScale, PadMode};

const BUILD: &str = "build --source fma --audio a --metadata m.csv --out o";

fn build(more: &str) -> Result<BuildConfig, String> {
    resolve(&format!("{BUILD} {more}"))
}

#[test]
fn build_uses_defaults_and_preset() {
    let config = build("").unwrap();
    let fma = |subset| Source::Fma {
        table: "m.csv".into(),
        subset,
    };
    assert_eq!((config.source, config.preset), (fma(Subset::Small), None));
    assert_eq!(config.validate, ValidateConfig::default());
    assert_eq!(config.features, FeatureConfig::default());
    let config = build("--preset fma_small --drop duplicates,near-silent --jobs 3").unwrap();
    assert_eq!(config.drop, [Flag::Duplicate, Flag::NearSilent]);
    assert_eq!((config.jobs, config.preset), (3, Some(Preset::fma_small())));
    assert_eq!(build("--subset large").unwrap().source, fma(Subset::Large));
}

fn resolve(line: &str) -> Result<BuildConfig, String> {
    resolve_into(line, None)
}

fn resolve_into(line: &str, recorded: Option<&Recorded>) -> Result<BuildConfig, String> {
    let words = std::iter::once("preprocess").chain(line.split_whitespace());
    match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
        Command::Build(args) => args.resolve(recorded).map_err(|error| error.to_string()),
        other => panic!("{other:?}"),
    }
}

const TAGGED: &str = "build --source magnatagatune --audio a --metadata m.csv --out o";
const GENRES: &str = "build --source gtzan --audio a --out o";
const FOLDER: &str = "build --source folder --audio a --out o";

#[test]
fn each_source_resolves_to_its_settings() {
    let tagged = |tags: Vec<String>| Source::MagnaTagATune {
        annotations: "m.csv".into(),
        tags,
    };
    assert_eq!(resolve(TAGGED).unwrap().source, tagged(Vec::new()));
    let config = resolve(&format!("{TAGGED} --tags guitar,piano")).unwrap();
    assert_eq!(config.source, tagged(vec!["guitar".into(), "piano".into()]));
    let config = resolve(&format!("{TAGGED} --preset magnatagatune")).unwrap();
    let preset = Preset::magnatagatune();
    assert_eq!(config.source, tagged(preset.tags));
    assert_eq!(config.features, preset.features.unwrap());
    assert_eq!(config.validate.min_samples, 460_800);
    assert_eq!(config.validate.max_samples, 15 * 60 * 16_000);
    let config = resolve(&format!("{GENRES} --preset gtzan")).unwrap();
    assert_eq!((config.source, config.features.n_mels), (Source::Gtzan, 96));
    assert_eq!(config.validate.min_samples, 349_696);
    let config = resolve(FOLDER).unwrap();
    assert_eq!(
        (config.source, config.validate.max_samples),
        (Source::Folder, 3600 * 44_100)
    );
}

#[test]
fn own_table_is_in_the_audio_directory_unless_it_is_given() {
    let own = |more: &str| resolve(&format!("build --source csv --out o {more}"));
    let config = own("--metadata music/table.csv").unwrap();
    let table = PathBuf::from("music/table.csv");
    assert_eq!(
        (config.source, config.audio),
        (Source::Csv { table }, PathBuf::from("music"))
    );
    assert_eq!(config.validate.max_samples, 3600 * 44_100);
    assert_eq!(own("--metadata table.csv").unwrap().audio, PathBuf::from("."));
    assert_eq!(own("--metadata table.csv --audio a").unwrap().audio, PathBuf::from("a"));
    let error = own("").unwrap_err();
    assert!(
        error.contains("--source csv needs --metadata, a table with the columns path and label"),
        "{error}"
    );
    let error = own("--metadata table.csv --tags guitar").unwrap_err();
    assert!(error.contains("--source csv has no tags"), "{error}");
}

#[test]
fn features_override_the_preset_and_f_max_follows_the_sample_rate() {
    let config = resolve(&format!(
        "{FOLDER} --sample-rate 16000 --clip-samples 32768 --min-seconds 0.5 --max-seconds 9"
    ));
    let config = config.unwrap();
    assert_eq!((config.features.sample_rate, config.features.f_max), (16_000, 8_000.0));
    assert_eq!(
        (config.validate.min_samples, config.validate.max_samples),
        (8_000, 144_000)
    );
    let all = "--sample-rate 8000 --clip-samples 4096 --n-fft 512 --hop-length 128 --n-mels 40 --f-min 20 --f-max 3000 \
               --mel-scale htk --mel-norm none --pad-mode reflect --db-reference one --db-multiplier 20 --top-db 60 \
               --final-frame true";
    assert_eq!(
        resolve(&format!("{FOLDER} {all}")).unwrap().features,
        FeatureConfig {
            sample_rate: 8_000,
            clip_samples: 4096,
            n_fft: 512,
            hop_length: 128,
            n_mels: 40,
            f_min: 20.0,
            f_max: 3_000.0,
            mel_scale: MelScale::Htk,
            mel_norm: MelNorm::None,
            pad_mode: PadMode::Reflect,
            db_reference: DbReference::One,
            db_multiplier: 20,
            top_db: Some(60.0),
            final_frame: true,
        }
    );
    let features = |more: &str| resolve(&format!("{GENRES} --preset gtzan {more}")).unwrap().features;
    assert_eq!(features("--features choi"), FeaturePreset::Choi.config());
    assert_eq!(
        features("--features won --n-mels 128 --top-db 90"),
        FeatureConfig {
            n_mels: 128,
            top_db: Some(90.0),
            ..FeaturePreset::Won.config()
        }
    );
    assert_eq!(features("--top-db none").top_db, None);
    let config = resolve(&format!("{GENRES} --preset gtzan --n-mels 64 --sample-rate 22050")).unwrap();
    assert_eq!((config.features.n_mels, config.features.hop_length), (64, 256));
    assert_eq!(config.features.f_max, 11_025.0);
}

#[test]
fn options_that_do_not_fit_the_source_are_refused() {
    let without_table = TAGGED.replace("--metadata m.csv", "");
    for (line, expected) in [
        (
            BUILD.replace("--metadata m.csv", ""),
            "--source fma needs --metadata, the tracks.csv",
        ),
        (
            without_table,
            "--source magnatagatune needs --metadata, its annotations_final.csv",
        ),
        (
            format!("{GENRES} --metadata m.csv"),
            "--source gtzan takes no --metadata",
        ),
        (
            format!("{FOLDER} --metadata m.csv"),
            "--source folder takes no --metadata",
        ),
        (format!("{FOLDER} --subset small"), "--source folder has no subsets"),
        (format!("{BUILD} --tags rock"), "--source fma has no tags"),
        (format!("{TAGGED} --tags rock,,pop"), "cannot be empty"),
        (
            format!("{TAGGED} --tags rock --preset magnatagatune"),
            "--tags contradicts it",
        ),
        (format!("{GENRES} --preset fma_small"), "--source gtzan contradicts it"),
        (
            format!("{FOLDER} --hop-length 1000"),
            "clip_samples must be a multiple of hop_length",
        ),
        (format!("{FOLDER} --f-max 30000"), "f_max 30000"),
        (format!("{FOLDER} --db-multiplier 15"), "db_multiplier must be 10 or 20"),
        (format!("{FOLDER} --top-db loud"), "a number of decibels, or none"),
        (format!("{FOLDER} --min-seconds=-1"), "--min-seconds"),
        (
            format!("{FOLDER} --max-seconds nan"),
            "--max-seconds must be a number of seconds",
        ),
        (format!("{FOLDER} --max-seconds 3"), "no track can be kept"),
    ] {
        let error = resolve(&line).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn invalid_options_are_refused() {
    for (more, expected) in [
        ("--preset fma_small --subset large", "--subset large contradicts"),
        ("--min-decoded-share 1.5", "between 0 and 1"),
        ("--jobs 0", "--jobs"),
        ("--drop silent", "duplicates, near-silent"),
    ] {
        let error = build(more).unwrap_err();
        assert!(error.contains(expected), "{more}: {error}");
    }
}

/// The record of a build with this command line.
fn recorded(line: &str) -> Recorded {
    let config = resolve(line).unwrap();
    Recorded {
        audio: Some(config.audio.clone()),
        plan: config.plan(&Listing::default(), &[]),
    }
}

#[test]
fn missing_settings_are_taken_from_the_recorded_build() {
    let line = format!(
        "{FOLDER} --sample-rate 22050 --n-mels 64 --clip-samples 32768 --min-seconds 2 --max-seconds 9 --min-decoded-share 0.5 \
         --drop duplicates,near-silent --part 2/3"
    );
    let (before, first) = (recorded(&line), resolve(&line).unwrap());
    for again in ["build --out o", FOLDER, &line] {
        let config = resolve_into(again, Some(&before)).unwrap();
        assert_eq!(config.source, Source::Folder, "{again}");
        assert_eq!((&config.audio, config.part), (&first.audio, first.part), "{again}");
        assert_eq!(config.features, first.features, "{again}");
        assert_eq!(config.validate, first.validate, "{again}");
        assert_eq!(config.drop, first.drop, "{again}");
    }
    let other = "build --out o --audio elsewhere --n-mels 128 --max-seconds 8 --drop duplicates";
    let config = resolve_into(other, Some(&before)).unwrap();
    assert_eq!(config.audio, PathBuf::from("elsewhere"));
    let differences = config.plan(&Listing::default(), &[]).differences(&before.plan);
    assert_eq!(
        differences,
        [
            r#"drop was ["duplicate","near_silent"] and is now ["duplicate"]"#,
            "n_mels was 64 and is now 128",
            "max_samples was 198450 and is now 176400",
        ]
    );
}

#[test]
fn recorded_preset_subset_and_tags_are_reused() {
    for (line, again) in [
        (format!("{GENRES} --preset gtzan"), "build --out o".to_owned()),
        (
            format!("{GENRES} --preset gtzan --n-mels 64"),
            format!("{GENRES} --preset gtzan"),
        ),
        (format!("{BUILD} --subset medium"), BUILD.to_owned()),
        (format!("{BUILD} --preset fma_small"), BUILD.to_owned()),
        (format!("{TAGGED} --tags guitar,piano"), TAGGED.to_owned()),
        (format!("{TAGGED} --preset magnatagatune"), TAGGED.to_owned()),
        (TAGGED.to_owned(), TAGGED.to_owned()),
    ] {
        let (before, first) = (recorded(&line), resolve(&line).unwrap());
        let config = resolve_into(&again, Some(&before)).unwrap();
        assert_eq!((config.source, config.preset), (first.source, first.preset), "{line}");
        assert_eq!(
            (config.features, config.validate),
            (first.features, first.validate),
            "{line}"
        );
    }
}

#[test]
fn tags_that_contradict_a_recorded_preset_reach_the_build() {
    let before = recorded(&format!("{TAGGED} --preset magnatagatune"));
    let config = resolve_into(&format!("{TAGGED} --tags techno"), Some(&before)).unwrap();
    let differences = config.plan(&Listing::default(), &[]).differences(&before.plan);
    assert!(
        matches!(&differences[..], [one] if one.starts_with("subset was")),
        "{differences:?}"
    );
    // Nothing is taken from a build of another source.
    let config = resolve_into(FOLDER, Some(&before)).unwrap();
    assert_eq!((config.preset, config.features), (None, FeatureConfig::default()));
}

#[test]
fn missing_required_option_is_refused() {
    for (line, option) in [
        ("build --out o --audio a", "--source"),
        ("build --out o --source folder", "--audio"),
    ] {
        let error = resolve(line).unwrap_err();
        assert!(error.contains(&format!("{option} is needed")), "{line}: {error}");
    }
    let interrupted = Recorded {
        audio: None,
        ..recorded(FOLDER)
    };
    let error = resolve_into("build --out o", Some(&interrupted)).unwrap_err();
    assert!(error.contains("--audio is needed"), "{error}");
    // The metadata table is not recorded.
    let error = resolve_into("build --out o", Some(&recorded(BUILD))).unwrap_err();
    assert!(error.contains("--source fma needs --metadata"), "{error}");
}
