//! What a sweep varies: `--grid NAME=V1,V2,…` and `--range NAME=LOW..HIGH[:log]`, as typed and as kept in `sweep.toml`.
//!
//! Text enters; a setting's name with its values, or with the ends of a range, leaves. Whether there is such a setting
//! and what it may be is not known here.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use toml::Value;

/// A setting and the values that are tried, all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridAxis {
    /// The setting, in snake case as in `config.toml`.
    pub name: String,
    /// Its values, at least one and each once.
    pub values: Vec<Value>,
}

/// A setting and where its values are drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The setting, in snake case as in `config.toml`.
    pub name: String,
    /// The lowest value.
    pub low: Number,
    /// The highest: integers can be drawn as high, others come as close as may be.
    pub high: Number,
    /// How values lie between.
    pub scale: Scale,
}

/// How values lie in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Their logarithms evenly.
    Log,
}

/// A number as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// Without a point.
    Integer(i64),
    /// With one, or an exponent.
    Float(f64),
}

impl Number {
    /// As a float.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// A value for people: words without quotes, small numbers with an exponent.
pub fn show(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Float(number) if *number != 0.0 && !(1e-3..1e6).contains(&number.abs()) => format!("{number:e}"),
        Value::Float(number) => number.to_string(),
        other => other.to_string(),
    }
}

fn split_name(text: &str, form: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, rest)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), rest.trim().to_owned())),
        _ => Err(format!("`{text}` is not {form}")),
    }
}

impl FromStr for GridAxis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, list) = split_name(text, "NAME=VALUE,VALUE,…")?;
        let values = match format!("[{list}]").parse() {
            Ok(Value::Array(values)) => values,
            _ => list.split(',').map(word_or_value).collect::<Result<_, _>>()?,
        };
        if values.is_empty() {
            return Err(format!("`{text}` names no value for {name}"));
        }
        match (1..values.len()).find(|&at| values[..at].iter().any(|value| same(value, &values[at]))) {
            Some(at) => Err(format!("{name} is to be {} twice", show(&values[at]))),
            None => Ok(Self { name, values }),
        }
    }
}

/// Whether two values are one setting: `0` is `0.0`.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Integer(integer), Value::Float(float)) | (Value::Float(float), Value::Integer(integer)) => {
            *integer as f64 == *float
        }
        _ => one == other,
    }
}

/// A TOML value, or a word that needs no quotes.
fn word_or_value(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let plain = |character: char| character.is_alphanumeric() || "-_./+:".contains(character);
    if text.is_empty() || !text.chars().all(plain) {
        return Err(format!(
            "`{text}` is no TOML value; quote every word of the list where one needs it: NAME=\"a b\",\"c\""
        ));
    }
    Ok(Value::String(text.to_owned()))
}

impl fmt::Display for GridAxis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.values.iter().map(Value::to_string).collect();
        write!(formatter, "{}={}", self.name, values.join(","))
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "NAME=LOW..HIGH or NAME=LOW..HIGH:log, with two numbers";
        let wrong = || format!("`{text}` is not {form}");
        let (name, rest) = split_name(text, form)?;
        let (ends, scale) = match rest.strip_suffix(":log") {
            Some(ends) => (ends, Scale::Log),
            None => (rest.as_str(), Scale::Linear),
        };
        let (low, high) = ends.split_once("..").ok_or_else(wrong)?;
        let number = |text: &str| match text.trim().parse() {
            Ok(Value::Integer(number)) => Ok(Number::Integer(number)),
            Ok(Value::Float(number)) if number.is_finite() => Ok(Number::Float(number)),
            _ => Err(wrong()),
        };
        let range = Self {
            name,
            low: number(low)?,
            high: number(high)?,
            scale,
        };
        let (low, high) = (range.low.as_f64(), range.high.as_f64());
        if low >= high || !(high - low).is_finite() {
            return Err(format!("`{text}` is empty: {low} is not below {high}"));
        }
        if scale == Scale::Log && low <= 0.0 {
            return Err(format!("`{text}` is logarithmic and must begin above 0"));
        }
        Ok(range)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(formatter),
            // With a point or an exponent, or it would come back as an integer.
            Self::Float(number) => write!(formatter, "{}", Value::Float(*number)),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = if self.scale == Scale::Log { ":log" } else { "" };
        write!(formatter, "{}={}..{}{log}", self.name, self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_toml_or_plain_words() {
        let values = |text: &str| text.parse::<GridAxis>().map(|axis| axis.values);
        let words = |words: &[&str]| Ok(words.iter().map(|&word| Value::from(word)).collect());
        assert_eq!(
            values("lr=1e-3,0.01"),
            Ok(vec![Value::Float(0.001), Value::Float(0.01)])
        );
        assert_eq!(
            values("batch_size = 8, 16"),
            Ok(vec![Value::Integer(8), Value::Integer(16)])
        );
        assert_eq!(values("balance=none,class-weights"), words(&["none", "class-weights"]));
        assert_eq!(
            values("augment=\"noise,stretch\",'none'"),
            words(&["noise,stretch", "none"])
        );
        assert_eq!(values("pcm8=true,false"), Ok(vec![true.into(), false.into()]));
        let lists = vec![Value::from(vec!["conv=0.1", "linear=0.2"]), Value::from(vec!["none"])];
        assert_eq!(values("l2=[\"conv=0.1\",\"linear=0.2\"],[\"none\"]"), Ok(lists));
        for wrong in [
            "lr",
            "=1",
            "lr=",
            "lr=1,1",
            "lr=1]#",
            "dropout=0,0.0",
            "dropout=0.0,-0.0",
            "lr=1.0,1e0",
            "a=\"b,c",
            "a=b c",
            "a=1,,2",
        ] {
            assert!(values(wrong).is_err(), "{wrong}: {:?}", values(wrong));
        }
    }

    #[test]
    fn ranges_have_two_ends_and_a_scale() {
        let range: Range = "lr=1e-5..1e-2:log".parse().unwrap();
        assert_eq!((range.low, range.high), (Number::Float(1e-5), Number::Float(1e-2)));
        assert_eq!(range.scale, Scale::Log);
        let range: Range = "batch_size=4..64".parse().unwrap();
        assert_eq!((range.low, range.high), (Number::Integer(4), Number::Integer(64)));
        for wrong in [
            "lr=1",
            "lr=2..1",
            "lr=1..1",
            "lr=0..1:log",
            "lr=-1..1:log",
            "lr=a..b",
            "lr=0..inf",
            "lr=1..2:exp",
        ] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_shown_as_they_would_be_written_by_hand() {
        let shown = [1e-5, 0.001, 0.3, 12.0, 1e7].map(|number| show(&Value::Float(number)));
        assert_eq!(shown, ["1e-5", "0.001", "0.3", "12", "1e7"]);
        assert_eq!(
            (show(&Value::from("none")), show(&Value::from(3))),
            ("none".into(), "3".into())
        );
    }

    pub fn value() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            (-1e9..1e9).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Boolean),
            any::<String>().prop_map(Value::String),
        ];
        prop_oneof![plain.clone(), prop::collection::vec(plain, 0..3).prop_map(Value::Array)]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[a-z][a-z0-9_]{0,12}", mut values in prop::collection::vec(value(), 1..5),
            low in -1e9..1e9, length in 1e-3..1e9, log in any::<bool>(),
        ) {
            let mut at = 0;
            while at < values.len() {
                if values[..at].iter().any(|value| same(value, &values[at])) { values.remove(at); } else { at += 1; }
            }
            let axis = GridAxis { name: name.clone(), values };
            prop_assert_eq!(&axis.to_string().parse::<GridAxis>().unwrap(), &axis);
            let low = if log { f64::abs(low) + 1e-6 } else { low };
            let scale = if log { Scale::Log } else { Scale::Linear };
            let range = Range { name, low: Number::Float(low), high: Number::Float(low + length), scale };
            prop_assert_eq!(&range.to_string().parse::<Range>().unwrap(), &range);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = text.parse::<GridAxis>();
            let _ = text.parse::<Range>();
            let _ = format!("a={text}").parse::<GridAxis>();
            let _ = format!("a={text}").parse::<Range>();
        }
    }
}
