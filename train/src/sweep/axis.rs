//! The settings that a sweep varies: `--grid NAME=V1,V2,…` and `--range NAME=LOW..HIGH[:log]`, on the command line and
//! in `sweep.toml`. Values are parsed like settings.

use super::setting_table::parse;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use toml::Value;

/// Settings that must be the same for all trials.
const NOT_VARIED: [(&str, &str); 2] = [
    ("data", "metrics of different tracks cannot be compared"),
    ("monitor", "trials are ranked by it"),
];

/// A setting and all its values to try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GridAxis {
    /// The setting, in snake case as in `config.toml`.
    pub name: String,
    /// At least one value, without duplicates.
    pub values: Vec<Value>,
}

/// A setting and the range that its values are drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    /// The setting, in snake case as in `config.toml`.
    pub name: String,
    pub low: f64,
    /// Inclusive for whole numbers.
    pub high: f64,
    pub scale: Scale,
    /// Whether only whole numbers are drawn.
    pub whole: bool,
}

/// The distribution of values in a range: uniform or log-uniform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
}

/// A value for display: strings without quotes, very small and large numbers with an exponent.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Float(number) if *number != 0.0 && !(1e-3..1e6).contains(&number.abs()) => format!("{number:e}"),
        Value::Float(number) => number.to_string(),
        other => other.to_string(),
    }
}

fn split_name(text: &str, form: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => (name.trim(), value.trim()),
        _ => return Err(format!("`{text}` is not {form}")),
    };
    match NOT_VARIED.into_iter().find(|(known, _)| *known == name) {
        Some((name, reason)) => Err(format!("{name} cannot be varied: {reason}")),
        None => Ok((name.to_owned(), value.to_owned())),
    }
}

impl FromStr for GridAxis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, list) = split_name(text, "NAME=VALUE,VALUE,…")?;
        let typed = match format!("[{list}]").parse() {
            Ok(Value::Array(values)) => values,
            _ => list.split(',').map(word_or_value).collect::<Result<_, _>>()?,
        };
        if typed.is_empty() {
            return Err(format!("`{text}` has no value for {name}"));
        }
        let mut values = Vec::new();
        for value in typed {
            let shown = show(&value);
            let value = parse(&name, value).map_err(|detail| format!("{name} cannot be {shown}: {detail}"))?;
            if values.contains(&value) {
                return Err(format!("{name} has the value {shown} twice"));
            }
            values.push(value);
        }
        Ok(Self { name, values })
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
            "`{text}` is not a TOML value; if a word needs quotes, quote all words of the list: NAME=\"a b\",\"c\""
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
        let end = |text: &str| {
            let typed: Value = text.trim().parse().map_err(|_| wrong())?;
            match parse(&name, typed).map_err(|detail| format!("{name} cannot be {text}: {detail}"))? {
                Value::Integer(number) => Ok((number as f64, true)),
                Value::Float(number) if number.is_finite() => Ok((number, false)),
                _ => Err(format!(
                    "{name} cannot be drawn from a range, because {text} is not a finite number; list its values with --grid"
                )),
            }
        };
        let ((low, whole), (high, _)) = (end(low)?, end(high)?);
        if low >= high || !(high - low).is_finite() {
            return Err(format!("`{text}` is empty: {low} is not below {high}"));
        }
        if scale == Scale::Log && low <= 0.0 {
            return Err(format!("`{text}` is logarithmic, so its low end must be above 0"));
        }
        Ok(Self {
            name,
            low,
            high,
            scale,
            whole,
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = if self.scale == Scale::Log { ":log" } else { "" };
        write!(formatter, "{}={}..{}{log}", self.name, self.low, self.high)
    }
}

impl TryFrom<String> for GridAxis {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Range {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<GridAxis> for String {
    fn from(axis: GridAxis) -> Self {
        axis.to_string()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grid_values_are_parsed_as_toml_or_plain_words() {
        let values = |text: &str| text.parse::<GridAxis>().map(|axis| axis.values);
        let words = |words: &[&str]| Ok(words.iter().map(|&word| Value::from(word)).collect());
        assert_eq!(values("lr=1e-3,1"), Ok(vec![Value::Float(0.001), Value::Float(1.0)]));
        assert_eq!(values("weight_decay=1e-5"), Ok(vec![Value::Float(1e-5)]));
        assert_eq!(
            values("batch_size = 8, 16"),
            Ok(vec![Value::Integer(8), Value::Integer(16)])
        );
        assert_eq!(values("balance=none,class-weights"), words(&["none", "class-weights"]));
        assert_eq!(
            values("augment=\"noise,stretch\",'none'"),
            words(&["noise+stretch", "none"])
        );
        assert_eq!(values("pcm8=true,false"), Ok(vec![true.into(), false.into()]));
        let lists = vec![Value::from(vec!["conv=0.1", "linear=0.2"]), Value::from(vec!["none"])];
        assert_eq!(values("l2=[\"conv=0.1\",\"linear=0.2\"],[\"none\"]"), Ok(lists));
        let path = std::env::current_dir().unwrap().join("a.pt");
        assert_eq!(values("init_from=a.pt"), words(&[path.to_str().unwrap()]));
    }

    #[test]
    fn invalid_grid_is_refused() {
        for (wrong, expected) in [
            ("lr", "NAME=VALUE"),
            ("=1", "NAME=VALUE"),
            ("lr=", "no value"),
            ("lr=1,1", "twice"),
            ("lr=1]#", "not a TOML value"),
            ("dropout=0,0.0", "twice"),
            ("dropout=0.0,-0.0", "twice"),
            ("split=\"b,c", "not a TOML value"),
            ("split=b c", "not a TOML value"),
            ("lr=1,,2", "not a TOML value"),
            ("drop_out=1", "unknown field `drop_out`, expected one of"),
            ("data=a,b", "cannot be compared"),
            ("monitor=loss,accuracy", "ranked"),
            ("dropout=0.1,much", "dropout cannot be much: "),
            ("batch_size=0.5", "batch_size cannot be 0.5: "),
            ("batch_size=-1", "batch_size cannot be -1: "),
            ("balance=evenly", "evenly"),
        ] {
            let error = wrong.parse::<GridAxis>().unwrap_err();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }

    #[test]
    fn ranges_are_parsed_and_invalid_ones_refused() {
        let range: Range = "lr=1e-5..1e-2:log".parse().unwrap();
        assert_eq!(
            (range.low, range.high, range.scale, range.whole),
            (1e-5, 1e-2, Scale::Log, false)
        );
        let range: Range = "batch_size=4..64".parse().unwrap();
        assert_eq!(
            (range.low, range.high, range.scale, range.whole),
            (4.0, 64.0, Scale::Linear, true)
        );
        for (wrong, expected) in [
            ("lr=1", "two numbers"),
            ("lr=2..1", "empty"),
            ("lr=1..1", "empty"),
            ("lr=0..1:log", "above 0"),
            ("lr=-1..1:log", "above 0"),
            ("lr=a..b", "two numbers"),
            ("lr=0..inf", "not a finite number"),
            ("lr=1..2:exp", "two numbers"),
            ("split='a'..'b'", "--grid"),
            ("balance=0..1", "balance cannot be 0"),
            ("batch_size=0.5..8", "batch_size cannot be 0.5"),
            ("batch_size=-4..8", "batch_size cannot be -4"),
            ("seed=0..9007199254740993", "at most 2^53"),
        ] {
            let error = wrong.parse::<Range>().unwrap_err();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }

    #[test]
    fn displayed_values_are_short() {
        let shown = [1e-5, 0.001, 0.3, 12.0, 1e7].map(|number| show(&Value::Float(number)));
        assert_eq!(shown, ["1e-5", "0.001", "0.3", "12", "1e7"]);
        assert_eq!((&*show(&"none".into()), &*show(&3.into())), ("none", "3"));
    }

    proptest! {
        #[test]
        fn formatted_axes_are_parsed_back(
            rates in prop::collection::btree_set(1i64..1_000_000_000, 1..5), words in prop::collection::btree_set(".{1,8}", 1..4),
            low in -1e9..1e9, length in 1e-3..1e9, log in any::<bool>(),
        ) {
            let floats = rates.iter().map(|&rate| Value::Float(rate as f64 / 7.0)).collect();
            let words = words.into_iter().map(Value::String).collect();
            for (name, values) in [("lr", floats), ("split", words)] {
                let axis = GridAxis { name: name.into(), values };
                prop_assert_eq!(&axis.to_string().parse::<GridAxis>().unwrap(), &axis);
            }
            let low = if log { f64::abs(low) + 1e-6 } else { low };
            let scale = if log { Scale::Log } else { Scale::Linear };
            let range = Range { name: "lr".into(), low, high: low + length, scale, whole: false };
            prop_assert_eq!(&range.to_string().parse::<Range>().unwrap(), &range);
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in ".{0,40}") {
            let _ = text.parse::<GridAxis>();
            let _ = text.parse::<Range>();
            let _ = format!("lr={text}").parse::<GridAxis>();
            let _ = format!("lr={text}").parse::<Range>();
        }
    }
}
