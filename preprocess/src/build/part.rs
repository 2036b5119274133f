//! A part of a build: the tracks of the source that one of several processes, each on a machine of its own, works on.
//!
//! `2/4`, as `split --number` and test runners spell it, is a range of the source's list.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// One of so many parts, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Part {
    number: usize,
    of: usize,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no part; write I/N with I from 1 to N, such as 2/4")]
pub struct InvalidPart(String);

impl Part {
    pub fn number(self) -> usize {
        self.number
    }
    pub fn count(self) -> usize {
        self.of
    }
    pub fn is_last(self) -> bool {
        self.number == self.of
    }

    /// Its share of `tracks`: neighbours in the list, and one more or less than other parts have.
    pub fn range(self, tracks: usize) -> Range<usize> {
        let begin_of = |number: usize| {
            let product = tracks as u128 * (number - 1) as u128 / self.of as u128;
            usize::try_from(product).expect("a share is not more than the whole")
        };
        begin_of(self.number)..begin_of(self.number + 1)
    }
}

impl FromStr for Part {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            (1 <= number && number <= of && of < usize::MAX).then_some(Self { number, of })
        });
        numbers.ok_or_else(|| InvalidPart(text.to_owned()))
    }
}

impl TryFrom<String> for Part {
    type Error = InvalidPart;

    fn try_from(text: String) -> Result<Self, InvalidPart> {
        text.parse()
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_string()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_the_whole_and_equal(tracks in 0usize..3000, of in 1usize..40) {
            let mut next = 0;
            for number in 1..=of {
                let part: Part = format!("{number}/{of}").parse().unwrap();
                let range = part.range(tracks);
                prop_assert_eq!(range.start, next);
                prop_assert!(range.len().abs_diff(tracks / of) <= 1);
                prop_assert_eq!(part.to_string().parse::<Part>().unwrap(), part);
                prop_assert_eq!(part.is_last(), number == of);
                next = range.end;
            }
            prop_assert_eq!(next, tracks);
        }
    }

    #[test]
    fn what_is_no_part_is_a_sentence() {
        for text in [
            "",
            "3",
            "0/4",
            "5/4",
            "1/0",
            "-1/4",
            "a/b",
            "1/4/2",
            "1/18446744073709551615",
        ] {
            let error = text.parse::<Part>().unwrap_err().to_string();
            assert!(error.contains("such as 2/4"), "{error}");
        }
        let huge: Part = format!("{}/{}", usize::MAX - 1, usize::MAX - 1).parse().unwrap();
        assert_eq!(huge.range(usize::MAX / 2).end, usize::MAX / 2);
    }
}
