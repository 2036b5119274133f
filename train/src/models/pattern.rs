//! Parameters by their names: regular expressions, and penalties on what they match.

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A regular expression that is looked for anywhere in a parameter's name: `encoder.blocks.0.conv.weight`.
#[derive(Clone, Debug)]
pub struct ParameterPattern(Regex);

impl ParameterPattern {
    /// A pattern that is known to be one.
    ///
    /// # Panics
    /// When it is no regular expression.
    pub fn new(pattern: &str) -> Self {
        pattern
            .parse()
            .unwrap_or_else(|error| panic!("the pattern of a model is wrong: {error}"))
    }

    /// Whether it is the word for no pattern.
    pub fn is_none(&self) -> bool {
        self.0.as_str() == "none"
    }

    /// Whether it matches the parameter's name.
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
            return Err("an empty pattern matches every parameter; write .* if that is meant".into());
        }
        Regex::new(pattern)
            .map(Self)
            .map_err(|error| format!("`{pattern}` is no regular expression: {error}"))
    }
}

/// An L2 penalty, `lambda * sum(w^2)`, on the weights whose names match.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty {
    /// Which weights. Biases and batch norms are left alone, whatever matches.
    pub pattern: ParameterPattern,
    pub lambda: f32,
}

impl Penalty {
    /// A penalty whose pattern is known to be one.
    ///
    /// # Panics
    /// When it is no regular expression.
    pub fn new(pattern: &str, lambda: f32) -> Self {
        Self {
            pattern: ParameterPattern::new(pattern),
            lambda,
        }
    }

    /// Whether it is the word for no penalty.
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
        let wrong = || format!("`{text}` is not REGEX=LAMBDA with a lambda of 0 or more");
        let (pattern, lambda) = text.rsplit_once('=').ok_or_else(wrong)?;
        let lambda: f32 = lambda.parse().map_err(|_| wrong())?;
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(wrong());
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
    fn patterns_are_looked_for_anywhere() {
        let pattern: ParameterPattern = r"blocks\.[01]\.".parse().unwrap();
        assert!(pattern.matches("encoder.blocks.0.conv.weight") && !pattern.matches("encoder.blocks.2.conv.weight"));
        assert!("none".parse::<ParameterPattern>().unwrap().is_none());
        for wrong in ["", "("] {
            assert!(wrong.parse::<ParameterPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn penalties_are_read_and_written() {
        let penalty: Penalty = "conv.*=0.01".parse().unwrap();
        assert_eq!((penalty.to_string(), penalty.lambda), ("conv.*=0.01".into(), 0.01));
        assert!("none".parse::<Penalty>().unwrap().is_none());
        for wrong in ["conv", "conv=", "conv=-1", "conv=nan", "(=1"] {
            assert!(wrong.parse::<Penalty>().is_err(), "{wrong}");
        }
    }
}
