//! Embeddings: the activations before a model's last layer, as input of other classifiers. Extracts them, writes them
//! to a safetensors file, and evaluates k-nearest neighbours and a linear SVM on them, per clip and per track.

use crate::classical::{KNearest, LinearSvm, SvmConfig, TrainingSet};
use crate::data::run_data::RunData;
use crate::evaluation::evaluate::infer;
use crate::frontend::{Normalize, VectorError};
use crate::loader::{Excerpt, Prefetch};
use crate::metrics::{ClassificationMetrics, ConfusionMatrix, first_highest};
use crate::models::Model;
use crate::step::batch::DeviceFailure;
use crate::step::compute::Compute;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};
use shared::dataset::Task;
use shared::dataset::split::Set;

/// The embeddings of a list of clips.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingTable {
    /// The clips. Those of a track are consecutive.
    pub clips: Vec<Excerpt>,
    /// `[clips, dimension]`, row by row.
    pub values: Vec<f32>,
}

impl EmbeddingTable {
    /// Values per embedding.
    pub fn dimension(&self) -> usize {
        self.values.len() / self.clips.len().max(1)
    }
}

/// Computes the embeddings of `clips`. `model` must be on `compute.device`, without autodiff.
pub fn extract(
    model: &Model,
    data: &RunData,
    clips: &[Excerpt],
    batch_size: usize,
    prefetch: &mut Prefetch,
    compute: &Compute,
) -> Result<EmbeddingTable, DeviceFailure> {
    let mut table = EmbeddingTable::default();
    let forward = |input| model.embed(input);
    infer(
        data,
        clips,
        batch_size,
        prefetch,
        compute,
        forward,
        |batch, embeddings| {
            table.clips.extend(batch.excerpts.iter().map(|&clip| clips[clip]));
            table.values.extend_from_slice(embeddings);
            Ok(())
        },
    )?;
    Ok(table)
}

/// A safetensors file of the tables, one after the other: `embeddings` `[n, dimension]` F32, `track_id` `[n]` U64,
/// `clip` `[n]` U64 (its number within the track), `set` `[n]` U8 (0 train, 1 validation, 2 test), and `class` `[n]`
/// I64 or `tags` `[n, tags]` U8, in the data set's order of classes.
pub fn to_safetensors(data: &RunData, tables: &[(Set, EmbeddingTable)]) -> Result<Vec<u8>, SafeTensorError> {
    let outputs = data.dataset.classes().len();
    let (mut values, mut ids, mut clips, mut sets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut classes, mut tags) = (Vec::new(), Vec::new());
    for (set, table) in tables {
        values.extend_from_slice(&table.values);
        for excerpt in &table.clips {
            ids.push(data.dataset.tracks()[excerpt.position].track_id);
            clips.push(excerpt.place.map_or(0, |place| place.number as u64));
            sets.push(match set {
                Set::Train => 0u8,
                Set::Val => 1,
                Set::Test => 2,
            });
            match data.dataset.task() {
                Task::SingleLabel => {
                    classes.push(data.dataset.class(excerpt.position).map_or(-1, |class| class as i64))
                }
                Task::MultiLabel => {
                    let begin = tags.len();
                    tags.resize(begin + outputs, 0u8);
                    data.dataset
                        .tags(excerpt.position)
                        .for_each(|tag| tags[begin + tag] = 1);
                }
            }
        }
    }
    let rows = ids.len();
    let dimension = values.len() / rows.max(1);
    let mut tensors: Vec<(&str, Dtype, Vec<usize>, &[u8])> = vec![
        (
            "embeddings",
            Dtype::F32,
            vec![rows, dimension],
            bytemuck::cast_slice(&values),
        ),
        ("track_id", Dtype::U64, vec![rows], bytemuck::cast_slice(&ids)),
        ("clip", Dtype::U64, vec![rows], bytemuck::cast_slice(&clips)),
        ("set", Dtype::U8, vec![rows], &sets),
    ];
    match data.dataset.task() {
        Task::SingleLabel => tensors.push(("class", Dtype::I64, vec![rows], bytemuck::cast_slice(&classes))),
        Task::MultiLabel => tensors.push(("tags", Dtype::U8, vec![rows, outputs], &tags)),
    }
    let views = tensors
        .into_iter()
        .map(|(name, dtype, shape, bytes)| TensorView::new(dtype, shape, bytes).map(|view| (name, view)))
        .collect::<Result<Vec<_>, _>>()?;
    safetensors::serialize(views, None)
}

/// A classifier that is trained on embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EmbeddingClassifier {
    /// The majority among the nearest training clips.
    Knn,
    /// A linear support vector machine, one class against the rest.
    Svm,
}

/// The metrics of a classifier of embeddings on one set.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifierMetrics {
    /// A sample per track: the class with the highest mean score over its clips.
    pub tracks: ClassificationMetrics,
    /// A sample per clip.
    pub clips: ClassificationMetrics,
}

/// Trains a classifier on the embeddings `train` and evaluates it on `evaluated`. Both are standardized with the mean
/// and standard deviation of `train`. The data set must be single-label.
pub fn classify(
    classifier: EmbeddingClassifier,
    neighbours: usize,
    data: &RunData,
    train: &EmbeddingTable,
    evaluated: &EmbeddingTable,
) -> Result<ClassifierMetrics, VectorError> {
    let dimension = train.dimension();
    let outputs = data.dataset.classes().len();
    let scaler = Normalize::ZScore.fit(&train.values, dimension)?;
    let standardized = |table: &EmbeddingTable| -> Result<Vec<f32>, VectorError> {
        let mut values = table.values.clone();
        scaler.apply(&mut values)?;
        Ok(values)
    };
    let class = |clip: &Excerpt| data.dataset.class(clip.position).unwrap_or(0);
    let labels: Vec<usize> = train.clips.iter().map(class).collect();
    let (vectors, evaluated_vectors) = (standardized(train)?, standardized(evaluated)?);
    let set = TrainingSet {
        vectors: &vectors,
        dimension,
        labels: &labels,
        classes: outputs,
    };
    let scores = match classifier {
        EmbeddingClassifier::Knn => KNearest::fit(&set, neighbours.min(labels.len()))?.scores(&evaluated_vectors)?,
        EmbeddingClassifier::Svm => LinearSvm::fit(&set, &SvmConfig::default())?.scores(&evaluated_vectors)?,
    };
    let (mut clips, mut tracks) = (ConfusionMatrix::new(outputs), ConfusionMatrix::new(outputs));
    let rows = evaluated.clips.iter().zip(scores.chunks_exact(outputs));
    for (clip, scores) in rows {
        clips.add(class(clip), first_highest(scores));
    }
    let mut begin = 0;
    for track in evaluated.clips.chunk_by(|a, b| a.position == b.position) {
        let track_scores = &scores[begin * outputs..(begin + track.len()) * outputs];
        let sums: Vec<f32> = (0..outputs)
            .map(|class| track_scores.iter().skip(class).step_by(outputs).sum())
            .collect();
        tracks.add(class(&track[0]), first_highest(&sums));
        begin += track.len();
    }
    let names = data.dataset.classes();
    // These classifiers do not return probabilities, so there is no cross-entropy.
    let metrics = |confusion| ClassificationMetrics::new(confusion, names, f64::NAN);
    Ok(ClassifierMetrics {
        tracks: metrics(&tracks),
        clips: metrics(&clips),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::EvalClips;
    use crate::models::ModelKind;
    use crate::settings::RunConfig;
    use crate::testing;
    use safetensors::SafeTensors;

    /// Embeddings that separate the classes, except one misleading clip of each track.
    fn tables(data: &RunData) -> (EmbeddingTable, EmbeddingTable) {
        let table = |set| {
            let clips = data.clips(set).unwrap();
            let values = clips.iter().enumerate().flat_map(|(at, clip)| {
                let class = data.dataset.class(clip.position).unwrap();
                let is_misleading = clip.place.is_some_and(|place| place.number == 1);
                let sign = if (class == 0) == is_misleading { 1.0 } else { -1.0 };
                [sign * (1.0 + at as f32 / 100.0), 7.0]
            });
            EmbeddingTable {
                values: values.collect(),
                clips,
            }
        };
        (table(Set::Train), table(Set::Test))
    }

    #[test]
    fn track_is_classified_by_the_mean_score_of_its_clips() {
        let root = testing::dataset();
        let config = RunConfig {
            excerpt_seconds: Some(3.0),
            ..testing::config(root.path(), ModelKind::Cnn2d)
        };
        let data = RunData::open(&config).unwrap();
        let (train, test) = tables(&data);
        assert!(test.clips.len() >= 6, "two tracks with at least three clips each");
        for classifier in [EmbeddingClassifier::Knn, EmbeddingClassifier::Svm] {
            let metrics = classify(classifier, 3, &data, &train, &test).unwrap();
            assert_eq!(
                (metrics.tracks.samples, metrics.tracks.top1),
                (2, 1.0),
                "{classifier:?}"
            );
            assert_eq!(metrics.clips.samples, test.clips.len() as u64);
            assert!(metrics.clips.top1 < 1.0, "{classifier:?}");
        }
    }

    #[test]
    fn embeddings_file_is_readable_with_the_safetensors_library() {
        let root = testing::dataset();
        let config = RunConfig {
            eval_clips: EvalClips::Middle,
            ..testing::config(root.path(), ModelKind::Cnn2d)
        };
        let data = RunData::open(&config).unwrap();
        let (train, test) = tables(&data);
        let bytes = to_safetensors(&data, &[(Set::Train, train.clone()), (Set::Test, test)]).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let embeddings = file.tensor("embeddings").unwrap();
        assert_eq!((embeddings.shape(), embeddings.dtype()), (&[6, 2][..], Dtype::F32));
        assert_eq!(&embeddings.data()[..4], train.values[0].to_le_bytes());
        assert_eq!(file.tensor("set").unwrap().data(), [0, 0, 0, 0, 2, 2]);
        let ids: Vec<u64> = bytemuck::pod_collect_to_vec(file.tensor("track_id").unwrap().data());
        assert_eq!(ids, [10, 20, 30, 40, 70, 80]);
        let classes: Vec<i64> = bytemuck::pod_collect_to_vec(file.tensor("class").unwrap().data());
        assert_eq!(classes, [0, 1, 0, 1, 0, 1]);
    }
}
