//! The page that compares several runs.

use super::*;

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
