use super::*;
use crate::metrics::{ClassificationMetrics, ConfusionMatrix, MetricSummary, MultiLabelMetrics, SetMetrics, SetReport};
use crate::models::ModelKind;
use crate::report::reported_metric::{PairedTest, ReportedMetric};
use crate::report::{METRICS_FILE, RunMetrics, read_metrics};
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
fn comparison_shows_only_settings_that_differ() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let (first, first_config) = run(&root.path().join("first"), data.path(), |config| config.lr = 0.25);
    let (second, second_config) = run(&root.path().join("second"), data.path(), |config| config.seed = 7);
    let (first, second) = ([(first, first_config)], [(second, second_config)]);
    let both = [contestant(&first), contestant(&second)];
    let page = comparison(&both, Set::Val, &[]).unwrap();
    for text in [
        ">first</th>",
        ">second</th>",
        "<code>lr</code>",
        "<td>0.25</td>",
        "<code>seed</code>",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<code>batch_size</code>") && !page.contains("cannot be compared"));
    let other = RunConfig {
        split: "other".into(),
        ..second[0].1.clone()
    };
    let others = [
        contestant(&first),
        Contestant {
            config: &other,
            ..contestant(&second)
        },
    ];
    let page = comparison(&others, Set::Val, &[]).unwrap();
    assert!(page.contains("cannot be compared"));
    assert!(comparison(&[], Set::Val, &[]).is_err());
}

#[test]
fn comparison_shows_metrics_warnings_and_tests_of_one_set() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let (run, config) = run(&root.path().join("first"), data.path(), |_| ());
    // Also evaluated on the test set, with a better result.
    let mut metrics = read_metrics(&run).unwrap();
    let mut confusion = ConfusionMatrix::new(2);
    confusion.add(0, 0);
    confusion.add(0, 0);
    confusion.add(1, 1);
    metrics.test = Some(SetReport {
        tracks: SetMetrics::Classes(ClassificationMetrics::new(&confusion, &config.classes, 0.25)),
        ece: 0.125,
        clips: 0,
        per_clip: None,
    });
    run.write(METRICS_FILE, &serde_json::to_vec(&metrics).unwrap()).unwrap();
    let reported = |set: Set| ReportedMetric {
        metric: "top-1".into(),
        set: set.name().into(),
        mean: 0.5,
        interval: Some([0.25, 0.75]),
        method: "bootstrap".into(),
        runs: 1,
        warnings: vec![format!("warning of {}", set.name())],
    };
    let reported = [reported(Set::Val), reported(Set::Test)];
    let runs = [(run, config)];
    let contestant = Contestant {
        reported: &reported,
        ..contestant(&runs)
    };
    let test = PairedTest {
        metric: "top-1".into(),
        runs: ["first", "second"].map(String::from),
        difference: 0.0,
        interval: None,
        p_value: 1.0,
        method: "McNemar".into(),
    };
    for (set, name, metric, other) in [
        (Set::Val, "validation", "0.500", Set::Test),
        (Set::Test, "test", "1.000", Set::Val),
    ] {
        let page = comparison(&[contestant], set, std::slice::from_ref(&test)).unwrap();
        for text in [
            format!("Metrics on the {name} set"),
            format!("Paired tests on the same tracks of the {name} set"),
            format!("<td class=\"number best\">{metric}"),
            format!("warning of {}", set.name()),
        ] {
            assert!(page.contains(&text), "{text}");
        }
        assert!(!page.contains(&format!("warning of {}", other.name())));
    }
}

#[test]
fn set_of_runs_is_one_row_with_the_means_of_its_runs() {
    let (root, data) = (tempfile::tempdir().unwrap(), testing::dataset());
    let reference = [run(&root.path().join("reference"), data.path(), |_| ())];
    let seeds = [0, 1].map(|seed| {
        let (run, config) = run(&root.path().join(format!("set/seed-{seed}")), data.path(), |config| {
            config.seed = seed
        });
        let mut metrics = read_metrics(&run).unwrap();
        if let (1, Some(report)) = (seed, &mut metrics.val) {
            report.ece = 0.175;
        }
        run.write(METRICS_FILE, &serde_json::to_vec(&metrics).unwrap()).unwrap();
        (run, config)
    });
    let path = root.path().join("set");
    let reported = [ReportedMetric {
        metric: "top-1".into(),
        set: "val".into(),
        mean: 0.625,
        interval: Some([0.25, 0.75]),
        method: "bootstrap over 2 tracks and 2 seeds".into(),
        runs: 2,
        warnings: Vec::new(),
    }];
    let set = Contestant {
        path: &path,
        members: "seeds 0, 1",
        reported: &reported,
        ..contestant(&seeds)
    };
    let first = [ReportedMetric {
        mean: 0.5,
        ..reported[0].clone()
    }];
    let first = Contestant {
        reported: &first,
        ..contestant(&reference)
    };
    let test = PairedTest {
        metric: "top-1".into(),
        runs: [first.path, set.path].map(|path| path.display().to_string()),
        difference: 0.125,
        interval: None,
        p_value: 0.25,
        method: "paired bootstrap".into(),
    };
    let page = comparison(&[first, set], Set::Val, &[test]).unwrap();
    for text in [
        "2 runs compared on ",
        "<b>set</b> has the highest top-1 on the validation set: 0.625, 95 % interval 0.250 to 0.750; +0.125 compared \
         with the reference reference, p 0.250.",
        "<small>reference</small>",
        "<small>seeds 0, 1</small>",
        "set 0.625, 95 % interval 0.250 to 0.750",
        "0.625<small>0.250 to 0.750</small>",
        // The mean of 0.575 and 0.175.
        ">0.375</td>",
        ">set/seed-1</th>",
        "<td>0, 1</td>",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // One line for each run, in the colour of its row.
    assert_eq!(page.matches("class=\"line s1 d1\" points").count(), 2 * 3, "{page}");
}
