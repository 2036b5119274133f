//! Learning rate range test (Smith 2017, "Cyclical Learning Rates for Training Neural Networks"): one training whose rate
//! grows exponentially from step to step until the loss diverges. The weights are not kept.

use super::stages::repeated_training_set;
use crate::data::run_data::RunData;
use crate::loader::Prefetch;
use crate::metrics::Tally;
use crate::process::console::Console;
use crate::process::stop::{StopRequest, Stopped};
use crate::settings::RunConfig;
use crate::step::averaging::Averaging;
use crate::step::batch::TrainingStep;
use crate::step::compute::Compute;
use crate::step::objective::Objective;
use crate::step::optimization::{LearningRates, optimizer};
use crate::step::trainer::Trainer;
use crate::training::freezing::Freezing;
use crate::training::start::{initialized, with_initial_weights};
use shared::page::{Axis, Plot, Series, Shape, Style, file};

const STEPS: usize = 100;
const FIRST: f64 = 1e-7;
const LAST: f64 = 10.0;
/// Steps on each side of a rate to which a line is fitted: together about a decade of rates.
const SIDE: usize = 6;
/// The mean loss of this many steps that is this many times the lowest such mean ends the test.
const RECENT: usize = 5;
const DIVERGED: f64 = 4.0;
/// A rate is suggested only if the loss falls by this fraction of its first values in a decade of rates.
const LEAST_FALL: f64 = 0.02;

/// One step of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateTried {
    pub lr: f64,
    /// Mean loss of the batch before the step.
    pub loss: f64,
}

/// Trains with growing rates. Stops when the loss diverges.
pub fn try_learning_rates(
    config: &RunConfig,
    data: &RunData,
    compute: &Compute,
    stop: StopRequest<'_>,
    console: Console,
) -> anyhow::Result<Vec<RateTried>> {
    let source = repeated_training_set(config, data, compute, STEPS)?;
    let model = initialized(config, data, compute.training_device());
    let (model, loaded) = with_initial_weights(config, data, model, console)?;
    let model = Freezing::new(config, &model, &loaded)?.freeze(model, 0, console)?;
    let objective = Objective::new(config, data);
    let step = TrainingStep::new(config, objective, LearningRates::from(1.0));
    let mut trainer = Trainer::new(
        config.seed,
        compute,
        data,
        step,
        model,
        optimizer(config),
        Averaging::default(),
    );
    let mut tried = Vec::new();
    let bar = console.bar("learning rates".to_owned(), STEPS, 0);
    let mut prefetch = Prefetch::new(config.loader_threads, config.prefetch);
    let outcome = prefetch.run(&source, 0..STEPS, |number, batch, _| {
        Stopped::check(stop).map_err(|stopped| End::Failed(stopped.into()))?;
        let lr = rate(number);
        let mut tally = Tally::new(data.dataset.task(), config.classes.len());
        let taken = trainer.step(number as u64, lr, batch, &mut tally);
        let taken = taken.and_then(|()| trainer.settle(&mut tally));
        let loss = tally.loss();
        // The trainer reports a loss that is not finite as an error. Here it is the result.
        if !loss.is_finite() {
            return Err(End::Diverged);
        }
        taken.map_err(End::Failed)?;
        tried.push(RateTried { lr, loss });
        bar.inc(1);
        if diverges(&tried) { Err(End::Diverged) } else { Ok(()) }
    });
    bar.finish_and_clear();
    match outcome {
        Ok(_) | Err(End::Diverged) => Ok(tried),
        Err(End::Failed(error)) => Err(error),
    }
}

/// Why the test ended before its last step.
enum End {
    Diverged,
    Failed(anyhow::Error),
}

fn rate(step: usize) -> f64 {
    FIRST * (LAST / FIRST).powf(step as f64 / (STEPS - 1) as f64)
}

fn mean(tried: &[RateTried]) -> f64 {
    tried.iter().map(|step| step.loss).sum::<f64>() / tried.len() as f64
}

fn diverges(tried: &[RateTried]) -> bool {
    let lowest = tried.windows(RECENT).map(mean).fold(f64::INFINITY, f64::min);
    let recent = &tried[tried.len().saturating_sub(RECENT)..];
    recent.len() == RECENT && mean(recent) > DIVERGED * lowest
}

/// The rate at which the loss falls most steeply: the middle of the decade of rates whose fitted line of the loss by the
/// logarithm of the rate has the lowest slope. `None` if the loss does not fall.
///
/// Rates after the lowest mean loss do not count. A loss that has jumped up may fall again even more steeply.
pub fn suggested(tried: &[RateTried]) -> Option<f64> {
    let first = mean(tried.get(..RECENT)?);
    let means: Vec<f64> = tried.windows(RECENT).map(mean).collect();
    let lowest = (0..means.len()).min_by(|&a, &b| means[a].total_cmp(&means[b]))?;
    // Windows are counted from their first step; the middle of a decade is at most the middle of the lowest mean.
    let decades = tried
        .windows(2 * SIDE + 1)
        .take((lowest + RECENT / 2 + 1).saturating_sub(SIDE));
    let steepest = decades.min_by(|a, b| slope(a).total_cmp(&slope(b)))?;
    (slope(steepest) < -LEAST_FALL * first).then(|| steepest[SIDE].lr)
}

/// Slope of the least-squares line, per decade.
fn slope(tried: &[RateTried]) -> f64 {
    let middle = tried.iter().map(|step| step.lr.log10()).sum::<f64>() / tried.len() as f64;
    let centred = |step: &RateTried| step.lr.log10() - middle;
    let products: f64 = tried.iter().map(|step| centred(step) * step.loss).sum();
    products / tried.iter().map(|step| centred(step).powi(2)).sum::<f64>()
}

/// `lr_find.csv`: a row per step.
pub fn rates_to_csv(tried: &[RateTried]) -> String {
    let rows = tried.iter().map(|step| format!("{:.6e},{:.6}\n", step.lr, step.loss));
    ["lr,loss\n".to_owned()].into_iter().chain(rows).collect()
}

/// Every fifth step as a text table.
pub fn rates_to_table(tried: &[RateTried]) -> String {
    let rows = tried.iter().step_by(5);
    let rows = rows.map(|step| format!("{:>9.2e} {:>9.4}\n", step.lr, step.loss));
    [format!("{:>9} {:>9}\n", "lr", "loss")]
        .into_iter()
        .chain(rows)
        .collect()
}

/// `lr_find.svg`: the loss by the rate, with a line at the suggested one.
pub fn rates_picture(tried: &[RateTried]) -> String {
    let last = tried.last().map_or(LAST, |step| step.lr);
    let losses = tried.iter().map(|step| step.loss);
    let points = tried.iter().map(|step| [step.lr, step.loss]).collect();
    let suggestion = suggested(tried);
    let plot = Plot {
        series: vec![Series {
            name: "loss".into(),
            style: Style::Series(0),
            shape: Shape::Line(points),
        }],
        rule: suggestion.map(|lr| (lr, format!("{lr:.1e}"))),
        subtitle: match suggestion {
            Some(lr) => format!("falls most steeply at {lr:.1e}"),
            None => "does not fall".into(),
        },
        ..Plot::new(
            "loss of each batch",
            Axis::log("learning rate", FIRST, last),
            Axis::around("", losses),
        )
    };
    file(&[plot.draw()], 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loss of 2 that falls by 1 around a rate of 1e-3 and rises steeply above 0.3, with a little noise.
    fn tried(fall: f64) -> Vec<RateTried> {
        let mut tried = Vec::new();
        for number in 0..STEPS {
            let lr = rate(number);
            let fallen = fall / (1.0 + (-4.0 * (lr.log10() + 3.0)).exp());
            let loss = 2.0 - fallen + 5.0 * (lr / 0.3).powi(2) + 0.01 * (number as f64 * 2.3).sin();
            tried.push(RateTried { lr, loss });
            if diverges(&tried) {
                break;
            }
        }
        tried
    }

    #[test]
    fn rates_grow_from_the_first_to_the_last() {
        assert!((rate(0) / FIRST - 1.0).abs() < 1e-9 && (rate(STEPS - 1) / LAST - 1.0).abs() < 1e-9);
        let ratio = rate(1) / rate(0);
        assert!((rate(57) / rate(56) - ratio).abs() < 1e-9);
    }

    #[test]
    fn steepest_fall_is_suggested_and_divergence_ends_the_test() {
        let falling = tried(1.0);
        let suggestion = suggested(&falling).unwrap();
        assert!((suggestion.log10() + 3.0).abs() < 0.2, "{suggestion}");
        let last = falling.last().unwrap().lr;
        assert!((0.3..2.0).contains(&last), "{last}");
        assert_eq!(suggested(&tried(0.0)), None);
        // A jump of the loss and a steeper fall after it.
        let mut jumping = falling.clone();
        for (at, step) in jumping.iter_mut().skip(70).enumerate() {
            step.loss = 5.0 - 0.25 * at as f64;
        }
        assert!(suggested(&jumping).is_some_and(|lr| (lr.log10() + 3.0).abs() < 0.2));
        assert_eq!(suggested(&falling[..4]), None);
        assert_eq!(suggested(&[]), None);
    }

    #[test]
    fn table_and_picture_show_the_rates() {
        let falling = tried(1.0);
        let csv = rates_to_csv(&falling);
        assert!(csv.starts_with("lr,loss\n1.000000e-7,"), "{csv}");
        assert_eq!(csv.lines().count(), falling.len() + 1);
        assert_eq!(rates_to_table(&falling).lines().count(), falling.len().div_ceil(5) + 1);
        assert!(rates_picture(&falling).contains("falls most steeply at"));
        assert!(rates_picture(&[]).contains("does not fall"));
    }
}
