//! Embeddings: the activations before a model's last layer, as input of other classifiers. Extracts them, averages them
//! over each track's clips, and writes them to a safetensors file.

use crate::data::run_data::RunData;
use crate::evaluation::evaluate::infer;
use crate::loader::{Excerpt, Prefetch};
use crate::models::ModelInput;
use crate::step::batch::DeviceFailure;
use crate::step::compute::Compute;
use burn::tensor::Tensor;
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

/// Computes the embeddings of `clips` with `forward`, whose network must be on `compute.device`, without autodiff.
pub fn extract(
    forward: impl Fn(ModelInput) -> Tensor<2>,
    data: &RunData,
    clips: &[Excerpt],
    batch_size: usize,
    prefetch: &mut Prefetch,
    compute: &Compute,
) -> Result<EmbeddingTable, DeviceFailure> {
    let mut table = EmbeddingTable::default();
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
            clips.push(excerpt.number as u64);
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

/// A row per track: the means over its clips of the embeddings of each table, one after the other. Tables of networks
/// with other clips can be joined, because all have the same tracks.
///
/// # Panics
/// Panics if the tables have other tracks or another order of tracks.
pub fn joined(tables: &[EmbeddingTable]) -> EmbeddingTable {
    let means: Vec<EmbeddingTable> = tables.iter().map(track_means).collect();
    let Some(first) = means.first() else {
        return EmbeddingTable::default();
    };
    let mut values = Vec::new();
    for track in 0..first.clips.len() {
        for mean in &means {
            assert_eq!(mean.clips[track], first.clips[track], "the tables have the same tracks");
            values.extend_from_slice(&mean.values[track * mean.dimension()..][..mean.dimension()]);
        }
    }
    EmbeddingTable {
        clips: first.clips.clone(),
        values,
    }
}

/// The mean over each track's clips.
fn track_means(table: &EmbeddingTable) -> EmbeddingTable {
    let dimension = table.dimension();
    let mut means = EmbeddingTable::default();
    let mut begin = 0;
    for track in table.clips.chunk_by(|a, b| a.position == b.position) {
        let rows = &table.values[begin * dimension..][..track.len() * dimension];
        let mean = |column: usize| {
            let values = rows.iter().skip(column).step_by(dimension);
            (values.map(|&value| f64::from(value)).sum::<f64>() / track.len() as f64) as f32
        };
        means.values.extend((0..dimension).map(mean));
        means.clips.push(Excerpt {
            position: track[0].position,
            number: 0,
            hop: None,
        });
        begin += track.len();
    }
    means
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
                let is_misleading = clip.number == 1;
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
    fn joined_embeddings_are_means_over_the_clips_of_each_track() {
        let clip = |position| Excerpt {
            position,
            number: 0,
            hop: None,
        };
        let long = EmbeddingTable {
            clips: [3, 3, 1].map(clip).into(),
            values: vec![1.0, 10.0, 2.0, 30.0, 5.0, 6.0],
        };
        let short = EmbeddingTable {
            clips: [3, 1].map(clip).into(),
            values: vec![-1.0, -2.0],
        };
        let all = joined(&[long, short]);
        assert_eq!((all.clips.len(), all.dimension()), (2, 3));
        assert_eq!(all.values, [1.5, 20.0, -1.0, 5.0, 6.0, -2.0]);
        assert_eq!(joined(&[]), EmbeddingTable::default());
    }

    #[test]
    fn embeddings_file_is_readable_with_the_safetensors_library() {
        let root = testing::dataset();
        let config = RunConfig {
            eval_clips: EvalClips::MIDDLE,
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
