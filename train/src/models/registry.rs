//! The table of all models. Each line defines a name on the command line, a variant of [`Model`] and a variant of
//! [`ModelKind`].

use super::definition::{Blueprint, Description, Network};
use super::input::ModelInput;
use super::onnx::{Graph, Value};
use super::recurrence::Rnn;
use super::{choi, dong, dwivedi, fma_baselines, multimodal, music_tagger, tagging, won};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{Gru, Linear, Lstm};
use burn::store::{ApplyResult, ModuleSnapshot, ModuleStore};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! models {
    ($($(#[$doc:meta])* $variant:ident($network:ty) = $definition:path,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ModelKind {
            $(#[doc = concat!("`", stringify!($definition), "`")] $variant,)+
        }

        /// Any of the models.
        #[derive(Module, Debug)]
        #[expect(clippy::large_enum_variant, reason = "a process has few models, and their tensors are on the heap")]
        pub enum Model {
            $(#[doc = concat!("[`ModelKind::", stringify!($variant), "`]")] $variant($network),)+
        }

        impl ModelKind {
            /// All models, in the order of `train models`.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub fn description(self) -> &'static Description {
                match self {
                    $(Self::$variant => &$definition.description,)+
                }
            }

            /// Builds a model with newly initialized weights from the device's random generator.
            pub fn init(self, blueprint: &Blueprint, device: &Device) -> Model {
                match self {
                    $(Self::$variant => Model::$variant(($definition.build)(blueprint, device)),)+
                }
            }
        }

        impl Model {
            pub fn kind(&self) -> ModelKind {
                match self {
                    $(Self::$variant(_) => ModelKind::$variant,)+
                }
            }

            fn network(&self) -> &dyn Network {
                match self {
                    $(Self::$variant(network) => network,)+
                }
            }

            /// Loads into the network, not into the enum, whose variant would prefix every name.
            pub(super) fn load_from<S: ModuleStore>(&mut self, store: &mut S) -> Result<ApplyResult, S::Error> {
                match self {
                    $(Self::$variant(network) => ModuleSnapshot::load_from(network, store),)+
                }
            }

            /// Saves the network, not the enum, whose variant would prefix every name.
            pub(super) fn save_into<S: ModuleStore>(&self, store: &mut S) -> Result<(), S::Error> {
                match self {
                    $(Self::$variant(network) => ModuleSnapshot::save_into(network, store),)+
                }
            }
        }
    };
}

models! {
    Cnn1d(multimodal::Cnn1d) = multimodal::CNN1D,
    Cnn2d(multimodal::Cnn2d) = multimodal::CNN2D,
    Crnn(multimodal::Crnn) = multimodal::CRNN,
    MmCrnn(multimodal::MmCrnn) = multimodal::MM_CRNN,
    SampleCnn(tagging::SampleCnn) = tagging::SAMPLE_CNN,
    Crnn1dRnn(tagging::Crnn1d<Rnn>) = tagging::CRNN1D_RNN,
    Crnn1dLstm(tagging::Crnn1d<Lstm>) = tagging::CRNN1D_LSTM,
    Crnn1dGru(tagging::Crnn1d<Gru>) = tagging::CRNN1D_GRU,
    ChunkCnn(tagging::ChunkCnn) = tagging::CHUNK_CNN,
    Crnn2dRnn(tagging::Crnn2d<Rnn>) = tagging::CRNN2D_RNN,
    Crnn2dLstm(tagging::Crnn2d<Lstm>) = tagging::CRNN2D_LSTM,
    Crnn2dGru(tagging::Crnn2d<Gru>) = tagging::CRNN2D_GRU,
    ChoiFcn(choi::ChoiFcn) = choi::CHOI_FCN,
    ChoiCrnn(choi::ChoiCrnn) = choi::CHOI_CRNN,
    MusicTaggerCrnn(music_tagger::MusicTaggerCrnn) = music_tagger::MUSIC_TAGGER_CRNN,
    MusicTaggerCnn(music_tagger::MusicTaggerCnn) = music_tagger::MUSIC_TAGGER_CNN,
    MfccDense(fma_baselines::MfccDense) = fma_baselines::MFCC_DENSE,
    SmallCnn(fma_baselines::SmallCnn) = fma_baselines::SMALL_CNN,
    Vgg16(fma_baselines::Vgg16) = fma_baselines::VGG16,
    Vgg16Progressive42x100(fma_baselines::Vgg16) = fma_baselines::VGG16_42X100,
    Vgg16Progressive84x100(fma_baselines::Vgg16) = fma_baselines::VGG16_84X100,
    WonFcn(won::WonFcn) = won::WON_FCN,
    WonCrnn(won::WonCrnn) = won::WON_CRNN,
    Musicnn(won::Musicnn) = won::MUSICNN,
    MusicnnMsd(won::Musicnn) = won::MUSICNN_MSD,
    ShortChunk(won::ShortChunk<won::ConvBlock2d>) = won::SHORT_CHUNK,
    ShortChunkRes(won::ShortChunk<won::Residual2d>) = won::SHORT_CHUNK_RES,
    SampleLevel(won::SampleLevel) = won::SAMPLE_LEVEL,
    SampleLevelSe(won::SampleLevelSe) = won::SAMPLE_LEVEL_SE,
    HarmonicCnn(won::HarmonicCnn) = won::HARMONIC_CNN,
    SelfAttention(won::SelfAttentionCnn) = won::SELF_ATTENTION,
    DwivediCrnn(dwivedi::DwivediCrnn) = dwivedi::DWIVEDI_CRNN,
    DwivediParallel(dwivedi::DwivediParallel) = dwivedi::DWIVEDI_PARALLEL,
    Dong(dong::Dong) = dong::DONG,
}

impl ModelKind {
    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl Serialize for ModelKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ModelKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name)
            .ok_or_else(|| de::Error::custom(format!("unknown model `{name}`; `train models` lists all models")))
    }
}

impl clap::ValueEnum for ModelKind {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()).help(self.description().summary))
    }
}

impl Model {
    /// Number of trainable weights, without batch norm's running mean and variance. The model must be on an autodiff
    /// device.
    pub fn trainable_parameters(&self) -> usize {
        struct Count(usize);
        impl ModuleVisitor for Count {
            fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
                if parameter.is_require_grad() {
                    self.0 += parameter.lazy_shape().num_elements();
                }
            }
        }
        let mut count = Count(0);
        self.visit(&mut count);
        count.0
    }

    /// Logits, `[batch, classes]`.
    ///
    /// # Panics
    /// Panics if an input of the model's description is missing.
    pub fn forward(&self, input: ModelInput) -> Tensor<2> {
        self.classify(self.embed(input))
    }

    /// See [`Network::embed`].
    pub fn embed(&self, input: ModelInput) -> Tensor<2> {
        self.network().embed(&input)
    }

    /// See [`Network::classify`].
    pub fn classify(&self, embeddings: Tensor<2>) -> Tensor<2> {
        self.network().classify(embeddings)
    }

    /// See [`Network::classifier`].
    pub(super) fn classifier(&self) -> &Linear {
        self.network().classifier()
    }

    /// See [`Network::embed_nodes`].
    pub(super) fn embed_nodes(&self, graph: &Graph) -> Value {
        self.network().embed_nodes(graph)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn names_agree_with_the_command_line_and_serde_and_are_unique() {
        use clap::ValueEnum;
        for &kind in ModelKind::ALL {
            assert_eq!(kind.to_possible_value().unwrap().get_name(), kind.name());
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(serde_json::from_value::<ModelKind>(kind.name().into()).unwrap(), kind);
            assert!(
                ModelKind::ALL
                    .iter()
                    .filter(|other| other.name() == kind.name())
                    .count()
                    == 1
            );
        }
        let error = serde_json::from_value::<ModelKind>("crn".into())
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown model `crn`"), "{error}");
    }

    #[test]
    fn every_model_accepts_its_papers_shape_and_names_its_classifier() {
        struct Names(Vec<String>, Vec<String>);
        impl ModuleVisitor for Names {
            fn enter_module(&mut self, name: &str, _: &str) {
                self.0.push(name.to_owned());
            }
            fn exit_module(&mut self, _: &str, _: &str) {
                self.0.pop();
            }
            fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
                // The first name is the enum's variant.
                self.1.push(self.0[1..].join("."));
            }
        }
        let device = Device::flex();
        for &kind in ModelKind::ALL {
            let description = kind.description();
            assert_eq!((description.accepts)(&description.usual_shape), Ok(()), "{kind}");
            let mut names = Names(Vec::new(), Vec::new());
            testing::model(kind, 3, &device).visit(&mut names);
            let classifier_names = names.1.iter().filter(|name| name.starts_with(description.classifier));
            assert_eq!(classifier_names.count(), 2, "{kind}: {:?}", names.1);
        }
    }
}
