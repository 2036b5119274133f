use super::super::example::{Example, taggers};
use super::*;
use proptest::prelude::*;

/// `p` is a share of 10,000 permutations: its standard deviation is below 0.0045, NumPy's below 0.0015.
const TOLERANCE: f64 = 4.0 * 0.0048;

fn near(ours: [f64; 2], expected: [f64; 2], tolerance: f64) {
    println!("p {ours:?}, expected {expected:?}");
    for (ours, expected) in ours.into_iter().zip(expected) {
        assert!((ours - expected).abs() < tolerance, "{ours}, not {expected}");
    }
}

#[test]
fn randomization_is_numpys() {
    let example = Example::new();
    let one = |at: usize| example.outcomes(at..at + 1);
    let by_track = randomization(&one(0), &one(1), &Units::each(240));
    near(by_track, [0.081_689, 0.073_379], TOLERANCE);
    let by_artist = randomization(&one(0), &one(3), &example.artists);
    near(by_artist, [0.232_328, 0.216_458], TOLERANCE);
    let [first, second] = taggers();
    // At 0.0165, 2,000 permutations have a standard deviation of 0.0029 and NumPy's 6,000 one of 0.0016.
    near(
        randomization(&first, &second, &Units::each(120)),
        [0.009_998, 0.016_497],
        4.0 * 0.0033,
    );
}

#[test]
fn mcnemar_is_scipys() {
    let example = Example::new();
    let one = |at: usize| example.outcomes(at..at + 1);
    // scipy.stats.binomtest(only_first, only_first + only_second).pvalue, SciPy 1.
    for (other, only_first, only_second, p) in [
        (1, 44, 63, 0.081_353_048_205_965_98),
        (3, 43, 58, 0.163_279_261_851_427_55),
        (4, 39, 52, 0.208_174_422_381_177),
    ] {
        let found = compare(&one(0), &one(other), &example.artists).mcnemar.unwrap();
        assert_eq!((found.only_first, found.only_second), (only_first, only_second));
        assert!((found.p - p).abs() < 1e-12, "{}, not {p}", found.p);
    }
    for (heads, tails, p) in [
        (1, 8, 0.039_062_5),
        (3, 0, 0.25),
        (700, 800, 0.010_559_255_466_711_506),
        (10, 10, 1.0),
        (3, 4, 1.0),
        (0, 0, 1.0),
    ] {
        assert!((fair_coin(heads, tails) / p - 1.0).abs() < 1e-11, "{heads} {tails}");
        assert_eq!(fair_coin(heads, tails), fair_coin(tails, heads));
    }
}

#[test]
fn seeds_are_compared_by_the_bootstrap() {
    let example = Example::new();
    let found = compare(&example.outcomes(0..3), &example.outcomes(3..5), &example.artists);
    assert_eq!((found.test, found.mcnemar), (Test::Bootstrap, None));
    let top1 = found.contrasts[0].unwrap();
    // The mean of 0.69167 and 0.68333 less that of 0.62917, 0.70833 and 0.49583.
    assert!((top1.difference - 0.076_388_89).abs() < 1e-6, "{}", top1.difference);
    let [low, high] = top1.interval.unwrap();
    assert!(low < top1.difference && top1.difference < high);
    let single = compare(&example.outcomes(0..1), &example.outcomes(3..4), &example.artists);
    assert_eq!(single.test, Test::Randomization);
}

#[test]
fn holm_steps_down() {
    // 4 times the least, 3 times the next, and so on, but never less than the one before.
    let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
    for (ours, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
        assert!((ours - expected).abs() < 1e-12, "{adjusted:?}");
    }
    assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    assert_eq!(holm(&[]), [0.0; 0]);
}

#[test]
fn thousands_of_tracks_take_no_time() {
    let tracks = 8000;
    let truth: Vec<u32> = (0..tracks).map(|track| track % 8).collect();
    let answers = |step: u32| -> Vec<u32> { (0..tracks).map(|track| track * step % 11 % 8).collect() };
    let [a, b] = [3, 5].map(|step| Outcomes::of_classes(8, &truth, &[answers(step)]));
    let begin = std::time::Instant::now();
    let found = compare(&a, &b, &Units::each(tracks as usize));
    println!("8,000 tracks compared in {:.2} s", begin.elapsed().as_secs_f64());
    assert!(found.contrasts.iter().all(Option::is_some));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn p_is_a_probability_and_does_not_care_who_is_first(
        tracks in prop::collection::vec((0u32..3, 0u32..3, 0u32..3), 1..40),
    ) {
        let truth: Vec<u32> = tracks.iter().map(|track| track.0).collect();
        let a = Outcomes::of_classes(3, &truth, &[tracks.iter().map(|track| track.1).collect()]);
        let b = Outcomes::of_classes(3, &truth, &[tracks.iter().map(|track| track.2).collect()]);
        let units = Units::each(tracks.len());
        let p = randomization(&a, &b, &units);
        prop_assert!(p.iter().all(|&p| p > 0.0 && p <= 1.0));
        prop_assert_eq!(p, randomization(&b, &a, &units));
        prop_assert_eq!(randomization(&a, &a, &units), [1.0, 1.0]);
        let same = compare(&a, &a, &units);
        prop_assert_eq!(same.mcnemar.unwrap().p, 1.0);
        prop_assert!(same.contrasts.iter().all(|contrast| contrast.unwrap().difference == 0.0));
    }

    #[test]
    fn holm_never_helps_and_keeps_the_order(p in prop::collection::vec(0.0f64..=1.0, 0..8)) {
        let adjusted = holm(&p);
        for (at, (&before, &after)) in p.iter().zip(&adjusted).enumerate() {
            prop_assert!(before <= after && after <= 1.0);
            for other in 0..p.len() {
                prop_assert!(p[at] > p[other] || adjusted[at] <= adjusted[other]);
            }
        }
    }
}
