//! The layers of a model, as `train models NAME` lists them.

use super::Model;
use super::named::parameters;
use serde::Serialize;

/// A layer that has parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Its path in the weights file: `encoder.blocks.0.conv`.
    pub name: String,
    /// Each parameter's name and shape, such as `weight` and `[32, 1, 3, 3]`.
    pub parameters: Vec<(String, Vec<usize>)>,
}

impl Layer {
    /// Values in all its parameters.
    pub fn parameter_count(&self) -> usize {
        let shapes = self.parameters.iter().map(|(_, shape)| shape);
        shapes.map(|shape| shape.iter().product::<usize>()).sum()
    }
}

impl Model {
    /// The layers in the order in which the model declares them, with the parameters that training changes. The model
    /// must be on an autodiff device.
    pub fn layers(&self) -> Vec<Layer> {
        let mut layers: Vec<Layer> = Vec::new();
        for parameter in parameters(self).into_iter().filter(|parameter| parameter.trainable) {
            let (name, kind) = parameter.name.rsplit_once('.').unwrap_or(("", &parameter.name));
            if layers.last().is_none_or(|layer| layer.name != name) {
                layers.push(Layer {
                    name: name.to_owned(),
                    parameters: Vec::new(),
                });
            }
            let layer = layers.last_mut().expect("the parameter's layer was just added");
            layer.parameters.push((kind.to_owned(), parameter.shape));
        }
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ModelKind, testing};
    use burn::tensor::Device;

    #[test]
    fn layers_contain_every_trainable_parameter_once() {
        let device = Device::flex().autodiff();
        for &kind in ModelKind::ALL {
            let model = testing::model(kind, 3, &device);
            let layers = model.layers();
            let count: usize = layers.iter().map(|layer| layer.parameter_count()).sum();
            assert_eq!(count, model.trainable_parameters(), "{kind}");
            let classifier = kind.description().classifier.trim_end_matches('.');
            assert!(
                layers.iter().any(|layer| layer.name == classifier),
                "{kind}: {layers:?}"
            );
        }
    }
}
