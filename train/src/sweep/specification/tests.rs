use super::super::axis::Scale;
use super::super::testing;
use super::*;
use proptest::prelude::*;

fn specification(grid: &[&str], ranges: &[&str]) -> Specification {
    let mut specification = testing::specification(grid, ranges, ranges.len() * 4);
    specification.settings.weight_decay = Some(1e-5);
    specification
}

fn refused(grid: &[&str], ranges: &[&str]) -> String {
    specification(grid, ranges).validate().unwrap_err().to_string()
}

#[test]
fn every_setting_but_two_can_be_varied_and_no_other_name() {
    specification(
        &["dropout=0.1,0.2", "balance=none,oversample"],
        &["lr=1e-5..1e-2:log", "batch_size=4..64"],
    )
    .validate()
    .unwrap();
    assert_eq!(
        refused(&["drop_out=1"], &[]),
        "`drop_out` is no setting of `fit`; is `dropout` meant?"
    );
    assert!(refused(&["weight-decay=1"], &[]).contains("is `weight_decay` meant?"));
    assert_eq!(refused(&["zzz=1"], &[]), "`zzz` is no setting of `fit`");
    assert!(refused(&["data=a,b"], &[]).contains("cannot be compared"));
    assert!(refused(&["monitor=loss,accuracy"], &[]).contains("ranked"));
    assert!(refused(&["dropout=0.1", "dropout=0.2"], &[]).contains("twice"));
    assert!(refused(&["dropout=0.1"], &["dropout=0..1"]).contains("twice"));
    assert!(refused(&["weight_decay=0.1"], &[]).contains("twice"));
    assert!(refused(&[], &[]).contains("--grid"));
}

#[test]
fn values_have_the_type_of_their_setting() {
    assert!(refused(&["dropout=0.1,much"], &[]).starts_with("dropout cannot be much: "));
    assert!(refused(&["batch_size=0.5"], &[]).starts_with("batch_size cannot be 0.5: "));
    assert!(refused(&["batch_size=-1"], &[]).starts_with("batch_size cannot be -1: "));
    assert!(refused(&["balance=evenly"], &[]).contains("evenly"));
    assert!(refused(&[], &["balance=0..1"]).contains("--grid"));
    assert!(refused(&[], &["batch_size=0.5..8"]).contains("whole numbers"));
    assert!(refused(&[], &["batch_size=-4..8"]).contains("from 0 to 2^53"));
    assert!(refused(&[], &["seed=0..9007199254740993"]).contains("from 0 to 2^53"));
    assert!(takes_fractions("dropout") && !takes_fractions("epochs"));
}

#[test]
fn a_fixed_setting_that_no_file_can_keep_is_refused() {
    let mut specification = specification(&["dropout=0.1,0.2"], &[]);
    specification.settings.seed = Some(u64::MAX);
    let said = specification.validate().unwrap_err().to_string();
    assert!(said.starts_with("--seed must be at most 2^53"), "{said}");
}

#[test]
fn draws_and_ranges_need_each_other_and_halving_a_factor() {
    let base = specification(&["dropout=0.1"], &[]);
    let random = NonZeroUsize::new(3);
    let wrong = Specification { random, ..base.clone() };
    assert_eq!(wrong.validate(), Err(SpecificationError::HalfRandom));
    let wrong = Specification {
        random: None,
        ..specification(&[], &["lr=1e-3..1"])
    };
    assert_eq!(wrong.validate(), Err(SpecificationError::HalfRandom));
    let wrong = Specification {
        halving: Some(1),
        ..base
    };
    assert_eq!(wrong.validate(), Err(SpecificationError::Halving(1)));
}

#[test]
fn a_sweep_goes_on_with_what_it_was_begun_with() {
    let begun = specification(&["dropout=0.1,0.2"], &[]);
    // Nothing said again, everything, or something that changes speed only.
    let silent = Specification::default().or(&begun);
    assert_eq!((&silent, silent.difference(&begun)), (&begun, None));
    assert_eq!(begun.clone().or(&begun).difference(&begun), None);
    let mut faster = Specification::default();
    faster.settings.loader_threads = Some(7);
    let faster = faster.or(&begun);
    assert_eq!(
        (faster.difference(&begun), faster.settings.loader_threads),
        (None, Some(7))
    );
    let mut other = Specification::default();
    other.settings.lr = Some(0.5);
    let said = other.or(&begun).difference(&begun).unwrap();
    assert_eq!(said, "lr was its default and is 0.5 now");
    let other = specification(&["dropout=0.1,0.3"], &[]).or(&begun);
    assert_eq!(
        other.difference(&begun).unwrap(),
        "--grid was dropout=0.1,0.2 and is dropout=0.1,0.3 now"
    );
    let other = Specification {
        halving: Some(2),
        ..Specification::default()
    }
    .or(&begun);
    assert_eq!(other.difference(&begun).unwrap(), "--halving was none and is 2 now");
    // A setting that was fixed and is varied now is not both.
    let other = specification(&["dropout=0.1,0.2", "seed=1,2"], &[]).or(&Specification {
        settings: Settings {
            seed: Some(3),
            ..begun.settings.clone()
        },
        ..begun.clone()
    });
    assert_eq!(other.settings.seed, None);
}

#[test]
fn more_draws_may_be_asked_for_unless_they_are_thinned_out() {
    let begun = specification(&[], &["lr=1e-5..1e-2:log"]);
    let with = |random, halving| Specification {
        random: NonZeroUsize::new(random),
        halving,
        ..begun.clone()
    };
    assert_eq!(with(9, None).difference(&begun), None);
    assert_eq!(with(2, None).difference(&begun).unwrap(), "--random was 4 and is 2 now");
    assert!(with(9, Some(2)).difference(&with(4, Some(2))).is_some());
}

proptest! {
    #[test]
    fn a_specification_is_read_back_from_toml(
        grid in prop::collection::vec(("[a-z_]{1,8}", prop::collection::vec(-1e3..1e3, 1..4)), 0..3),
        ranges in prop::collection::vec(("[a-z_]{1,8}", -1e3..1e3, 0..50_i64, any::<bool>()), 0..3),
        random in prop::option::of(1..100_usize), halving in prop::option::of(2..9_usize),
        lr in 1e-9..1.0, weight_decay in prop::num::f32::POSITIVE,
        words in prop::collection::vec("\\PC{0,8}", 1..3),
    ) {
        let axis = |(name, values): (String, Vec<f64>)| GridAxis { name, values: values.into_iter().map(Value::Float).collect() };
        let mut grid: Vec<_> = grid.into_iter().map(axis).collect();
        grid.push(GridAxis { name: "words".into(), values: words.into_iter().map(Value::String).collect() });
        let specification = Specification {
            data_checksum: "abc".into(),
            random: random.and_then(NonZeroUsize::new),
            halving,
            settings: Settings { lr: Some(lr), weight_decay: Some(weight_decay), ..specification(&[], &[]).settings },
            grid,
            ranges: ranges.into_iter().map(|(name, low, high, log)| Range {
                name, low: Number::Float(low), high: Number::Integer(high),
                scale: if log { Scale::Log } else { Scale::Linear },
            }).collect(),
        };
        let text = toml::to_string(&specification).unwrap();
        prop_assert_eq!(&toml::from_str::<Specification>(&text).unwrap(), &specification);
        prop_assert_eq!(from_table(to_table(&specification.settings)).unwrap(), specification.settings);
    }
}

#[test]
fn a_sweep_goes_on_from_any_directory() {
    let mut typed = specification(&["init_from=a.pt,b.pt", "model=crnn,vgg16"], &[]);
    typed.settings.background = Some("noise".into());
    let kept = typed.clone().absolute().unwrap();
    for (path, name) in [(&kept.settings.data, "fma"), (&kept.settings.background, "noise")] {
        let path = path.as_deref().unwrap();
        assert!(path.is_absolute() && path.ends_with(name), "{}", path.display());
    }
    let here = std::env::current_dir().unwrap();
    let expected = ["a.pt", "b.pt"].map(|name| Value::from(here.join(name).to_str().unwrap()));
    assert_eq!(kept.grid[0].values, expected);
    assert_eq!(kept.grid[1], typed.grid[1]);
    // Typed once more, and read from its file.
    assert!(typed.difference(&kept).is_some());
    assert_eq!(typed.absolute().unwrap().difference(&kept), None);
    assert_eq!(kept.clone().absolute().unwrap(), kept);
}
