//! A part of a build that is divided among several processes or machines.
//!
//! A part is written `2/4`, as for GNU `split --number`, and is a range of the source's list of tracks.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Part `number` of `count`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Part {
    number: usize,
    count: usize,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a valid part; write I/N with I from 1 to N, such as 2/4")]
pub struct InvalidPart(String);

impl Part {
    pub fn number(self) -> usize {
        self.number
    }
    pub fn count(self) -> usize {
        self.count
    }
    pub fn is_last(self) -> bool {
        self.number == self.count
    }

    /// The part's range of `tracks`. The sizes of parts differ by at most one.
    pub fn range(self, tracks: usize) -> Range<usize> {
        let begin_of = |number: usize| {
            let product = tracks as u128 * (number - 1) as u128 / self.count as u128;
            usize::try_from(product).expect("a part is not larger than the whole")
        };
        begin_of(self.number)..begin_of(self.number + 1)
    }
}

impl FromStr for Part {
    type Err = InvalidPart;

    fn from_str(text: &str) -> Result<Self, InvalidPart> {
        let numbers = text.split_once('/').and_then(|(number, count)| {
            let (number, count) = (number.parse().ok()?, count.parse().ok()?);
            (1 <= number && number <= count && count < usize::MAX).then_some(Self { number, count })
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
        write!(formatter, "{}/{}", self.number, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_cover_all_tracks_in_equal_sizes(tracks in 0usize..3000, count in 1usize..40) {
            let mut next = 0;
            for number in 1..=count {
                let part: Part = format!("{number}/{count}").parse().unwrap();
                let range = part.range(tracks);
                prop_assert_eq!(range.start, next);
                prop_assert!(range.len().abs_diff(tracks / count) <= 1);
                prop_assert_eq!(part.to_string().parse::<Part>().unwrap(), part);
                prop_assert_eq!(part.is_last(), number == count);
                next = range.end;
            }
            prop_assert_eq!(next, tracks);
        }
    }

    #[test]
    fn invalid_part_is_an_error_with_an_example() {
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
