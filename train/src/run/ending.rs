//! Why a training ended: all its epochs are done, or the watched metric stopped improving.

use crate::models::Monitor;
use crate::run::history::{EpochRecord, best, last_improvement};
use crate::settings::RunConfig;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The reason, stored under `ended` in `metrics.json`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Ending {
    /// The requested number of epochs was trained.
    AllEpochs { epochs: usize },
    /// The validation metric did not improve by more than `min_delta` for `patience` epochs.
    EarlyStopping {
        epochs: usize,
        /// The epoch with the best validation metric.
        best_epoch: usize,
        /// The last epoch that improved the metric by more than `min_delta`.
        improved_epoch: usize,
        monitor: Monitor,
        patience: usize,
        min_delta: f64,
    },
}

impl Ending {
    /// Why a run with this history has ended; `None` if another epoch must be trained.
    pub fn reached(config: &RunConfig, history: &[EpochRecord]) -> Option<Self> {
        let epochs = history.len();
        if epochs >= config.epochs {
            return Some(Self::AllEpochs { epochs });
        }
        let best_epoch = best(history, config.monitor)?.epoch;
        let improved_epoch = last_improvement(history, config.monitor, config.min_delta)?.epoch;
        let is_over = config.patience > 0 && epochs - improved_epoch >= config.patience;
        is_over.then_some(Self::EarlyStopping {
            epochs,
            best_epoch,
            improved_epoch,
            monitor: config.monitor,
            patience: config.patience,
            min_delta: config.min_delta,
        })
    }

    /// How to continue training anyway.
    pub fn advice(self) -> String {
        match self {
            Self::AllEpochs { epochs } => format!("to continue training, give --epochs above {epochs}"),
            Self::EarlyStopping {
                epochs, improved_epoch, ..
            } => format!(
                "to continue training, give --patience above {}, or 0 for no early stopping",
                epochs - improved_epoch
            ),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::AllEpochs { epochs: 1 } => write!(formatter, "the 1 epoch is done"),
            Self::AllEpochs { epochs } => write!(formatter, "all {epochs} epochs are done"),
            Self::EarlyStopping {
                epochs,
                best_epoch,
                improved_epoch,
                monitor,
                patience,
                min_delta,
            } => {
                write!(
                    formatter,
                    "early stopping after epoch {epochs}: the validation {} was best at epoch {best_epoch}",
                    monitor.describe()
                )?;
                if min_delta > 0.0 {
                    write!(
                        formatter,
                        " and last improved by more than {min_delta} at epoch {improved_epoch} (--patience {patience}, \
                         --min-delta {min_delta})"
                    )
                } else {
                    write!(formatter, " (--patience {patience})")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ModelKind;
    use crate::run::history::testing::history;
    use std::path::Path;

    fn config(epochs: usize, patience: usize) -> RunConfig {
        RunConfig {
            epochs,
            patience,
            ..crate::testing::config(Path::new("fma"), ModelKind::Cnn2d)
        }
    }

    #[test]
    fn training_ends_after_all_epochs_or_after_patience() {
        let ending = |epochs, patience, losses: &[f64]| Ending::reached(&config(epochs, patience), &history(losses));
        assert_eq!(ending(3, 10, &[]), None);
        assert_eq!(ending(3, 10, &[3.0, 2.0]), None);
        assert_eq!(ending(3, 10, &[3.0, 2.0, 1.0]), Some(Ending::AllEpochs { epochs: 3 }));
        assert_eq!(ending(9, 2, &[3.0, 2.0, 2.5]), None);
        assert_eq!(ending(9, 0, &[3.0, 4.0, 5.0, 6.0]), None);
        let early = ending(9, 2, &[3.0, 2.0, 2.5, 2.0]).unwrap();
        assert_eq!(
            early,
            Ending::EarlyStopping {
                epochs: 4,
                best_epoch: 2,
                improved_epoch: 2,
                monitor: Monitor::Loss,
                patience: 2,
                min_delta: 0.0,
            }
        );
        assert_eq!(
            early.to_string(),
            "early stopping after epoch 4: the validation loss was best at epoch 2 (--patience 2)"
        );
        assert_eq!(
            early.advice(),
            "to continue training, give --patience above 2, or 0 for no early stopping"
        );
        // Following the advice continues the training.
        assert_eq!(ending(9, 3, &[3.0, 2.0, 2.5, 2.0]), None);
    }

    #[test]
    fn improvements_up_to_min_delta_do_not_delay_early_stopping() {
        let losses = history(&[3.0, 2.0, 1.75, 1.5]);
        let ending = |min_delta, patience| {
            let config = RunConfig {
                min_delta,
                ..config(9, patience)
            };
            Ending::reached(&config, &losses)
        };
        assert_eq!(ending(0.0, 2), None);
        // 1.5 is better than 2 by more than 0.25.
        assert_eq!(ending(0.25, 2), None);
        let early = ending(0.5, 2).unwrap();
        assert_eq!(
            early.to_string(),
            "early stopping after epoch 4: the validation loss was best at epoch 4 and last improved by more than 0.5 at \
             epoch 2 (--patience 2, --min-delta 0.5)"
        );
        assert!(early.advice().contains("--patience above 2"), "{}", early.advice());
        assert_eq!(ending(0.5, 3), None);
    }
}
