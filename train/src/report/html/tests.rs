mod comparison;

use super::*;
use crate::metrics::{ClassificationMetrics, ConfusionMatrix, MetricSummary, MultiLabelMetrics, SetMetrics, SetReport};
use crate::models::ModelKind;
use crate::report::reported_metric::{PairedTest, ReportedMetric};
use crate::report::{METRICS_FILE, RunMetrics, read_metrics};
use crate::run::directory::RunError;
use crate::run::embedding_map::{EmbeddingMap, embedding_map_file};
use crate::run::ending::Ending;
use crate::run::environment::Environment;
use crate::run::history::{EpochRecord, HISTORY_FILE, to_csv};
use crate::run::predictions::{Prediction, Predictions, predictions_file};
use crate::run::split_copy;
use crate::testing;
use shared::dataset::Dataset;
use shared::dataset::split::Split;
use std::path::Path;

/// A run of two epochs on the small data set, evaluated on its validation tracks 50 and 60, one of them wrong.
fn run(root: &Path, data: &Path, edit: impl FnOnce(&mut RunConfig)) -> (RunDirectory, RunConfig) {
    let index = Dataset::read_index(data).unwrap();
    let mut config = RunConfig {
        data_checksum: index.checksum,
        split: "main".into(),
        classes: index.classes,
        ..testing::config(data, ModelKind::Cnn2d)
    };
    edit(&mut config);
    let run = RunDirectory::begin(root).unwrap();
    run.save_config(&config).unwrap();
    let index = Dataset::read_index(data).unwrap();
    let split = Split::read(data, &index, None).unwrap();
    split_copy::keep(&split, &data.join("splits/main"), &index, &run).unwrap();
    let mut confusion = ConfusionMatrix::new(2);
    confusion.add(0, 0);
    confusion.add(1, 0);
    let report = SetReport {
        tracks: SetMetrics::Classes(ClassificationMetrics::new(&confusion, &config.classes, 0.75)),
        ece: 0.575,
        clips: 0,
        per_clip: None,
    };
    let track = |track_id, label: usize, probabilities: [f32; 2]| Prediction {
        track_id,
        labels: vec![label],
        predicted: vec![0],
        probabilities: probabilities.into(),
    };
    let predictions = Predictions {
        classes: config.classes.clone(),
        tracks: vec![track(50, 0, [0.75, 0.25]), track(60, 1, [0.9, 0.1])],
    };
    save(&run, &config, report, &predictions);
    (run, config)
}

fn save(run: &RunDirectory, config: &RunConfig, report: SetReport, predictions: &Predictions) {
    let metrics = MetricSummary::from(&report.tracks);
    let record = |epoch| EpochRecord {
        epoch,
        seconds: 2.0,
        data_wait: 0.1,
        clips: 3,
        lr: 1e-3,
        train: metrics,
        val: metrics,
    };
    run.write(HISTORY_FILE, &to_csv(&[record(1), record(2)])).unwrap();
    run.write(predictions_file(Set::Val), &predictions.to_csv()).unwrap();
    let metrics = RunMetrics {
        model: config.model_name(),
        split: config.split.clone(),
        best_epoch: Some(2),
        ended: Some(Ending::AllEpochs { epochs: 2 }),
        train: None,
        val: Some(report),
        test: None,
        intervals: Vec::new(),
    };
    run.write(METRICS_FILE, &serde_json::to_vec(&metrics).unwrap()).unwrap();
    Environment::here("cpu").write(run).unwrap();
}

fn page(run: &RunDirectory, config: &RunConfig, options: &Options<'_>) -> String {
    let path = write(run, config, options).unwrap();
    assert_eq!(path, run.path(REPORT_FILE));
    String::from_utf8(run.read(REPORT_FILE).unwrap().unwrap()).unwrap()
}

fn contestant(runs: &[(RunDirectory, RunConfig)]) -> Contestant<'_> {
    Contestant {
        path: runs[0].0.root(),
        members: "",
        config: &runs[0].1,
        runs,
        tracks: 2,
        reported: &[],
    }
}

#[test]
fn page_shows_metrics_data_and_mistakes() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let (run, config) = run(&root.path().join("first"), data.path(), |_| ());
    let without_audio = page(&run, &config, &Options::default());
    for section in [
        "metrics",
        "curves",
        "confusion",
        "calibration",
        "classes",
        "mistakes",
        "data",
        "run",
        "settings",
    ] {
        assert!(
            without_audio.contains(&format!("<section id=\"{section}\"")),
            "{section}"
        );
    }
    for text in [
        "Run <b>first</b>:",
        "<b>Predicts 1 of 2 tracks of the validation set correctly</b>: 50.0 %. Always predicting Folk, the most frequent class, gives 50.0 %",
        "<details><summary>",
        "random",
        "no known artist, album or recording",
        "accuracy_score",
        "ECE 0.575 of 2 tracks of the validation set",
        "1 track, mean probability 0.900, accuracy 0.000",
        ">calibration error</th>",
        "000/000060.mp3",
        "6 in total, 1.5 per second",
        "all 2 epochs are done",
        "<code>batch_size</code>",
    ] {
        assert!(without_audio.contains(text), "{text}");
    }
    assert!(
        !without_audio.contains("published<") && !without_audio.contains("000/000050.mp3"),
        "no published metrics, and only wrong predictions"
    );
    assert_eq!(
        (
            without_audio.matches("data:image/png;base64,").count(),
            without_audio.matches("<audio").count()
        ),
        (1, 0)
    );
    let options = Options {
        audio: true,
        ..Options::default()
    };
    let with_audio = page(&run, &config, &options);
    assert_eq!(with_audio.matches("data:audio/wav;base64,").count(), 1);
    assert!(
        with_audio.len() > without_audio.len() + 400_000 && with_audio.len() < without_audio.len() + 440_000,
        "{}",
        with_audio.len()
    );
}

#[test]
fn page_without_the_data_set_has_no_spectrograms() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let (run, config) = run(root.path(), data.path(), |_| ());
    let other = RunConfig {
        data_checksum: "another".into(),
        ..config.clone()
    };
    assert!(page(&run, &other, &Options::default()).contains("is not the data set that the run was trained on"));
    drop(data);
    let page = page(
        &run,
        &config,
        &Options {
            audio: true,
            ..Options::default()
        },
    );
    assert!(page.contains("Spectrograms and file names are missing") && page.contains("is not a data set"));
    assert!(!page.contains("data:image") && !page.contains("data:audio") && page.contains("id=\"mistakes\""));
}

#[test]
fn missing_files_are_tolerated_and_damaged_files_are_errors() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let (run, config) = run(root.path(), data.path(), |_| ());
    for file in [
        predictions_file(Set::Val),
        HISTORY_FILE,
        crate::run::environment::ENVIRONMENT_FILE,
    ] {
        run.remove(file).unwrap();
    }
    let without = page(&run, &config, &Options::default());
    assert!(without.contains("evaluate the set again") && without.contains("history.csv is missing"));
    run.write(HISTORY_FILE, b"epoch,seconds\n1,2\n").unwrap();
    let error = write(&run, &config, &Options::default()).unwrap_err().to_string();
    assert!(error.contains(HISTORY_FILE) && error.contains("no column"), "{error}");
    run.remove(HISTORY_FILE).unwrap();
    let test_set = Options {
        set: Some(Set::Test),
        ..Options::default()
    };
    let error = write(&run, &config, &test_set).unwrap_err().to_string();
    assert!(
        error.contains("the test set of") && error.contains("was not evaluated yet"),
        "{error}"
    );
}

#[test]
fn text_from_files_is_escaped() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let hostile = "<script>alert(\"x\")</script>";
    let (run, config) = run(root.path(), data.path(), |config| {
        config.classes = ["Folk", hostile].map(String::from).into();
        config.init_from = Some("<img src=x onerror=alert(1)>'\"&".into());
    });
    let warning = format!("{hostile} is in two sets");
    let reported = ReportedMetric {
        metric: hostile.into(),
        set: "val".into(),
        mean: 0.5,
        interval: Some([0.4, 0.6]),
        method: hostile.into(),
        runs: 1,
        warnings: vec![warning],
    };
    let options = Options {
        reported: &[reported],
        ..Options::default()
    };
    let shown = page(&run, &config, &options);
    let runs = [(run, config)];
    let contestant = Contestant {
        reported: options.reported,
        ..contestant(&runs)
    };
    for page in [shown, comparison(&[contestant], Set::Val, &[]).unwrap()] {
        assert!(page.contains("is in two sets"), "the warning is shown");
        assert_eq!(page.matches("<script").count(), 1, "the page's own script");
        assert!(!page.contains("<img src=x") && page.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;"));
        assert!(!page.contains("http://") && !page.contains("https://"));
    }
}

#[test]
fn multi_label_page_has_curves_and_no_confusion_matrix() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let (run, config) = run(root.path(), data.path(), |_| ());
    let scores = [0.9, 0.6, 0.2, 0.4];
    let metrics = MultiLabelMetrics::new(&scores, &[true, false, false, false], &config.classes, 0.5, None).unwrap();
    let report = SetReport {
        tracks: SetMetrics::Tags(metrics),
        ece: 0.325,
        clips: 0,
        per_clip: None,
    };
    let track = |track_id, labels: &[usize], predicted: &[usize], probabilities: &[f32]| Prediction {
        track_id,
        labels: labels.into(),
        predicted: predicted.into(),
        probabilities: probabilities.into(),
    };
    let predictions = Predictions {
        classes: config.classes.clone(),
        tracks: vec![
            track(50, &[0], &[0, 1], &scores[..2]),
            track(60, &[], &[], &scores[2..]),
        ],
    };
    save(&run, &config, report, &predictions);
    let page = page(&run, &config, &Options::default());
    for text in [
        "<section id=\"ranking\"",
        "<section id=\"tags\"",
        "Folk, area 1.000",
        "mean, area 1.000",
        "1 tag of the validation set; 1 tag without curves",
        "no tracks have: 1 tag.",
        "below its threshold",
        "ECE 0.325 of 4 decisions of the validation set",
        "roc_auc_score",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<section id=\"confusion\"") && !page.contains("accuracy_score</td>"));
}

#[test]
fn map_has_a_named_point_per_track_that_leads_to_its_mistake() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let (run, config) = run(&root.path().join("first"), data.path(), |_| ());
    let section = "<section id=\"embeddings\"";
    assert!(!page(&run, &config, &Options::default()).contains(section));
    let map = EmbeddingMap {
        tracks: 3,
        dimension: 128,
        explained_variance_ratio: [0.5, 0.25],
        track_ids: vec![50, 60],
        coordinates: vec![[-1.0, 0.5], [1.0, -0.5]],
    };
    EmbeddingMap::replace(Some(&map), &run, Set::Val).unwrap();
    let shown = page(&run, &config, &Options::default());
    for text in [
        section,
        "The set has 3 tracks; these are 2, evenly spaced.",
        "2 tracks of the validation set, 128 values each",
        "first component, 50.0 % of variance",
        "<title>000/000050.mp3: Folk</title>",
        "<a href=\"#track-60\">",
        "<title>000/000060.mp3: Rock, predicted as Folk</title>",
        "<li id=\"track-60\">",
    ] {
        assert!(shown.contains(text), "{text}");
    }
    assert!(!shown.contains("#track-50"));
    run.write(embedding_map_file(Set::Val), b"{}").unwrap();
    assert!(matches!(RunView::read(&run, &config), Err(RunError::Damaged { .. })));
}
