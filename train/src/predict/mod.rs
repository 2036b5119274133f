//! Classifies audio files with a run: its network, or the networks and the classifier that it combines. Also the classes
//! of a file over time, the embeddings of files, and the files with the most similar embeddings.
//!
//! Each thread decodes a file and makes batches of model input while decoding; one thread runs the model on the
//! batches. Apart from the results, memory does not depend on the number or length of the files, except for models on
//! track statistics and with `--eval-clips N`, which need the whole file (up to a quarter of an hour).

mod cutter;
mod embedder;
mod file_decoder;
mod file_embeddings;
mod files;
mod networks;
mod predictor;
mod run_predictor;
mod segments;
mod similarity;
mod span;
mod timeline;
mod timeline_chart;
mod timeline_page;

pub use embedder::FileEmbedder;
pub use file_embeddings::FileEmbeddings;
pub use files::{Named, expand};
pub use run_predictor::{FilePrediction, RunPredictor};
pub use similarity::nearest;
pub use timeline::Timeline;
pub use timeline_page::{PlayableFile, page};
