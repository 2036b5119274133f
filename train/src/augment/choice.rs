//! The augmentations of a run, as typed and as saved: `noise,stretch`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Augmentations of a run. Each is applied to half of the training clips, if not stated otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    pub noise: bool,
    pub stretch: bool,
    pub pitch_shift: bool,
    /// Sounds of another data set, mixed in.
    pub background: bool,
    /// Another level.
    pub gain: bool,
    /// The other sign.
    pub polarity: bool,
    /// SpecAugment: masked rows and columns of the spectrogram. Applied to all clips.
    pub spec_augment: bool,
    /// Random rotation, shifts and horizontal flip of an image spectrogram. Applied to all clips.
    pub image: bool,
}

impl Augment {
    pub const NONE: Self = Self {
        noise: false,
        stretch: false,
        pitch_shift: false,
        background: false,
        gain: false,
        polarity: false,
        spec_augment: false,
        image: false,
    };

    /// Noise, then time stretch, as in paper 1.
    pub const NOISE_AND_STRETCH: Self = Self {
        noise: true,
        stretch: true,
        ..Self::NONE
    };

    /// Rotation, shifts and flip, as in paper 4.
    pub const IMAGE: Self = Self {
        image: true,
        ..Self::NONE
    };

    /// Whether samples change. If so, spectrograms must be computed and cannot be cut out of stored ones.
    pub fn changes_samples(self) -> bool {
        let samples = Self {
            spec_augment: false,
            image: false,
            ..self
        };
        samples != Self::NONE
    }

    fn parts(&mut self) -> [(&'static str, &mut bool); 8] {
        [
            ("noise", &mut self.noise),
            ("stretch", &mut self.stretch),
            ("pitch-shift", &mut self.pitch_shift),
            ("background", &mut self.background),
            ("gain", &mut self.gain),
            ("polarity", &mut self.polarity),
            ("spec-augment", &mut self.spec_augment),
            ("image", &mut self.image),
        ]
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut copy = *self;
        let names: Vec<_> = copy
            .parts()
            .into_iter()
            .filter(|(_, enabled)| **enabled)
            .map(|(name, _)| name)
            .collect();
        formatter.pad(&if names.is_empty() {
            "none".into()
        } else {
            names.join("+")
        })
    }
}

impl FromStr for Augment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut augment = Self::NONE;
        if text == "none" {
            return Ok(augment);
        }
        for name in text.split(['+', ',']) {
            let known = augment.parts().map(|(name, _)| name).join(", ");
            match augment.parts().into_iter().find(|(known, _)| *known == name) {
                Some((_, enabled)) => *enabled = true,
                None => {
                    return Err(format!(
                        "unknown augmentation `{name}`; choose from none, paper, {known}"
                    ));
                }
            }
        }
        Ok(augment)
    }
}

impl Serialize for Augment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Augment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AugmentChoice {
    /// Those of the model's paper.
    #[default]
    Paper,
    These(Augment),
}

impl From<Augment> for AugmentChoice {
    fn from(augment: Augment) -> Self {
        Self::These(augment)
    }
}

impl AugmentChoice {
    /// The augmentations; `paper` are those of the model's paper.
    pub fn resolve(self, paper: Augment) -> Augment {
        match self {
            Self::Paper => paper,
            Self::These(augment) => augment,
        }
    }
}

impl FromStr for AugmentChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "paper" => Ok(Self::Paper),
            _ => text.parse().map(Self::These),
        }
    }
}

impl Serialize for AugmentChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Paper => serializer.serialize_str("paper"),
            Self::These(augment) => augment.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AugmentChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed_and_printed() {
        for (text, augment, written) in [
            ("none", Augment::NONE, "none"),
            ("stretch,noise", Augment::NOISE_AND_STRETCH, "noise+stretch"),
            (
                "spec-augment,polarity,gain",
                Augment {
                    gain: true,
                    polarity: true,
                    spec_augment: true,
                    ..Augment::NONE
                },
                "gain+polarity+spec-augment",
            ),
            ("image", Augment::IMAGE, "image"),
        ] {
            assert_eq!(text.parse(), Ok(augment));
            assert_eq!(augment.to_string(), written);
            assert_eq!(written.parse(), Ok(augment));
        }
        assert_eq!("paper".parse(), Ok(AugmentChoice::Paper));
        assert_eq!(AugmentChoice::Paper.resolve(Augment::IMAGE), Augment::IMAGE);
        let error = "noise,echo".parse::<AugmentChoice>().unwrap_err();
        assert!(error.contains("`echo`") && error.contains("pitch-shift"), "{error}");
    }

    #[test]
    fn only_augmentations_of_spectrograms_leave_samples_unchanged() {
        assert!(!Augment::NONE.changes_samples() && !Augment::IMAGE.changes_samples());
        for (name, changes) in [
            ("spec-augment", false),
            ("gain", true),
            ("polarity", true),
            ("noise", true),
        ] {
            let augment: Augment = name.parse().unwrap();
            assert_eq!(augment.changes_samples(), changes, "{name}");
        }
    }
}
