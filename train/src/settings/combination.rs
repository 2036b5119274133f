//! Runs that combine others: an ensemble of runs, or a classifier on the embeddings of runs.

use super::RunConfig;
use crate::classical::ClassifierKind;
use serde::{Deserialize, Serialize};

/// The member that gives the track statistics of the data set as they are, without a network.
pub const STATISTICS: &str = "statistics";

/// What a combined run is made of. Its members are in `RUN/members/0`, `RUN/members/1`, ….
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combination {
    /// The classifier of the members' embeddings; `None` for an ensemble, which averages probabilities.
    pub classifier: Option<ClassifierKind>,
    /// The model of each member, or [`STATISTICS`].
    pub members: Vec<String>,
}

impl Combination {
    /// `rbf-svm on choi-crnn + statistics`, `mean of 5 x crnn`.
    pub fn describe(&self) -> String {
        let mut parts: Vec<(&str, usize)> = Vec::new();
        for member in &self.members {
            match parts.last_mut() {
                Some((name, count)) if name == member => *count += 1,
                _ => parts.push((member, 1)),
            }
        }
        let part = |(name, count)| match count {
            1 => String::from(name),
            count => format!("{count} x {name}"),
        };
        let members = parts.into_iter().map(part).collect::<Vec<_>>().join(" + ");
        match self.classifier {
            Some(classifier) => format!("{classifier} on {members}"),
            None => format!("mean of {members}"),
        }
    }
}

impl RunConfig {
    /// The name of the model, or of what the run combines.
    pub fn model_name(&self) -> String {
        match &self.combination {
            None => self.model.name().to_owned(),
            Some(combination) => combination.describe(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_described_in_a_few_words() {
        let describe = |classifier, members: &[&str]| {
            let members = members.iter().map(|member| String::from(*member)).collect();
            Combination { classifier, members }.describe()
        };
        assert_eq!(describe(None, &["crnn", "crnn", "cnn2d"]), "mean of 2 x crnn + cnn2d");
        let classifier = Some(ClassifierKind::RbfSvm);
        assert_eq!(
            describe(classifier, &["crnn", STATISTICS]),
            "rbf-svm on crnn + statistics"
        );
    }
}
