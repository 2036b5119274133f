//! In the steady state no thread of the prefetch pipeline allocates memory.
//!
//! A separate test program, because its allocator counts the allocations of all threads.

#![forbid(unsafe_code)]

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;
use std::thread::sleep;
use std::time::Duration;
use train::augment::{Augment, ClipPlan};
use train::data::run_data::RunData;
use train::loader::{BatchSource, Batches, Clips, Prefetch, Target, training_order};
// `testing.rs` below refers to these as `crate::…`.
use train::{models, settings};

#[path = "../src/testing.rs"]
#[expect(clippy::unwrap_used, reason = "the data set of a test")]
#[allow(dead_code, reason = "the library's own tests use more of it")]
mod testing;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BATCHES: usize = 60;
/// After this many batches every buffer has been filled, and producer and consumer have waited for each other.
const WARM: usize = 30;

/// A model, the augmentation of its training clips, and whether the device computes its input.
type Scenario = (models::ModelKind, Augment, bool);

const EVERYTHING_BUT_IMAGES: Augment = Augment {
    noise: true,
    stretch: true,
    pitch_shift: true,
    background: true,
    gain: true,
    polarity: true,
    spec_augment: true,
    image: false,
};

const SCENARIOS: [Scenario; 6] = [
    (models::ModelKind::MmCrnn, Augment::NOISE_AND_STRETCH, false),
    (models::ModelKind::MmCrnn, Augment::NOISE_AND_STRETCH, true),
    (
        models::ModelKind::Crnn,
        Augment {
            pitch_shift: true,
            background: true,
            ..Augment::NOISE_AND_STRETCH
        },
        false,
    ),
    (models::ModelKind::MmCrnn, EVERYTHING_BUT_IMAGES, false),
    (models::ModelKind::Crnn2dGru, Augment::NONE, false),
    (models::ModelKind::Vgg16Progressive42x100, Augment::IMAGE, false),
];

#[test]
fn prefetch_allocates_nothing_in_the_steady_state() {
    let root = testing::dataset();
    for scenario in SCENARIOS {
        let (model, augment, on_device) = scenario;
        let config = settings::RunConfig {
            background: augment.background.then(|| root.path().to_owned()),
            ..testing::config(root.path(), model)
        };
        let mut data = RunData::open(&config).expect("the data set opens");
        data.open_background(&config).expect("the background sounds open");
        let train: Vec<usize> = (0..data.training.len()).collect();
        let target = if on_device {
            Target::Samples {
                per_clip: ClipPlan::longest_source(augment, data.features.clip_samples),
            }
        } else {
            Target::ModelInput(&data.front_end)
        };
        // A track gets another augmentation in each epoch.
        let order = (0..)
            .flat_map(|epoch| training_order(&train, |_| 0, 0, 1, epoch))
            .take(2 * BATCHES)
            .collect();
        let source = BatchSource {
            dataset: &data.dataset,
            excerpts: &data.training,
            features: &data.features,
            target,
            batches: Batches::new(order, 2),
            clips: Clips::Training {
                seed: 1,
                epoch: 0,
                augment,
                skipped: 0,
                mixup: 0.3,
            },
        };
        let (mut region, mut change) = (Region::new(ALLOCATOR), None);
        let report = Prefetch::new(2, 2).run(&source, 0..BATCHES, |number, _, _| -> Result<(), Infallible> {
            match number {
                // First the loader threads wait for the sleeping consumer, then the consumer waits for them.
                5..10 => sleep(Duration::from_millis(60)),
                WARM => region.reset(),
                _ if number == BATCHES - 5 => change = Some(region.change()),
                _ => {}
            }
            Ok(())
        });
        assert_eq!(report.map(|report| report.batches), Ok(BATCHES));
        let change = change.expect("measured");
        assert_eq!(
            (change.allocations, change.reallocations, change.deallocations),
            (0, 0, 0),
            "{scenario:?}: {change:?}"
        );
    }
}
