use super::super::SampleTracks;
use super::super::files::{self, ANALYSIS_FILE};
use super::*;
use crate::cli::progress::{ByteProgress, Style};
use crate::testing::{Collection, split_at_random, three_tracks, tone};
use shared::dataset::Dataset;
use std::fs;

/// Writes the page and the analysis of a data set. Returns the page, the file names and the directory.
fn written(root: &Path) -> (String, Vec<String>, tempfile::TempDir) {
    let config = AnalysisConfig {
        dataset: root.to_owned(),
        sample_tracks: SampleTracks::default(),
        pictures: true,
        audio: false,
    };
    let analysis = Analysis::run(&config, &ByteProgress::new(Style::Quiet)).unwrap();
    let labels = TrackList::read(root).unwrap();
    let out = tempfile::tempdir().unwrap();
    let page = out.path().join("page.html");
    write(&page, &Overview::read(root).unwrap(), &analysis, &labels, &config).unwrap();
    let names = files::write(&analysis, &labels, &out.path().join("analysis")).unwrap();
    (fs::read_to_string(page).unwrap(), names, out)
}

#[test]
fn page_is_complete_and_self_contained() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    split_at_random(&root, 1);
    let (page, names, out) = written(&root);
    for expected in [
        "<!DOCTYPE html>",
        "prefers-color-scheme: dark",
        "<h1>out</h1>",
        "\"things\":\"tracks\"",
        "3 tracks of 3 were read",
        ">current<",
        "random, 34/33/33, seed 1",
        "No artist is in more than one set.",
        "albums unknown for 3 of 3 tracks",
        "first component",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("http:") && !page.contains("https:"));
    assert_eq!(
        (page.matches("<script").count(), page.matches("<audio").count()),
        (2, 0)
    );
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    // Sample values of two classes, mean spectra, two projections and three example tracks.
    assert_eq!(names.len(), 1 + 2 + 1 + 2 + 3, "{names:?}");
    let directory = out.path().join("analysis");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(directory.join(ANALYSIS_FILE)).unwrap()).unwrap();
    assert_eq!(json["classes"][0]["samples"]["tracks"], 2);
    assert_eq!(json["mel_projection"]["coordinates"].as_array().unwrap().len(), 3);
    for name in &names[1..] {
        let drawing = fs::read_to_string(directory.join(name)).unwrap();
        assert!(
            drawing.starts_with("<svg") && drawing.trim_end().ends_with("</svg>"),
            "{name}"
        );
    }
}

#[test]
fn names_from_the_data_set_are_escaped() {
    let mut collection = Collection::new();
    for id in 1..=4 {
        collection.track(id, "<script>alert('x')</script>", &tone(3 + id as usize, 190));
    }
    collection.build("out").unwrap();
    let root = collection.out("out");
    split_at_random(&root, 1);
    let (page, names, out) = written(&root);
    assert_eq!(page.matches("<script").count(), 2, "the data and the page's own script");
    assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt;"));
    // The first file is JSON, which needs no HTML escapes.
    for name in &names[1..] {
        let drawing = fs::read_to_string(out.path().join("analysis").join(name)).unwrap();
        assert!(!drawing.contains("<script"), "{name}");
        assert!(
            name.contains("script-alert-x") || name.starts_with("mean-") || name.starts_with("pca-"),
            "{name}"
        );
    }
}

#[test]
fn page_of_a_data_set_with_one_track_or_none_is_written() {
    let mut one = Collection::new();
    one.track(2, "Folk", &tone(4, 200));
    one.build("out").unwrap();
    let (page, ..) = written(&one.out("out"));
    assert!(
        page.contains(
            "No projection of the mel statistics: a projection needs at least three tracks, but there are 1."
        ),
        "{page}"
    );
    assert!(page.contains("There is no split yet; create one with preprocess split."));
    let mut none = Collection::new();
    none.track(2, "Folk", b"");
    none.build("out").unwrap();
    let (page, names, _out) = written(&none.out("out"));
    assert!(
        page.contains("There are no tracks to analyse.") && page.contains("empty_file"),
        "{page}"
    );
    assert_eq!(names, [ANALYSIS_FILE]);
}

#[test]
fn class_without_tracks_is_listed_but_not_drawn() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let mut index = Dataset::read_index(&root).unwrap();
    index.classes.insert(1, "Jazz".into());
    fs::write(root.join("dataset.json"), index.to_json()).unwrap();
    split_at_random(&root, 1);
    let (page, names, out) = written(&root);
    assert!(page.contains("<th scope=\"row\">Jazz</th><td class=\"number bar\" style=\"--length:0.000\" data-value=\"0.000000\">0</td>"), "{page}");
    assert!(!names.iter().any(|name| name.contains("jazz")), "{names:?}");
    let json = fs::read(out.path().join("analysis").join(ANALYSIS_FILE)).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (&json["classes"][1]["name"], &json["classes"][1]["samples"]),
        (&"Jazz".into(), &serde_json::Value::Null)
    );
}

#[test]
fn page_that_cannot_be_written_is_an_error() {
    let collection = three_tracks();
    collection.build("out").unwrap();
    let root = collection.out("out");
    let config = AnalysisConfig {
        dataset: root.clone(),
        sample_tracks: SampleTracks::default(),
        pictures: true,
        audio: false,
    };
    let analysis = Analysis::run(&config, &ByteProgress::new(Style::Quiet)).unwrap();
    let labels = TrackList::default();
    let absent = root.join("absent/page.html");
    let error = write(&absent, &Overview::read(&root).unwrap(), &analysis, &labels, &config).unwrap_err();
    assert!(error.to_string().contains("absent/page.html"), "{error}");
    let error = files::write(&analysis, &labels, &root.join("tracks.csv")).unwrap_err();
    assert!(error.to_string().contains("tracks.csv"), "{error}");
}
