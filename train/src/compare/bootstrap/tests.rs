use super::super::example::{Example, classifiers, tagger, taggers};
use super::*;
use proptest::prelude::*;

/// Ends of intervals are quantiles of random draws. Of 20,000 draws of a normal distribution with deviation s the quantile
/// at 0.025 has a standard error of 0.019 s, NumPy's of 40,000 one of 0.013 s; s is about 0.05 at most here.
const TOLERANCE: f64 = 4.0 * 0.023 * 0.05;
const MANY: u64 = 20_000;

fn near(name: &str, ours: [Option<Interval>; 2], expected: [Interval; 2], tolerance: f64) {
    let ours = ours.map(Option::unwrap);
    let errors = ours.iter().flatten().zip(expected.iter().flatten());
    let worst = errors.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("{name}: largest error {worst:.2e}");
    assert!(worst <= tolerance, "{name}: {ours:?}, not {expected:?}");
}

#[test]
fn intervals_are_numpys() {
    let example = Example::new();
    let one = example.set(0..1);
    // `f1_score(average="macro")` and `accuracy_score`.
    let metrics = one.plain_metrics()[0];
    assert!((metrics[0] - 0.629_166_67).abs() < 1e-8 && (metrics[1] - 0.629_373_48).abs() < 1e-8);
    let each = Groups::each(240);
    let expected = [[0.5667, 0.6917], [0.5662, 0.6881]];
    near("tracks", intervals(&one, &each, MANY), expected, TOLERANCE);
    let expected = [[0.5478, 0.7090], [0.5468, 0.7074]];
    near("artists", intervals(&one, &example.artists, MANY), expected, TOLERANCE);
    let three = example.set(0..3);
    let expected = [[0.4683, 0.7357], [0.4643, 0.7327]];
    let seeds = intervals(&three, &example.artists, MANY);
    near("seeds and artists", seeds, expected, 2.0 * TOLERANCE);
}

#[test]
fn intervals_of_differences_are_numpys() {
    let example = Example::new();
    let ours = differences(&example.set(0..1), &example.set(4..5), &example.artists, MANY);
    let expected = [[-0.0209, 0.1300], [-0.0259, 0.1282]];
    near("difference", ours.map(|d| d.unwrap().interval), expected, TOLERANCE);
    let ours = differences(&example.set(0..3), &example.set(3..5), &example.artists, MANY);
    let expected = [[-0.0536, 0.2227], [-0.0563, 0.2227]];
    near("seeds", ours.map(|d| d.unwrap().interval), expected, 2.0 * TOLERANCE);
    for (difference, expected) in ours.into_iter().zip([0.31225, 0.32075]) {
        let p = difference.unwrap().p.unwrap();
        assert!((p - expected).abs() < 0.03, "{p}, not {expected}");
    }
}

#[test]
fn intervals_of_tags_are_scikit_learns() {
    let [first, second] = taggers();
    let metrics = [first.plain_metrics()[0], second.plain_metrics()[0]];
    let expected = [
        [0.731_020_098_521_073_1, 0.614_858_163_839_813_1],
        [0.830_805_595_819_241_2, 0.742_220_598_591_843_9],
    ];
    for (metric, expected) in metrics.iter().flatten().zip(expected.iter().flatten()) {
        assert!((metric - expected).abs() < 1e-12, "{metric}, not {expected}");
    }
    // Of 6,000 resamples the quantile's standard error is 0.034 s, of ours 0.019 s, and s is up to 0.055.
    let each = Groups::each(120);
    let expected = [[0.6705, 0.7864], [0.5269, 0.7037]];
    near("tags", intervals(&first, &each, MANY), expected, 4.0 * 0.039 * 0.055);
    let ours = differences(&first, &second, &each, MANY);
    let expected = [[0.0227, 0.1778], [0.0208, 0.2350]];
    near(
        "tags' difference",
        ours.map(|d| d.unwrap().interval),
        expected,
        4.0 * 0.039 * 0.055,
    );
}

#[test]
fn ends_are_numpys_quantiles() {
    let values = [1.0, 2.0, 4.0, 8.0, 16.0];
    // numpy.quantile(values, q)
    for (q, expected) in [(0.0, 1.0), (0.025, 1.1), (0.5, 4.0), (0.975, 15.2), (1.0, 16.0)] {
        assert!((quantile(&values, q) - expected).abs() < 1e-12, "{q}");
    }
    assert_eq!(quantile(&[3.0], 0.975), 3.0);
}

/// Artists of whom a network gets nearly all tracks right or nearly none: half of all tracks in the long run.
#[test]
fn intervals_cover_the_truth_only_where_artists_are_drawn_as_one() {
    const WORLDS: u64 = 300;
    let (artists, per_artist) = (40, 5);
    let names: Vec<String> = (0..artists * per_artist)
        .map(|track| (track / per_artist).to_string())
        .collect();
    let groups = Groups::named(names.iter().map(|name| Some(name.as_str())));
    let each = Groups::each(artists * per_artist);
    let (mut by_artist, mut by_track) = (0, 0);
    for world in 0..WORLDS {
        let mut random = stream(77, world, 0, Purpose::Crop);
        let mut answers = Vec::new();
        for _ in 0..artists {
            let share = if random.random::<bool>() { 0.9 } else { 0.1 };
            answers.extend((0..per_artist).map(|_| u32::from(random.random::<f64>() < share)));
        }
        let set = classifiers(2, &vec![1; answers.len()], &[answers]);
        let covers = |groups| {
            let [low, high] = intervals(&set, groups, 400)[0].unwrap();
            u64::from(low <= 0.5 && 0.5 <= high)
        };
        by_artist += covers(&groups);
        by_track += covers(&each);
    }
    let share = |count: u64| count as f64 / WORLDS as f64;
    println!(
        "covered by artists {:.3}, by tracks {:.3}",
        share(by_artist),
        share(by_track)
    );
    // 300 worlds at 0.95 have a standard deviation of 0.013; the percentile interval of 40 groups is a little narrow.
    assert!(share(by_artist) >= 0.90, "{}", share(by_artist));
    // Tracks of an artist correlate by 0.64, so five count for 1.4; such an interval covers 0.70.
    assert!((0.60..0.80).contains(&share(by_track)), "{}", share(by_track));
}

/// Networks whose share of right answers is 0.4 to 0.6, as their seed has it: half of all tracks in the long run.
#[test]
fn intervals_cover_what_a_method_does_only_where_seeds_are_drawn_too() {
    const WORLDS: u64 = 200;
    let tracks = 400;
    let each = Groups::each(tracks);
    let (mut with_seeds, mut of_one) = (0, 0);
    for world in 0..WORLDS {
        let mut random = stream(78, world, 0, Purpose::Crop);
        let mut network = || -> Vec<u32> {
            let share = random.random_range(0.4..0.6);
            (0..tracks).map(|_| u32::from(random.random::<f64>() < share)).collect()
        };
        let networks: Vec<Vec<u32>> = (0..5).map(|_| network()).collect();
        let covers = |networks: &[Vec<u32>]| {
            let set = classifiers(2, &vec![1; tracks], networks);
            let [low, high] = intervals(&set, &each, 300)[0].unwrap();
            u64::from(low <= 0.5 && 0.5 <= high)
        };
        with_seeds += covers(&networks);
        of_one += covers(&networks[..1]);
    }
    let share = |count: u64| count as f64 / WORLDS as f64;
    println!(
        "covered with five seeds {:.3}, by one run {:.3}",
        share(with_seeds),
        share(of_one)
    );
    // 0.93 with this seed; five networks know their own spread badly, so that 0.95 is not to be had.
    assert!(share(with_seeds) > 0.85, "{}", share(with_seeds));
    assert!(share(of_one) < 0.70, "{}", share(of_one));
}

#[test]
fn a_class_that_a_resample_misses_does_not_drag_macro_f1_down() {
    // Three classes that are always right; the last has one artist in twenty, whom a third of all resamples miss.
    let truth: Vec<u32> = (0..60).map(|track| if track < 3 { 2 } else { track % 2 }).collect();
    let names: Vec<String> = (0..60).map(|track| (track / 3).to_string()).collect();
    let groups = Groups::named(names.iter().map(|name| Some(name.as_str())));
    let set = classifiers(3, &truth, std::slice::from_ref(&truth));
    assert_eq!(intervals(&set, &groups, 500), [Some([1.0, 1.0]); 2]);
}

#[test]
fn a_metric_that_is_not_always_defined_has_no_interval() {
    // One track has the tag: some resamples have none.
    let set = tagger(1, &[true, false, false], &[0.9, 0.1, 0.2]);
    assert_eq!(set.plain_metrics()[0], [1.0, 1.0]);
    assert_eq!(intervals(&set, &Groups::each(3), 100), [None; 2]);
    // Resamples of one artist are all the same.
    let one = classifiers(2, &[0, 1, 1], &[vec![0, 1, 0]]);
    let artist = Groups::named([Some("a"); 3]);
    assert_eq!(intervals(&one, &artist, 100), [None; 2]);
    assert!(
        differences(&one, &one, &artist, 100)
            .iter()
            .flatten()
            .all(|d| d.interval.is_none() && d.p.is_none())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn intervals_are_shares_in_order_and_the_same_each_time(
        tracks in prop::collection::vec((0u32..3, 0u32..3, 0u32..3, 0u8..4), 1..40),
    ) {
        let truth: Vec<u32> = tracks.iter().map(|track| track.0).collect();
        let networks = [tracks.iter().map(|t| t.1).collect(), tracks.iter().map(|t| t.2).collect::<Vec<_>>()];
        let names: Vec<String> = tracks.iter().map(|track| track.3.to_string()).collect();
        let groups = Groups::named(names.iter().map(|name| (name != "0").then_some(name.as_str())));
        let set = classifiers(3, &truth, &networks);
        let found = intervals(&set, &groups, 200);
        prop_assert_eq!(found, intervals(&set, &groups, 200));
        for [low, high] in found.into_iter().flatten() {
            prop_assert!(0.0 <= low && low <= high && high <= 1.0);
        }
        let (a, b) = (classifiers(3, &truth, &networks[..1]), classifiers(3, &truth, &networks[1..]));
        prop_assert_eq!(found[0].is_some(), groups.len() > 1);
        for difference in differences(&a, &a, &groups, 200).into_iter().flatten() {
            let (interval, p) = found[0].map(|_| ([0.0, 0.0], 1.0)).unzip();
            prop_assert_eq!((difference.interval, difference.p), (interval, p));
        }
        for (there, back) in differences(&a, &b, &groups, 200).into_iter().zip(differences(&b, &a, &groups, 200)) {
            let (Some(there), Some(back)) = (there, back) else { continue };
            prop_assert_eq!(there.p, back.p);
            let (Some(there), Some(back), Some(p)) = (there.interval, back.interval, there.p) else { continue };
            prop_assert!((there[0] + back[1]).abs() < 1e-9);
            prop_assert!(p > 0.0 && p <= 1.0);
        }
    }
}
