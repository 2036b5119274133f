//! Parameter selection by name: regular expressions, and L2 penalties on matching parameters.

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A regular expression that matches anywhere in a parameter's name, such as `encoder.blocks.0.conv.weight`.
#[derive(Clone, Debug)]
pub struct ParameterPattern(Regex);

impl ParameterPattern {
    /// Compiles a pattern that is known to be valid.
    ///
    /// # Panics
    /// Panics if it is not a regular expression.
    pub fn new(pattern: &str) -> Self {
        pattern
            .parse()
            .unwrap_or_else(|error| panic!("invalid pattern in a model definition: {error}"))
    }

    /// Whether this is the keyword `none`.
    pub fn is_none(&self) -> bool {
        self.0.as_str() == "none"
    }

    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

impl PartialEq for ParameterPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Display for ParameterPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

impl FromStr for ParameterPattern {
    type Err = String;

    fn from_str(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("an empty pattern matches every parameter; use `.*` if you want that".into());
        }
        Regex::new(pattern)
            .map(Self)
            .map_err(|error| format!("invalid regular expression `{pattern}`: {error}"))
    }
}

/// An L2 penalty, `lambda * sum(w^2)`, on the weights whose names match.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty {
    /// Selects the weights. Biases and batch norms are never penalized.
    pub pattern: ParameterPattern,
    pub lambda: f32,
}

impl Penalty {
    /// A penalty whose pattern is known to be valid.
    ///
    /// # Panics
    /// Panics if it is not a regular expression.
    pub fn new(pattern: &str, lambda: f32) -> Self {
        Self {
            pattern: ParameterPattern::new(pattern),
            lambda,
        }
    }

    /// Whether this is the keyword `none`.
    pub fn is_none(&self) -> bool {
        self.pattern.is_none()
    }
}

impl fmt::Display for Penalty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return formatter.write_str("none");
        }
        write!(formatter, "{}={}", self.pattern, self.lambda)
    }
}

impl FromStr for Penalty {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::new("none", 0.0));
        }
        let invalid = || format!("invalid penalty `{text}`; use REGEX=LAMBDA with LAMBDA of at least 0");
        let (pattern, lambda) = text.rsplit_once('=').ok_or_else(invalid)?;
        let lambda: f32 = lambda.parse().map_err(|_| invalid())?;
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(invalid());
        }
        Ok(Self {
            pattern: pattern.parse()?,
            lambda,
        })
    }
}

macro_rules! serde_as_text {
    ($($name:ty),+) => {
        $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
                }
            }
        )+
    };
}

serde_as_text!(ParameterPattern, Penalty);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_anywhere_in_a_name() {
        let pattern: ParameterPattern = r"blocks\.[01]\.".parse().unwrap();
        assert!(pattern.matches("encoder.blocks.0.conv.weight") && !pattern.matches("encoder.blocks.2.conv.weight"));
        assert!("none".parse::<ParameterPattern>().unwrap().is_none());
        for wrong in ["", "("] {
            assert!(wrong.parse::<ParameterPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn penalties_are_parsed_and_printed() {
        let penalty: Penalty = "conv.*=0.01".parse().unwrap();
        assert_eq!((penalty.to_string(), penalty.lambda), ("conv.*=0.01".into(), 0.01));
        assert!("none".parse::<Penalty>().unwrap().is_none());
        for wrong in ["conv", "conv=", "conv=-1", "conv=nan", "(=1"] {
            assert!(wrong.parse::<Penalty>().is_err(), "{wrong}");
        }
    }
}
