//! The settings of an earlier build in the same directory, finished or interrupted. A new build uses them for options
//! that are not given.

use super::journal::Journal;
use super::plan::BuildPlan;
use shared::dataset::{Dataset, INDEX_FILE};
use std::path::{Path, PathBuf};

/// The settings of an earlier build.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub plan: BuildPlan,
    /// The audio directory; `None` for an interrupted build.
    pub audio: Option<PathBuf>,
}

impl Recorded {
    /// Reads the settings recorded in `root`, if any.
    pub fn read(root: &Path) -> anyhow::Result<Option<Self>> {
        if !root.join(INDEX_FILE).exists() {
            let plan = Journal::plan_in(root)?;
            return Ok(plan.map(|plan| Self { plan, audio: None }));
        }
        let index = Dataset::read_index(root)?;
        Ok(Some(Self {
            plan: BuildPlan::read(root, &index)?,
            audio: Some(index.source.audio.into()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::pipeline;
    use crate::testing::{Crash, three_tracks};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn settings_are_recorded_by_interrupted_and_finished_builds() {
        let collection = three_tracks();
        let out = collection.out("out");
        assert!(Recorded::read(&out).unwrap().is_none());
        let config = collection.config("out");
        let crash = AssertUnwindSafe(|| pipeline::build(&config, &mut Crash(1)));
        assert!(catch_unwind(crash).is_err());
        let interrupted = Recorded::read(&out).unwrap().unwrap();
        assert_eq!(interrupted.audio, None);
        collection.build("out").unwrap();
        let finished = Recorded::read(&out).unwrap().unwrap();
        assert_eq!(finished.plan, interrupted.plan);
        assert_eq!(finished.plan.validate, config.validate);
        assert_eq!(finished.audio, Some(config.audio));
    }
}
