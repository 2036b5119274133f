//! A model as an ONNX file.

use super::format;
use super::graph::Graph;
use crate::models::{InputShape, Model};
use shared::dataset::Task;

/// The largest message of protocol buffers, 2 GiB.
const LARGEST: usize = i32::MAX as usize;

/// How scores are computed from logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnnxScores {
    /// Softmax for one label, sigmoid for several.
    pub task: Task,
    /// Divides the logits first.
    pub temperature: f64,
}

/// The file of a model that was built for inputs of `shape`. Its inputs are those of the model's description, and its
/// outputs `probabilities`, `logits` and `embeddings`. The batch size is free.
///
/// # Errors
/// If the file would be larger than the format allows. The message is a sentence.
pub fn export_onnx(
    model: &Model,
    shape: &InputShape,
    scores: OnnxScores,
    metadata: &[(String, String)],
) -> Result<Vec<u8>, String> {
    let graph = Graph::new(model, shape);
    let embeddings = model.embed_nodes(&graph);
    let logits = graph.linear(model.classifier(), embeddings);
    let scaled = match scores.temperature {
        1.0 => logits,
        temperature => graph.scale(logits, 1.0 / temperature),
    };
    let probabilities = match scores.task {
        Task::SingleLabel => graph.softmax(scaled, 1),
        Task::MultiLabel => graph.sigmoid(scaled),
    };
    let [width, classes] = model.classifier().weight.val().dims();
    let outputs = [
        (probabilities, "probabilities", classes),
        (logits, "logits", classes),
        (embeddings, "embeddings", width),
    ];
    let file = format::model(&graph.finish(model.kind().name(), &outputs), metadata);
    check_size(file.len())?;
    Ok(file)
}

fn check_size(bytes: usize) -> Result<(), String> {
    if bytes > LARGEST {
        return Err(format!(
            "the model has {bytes} bytes in ONNX, and an ONNX file has at most {LARGEST}; train it with shorter clips, or \
             export it for PyTorch"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_above_2_gib_are_refused() {
        assert_eq!(check_size(LARGEST), Ok(()));
        let refused = check_size(LARGEST + 1).unwrap_err();
        assert!(refused.contains("2147483648 bytes"), "{refused}");
    }
}
