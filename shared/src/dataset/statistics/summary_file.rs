//! `summary.safetensors`: serializes the summaries of all tracks.

use super::track_summary::{CHROMA_STATISTICS, MFCC_STATISTICS, TrackSummary};
use crate::recordings::{MAX_ROWS, Peak};
use bytemuck::PodCastError;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// A summary file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SummaryError(String);

/// The bytes of `summary.safetensors`. With N tracks, `track_id`, `waveform.samples`, `mel.frames` are `[N]` of `U64`,
/// `waveform.sum`, `waveform.sum_squares` `[N]` of `F64`, `mel.sum`, `mel.sum_squares` `[N, n_mels]` of `F64`, and
/// `mfcc.statistics` `[N, 140]`, `chroma.statistics` `[N, 84]` of `F32`. With P peaks of all tracks, `peaks.count` is
/// `[N]` of `U64`, `peaks.step` `[P]` of `U32`, `peaks.row` `[P]` of `U8`, one track after another.
pub fn summary_to_bytes(rows: &[TrackSummary], n_mels: usize) -> Vec<u8> {
    let n = rows.len();
    let counts = |get: fn(&TrackSummary) -> u64| rows.iter().map(get).collect::<Vec<u64>>();
    let sums = |get: fn(&TrackSummary) -> f64| rows.iter().map(get).collect::<Vec<f64>>();
    let bands = |get: fn(&TrackSummary) -> &Vec<f64>| rows.iter().flat_map(get).copied().collect::<Vec<f64>>();
    let (ids, samples, frames) = (
        counts(|row| row.track_id),
        counts(|row| row.samples),
        counts(|row| row.frames),
    );
    let (sum, squares) = (sums(|row| row.waveform_sum), sums(|row| row.waveform_sum_squares));
    let (mel_sum, mel_squares) = (bands(|row| &row.mel_sum), bands(|row| &row.mel_sum_squares));
    let statistics = |get: fn(&TrackSummary) -> &Vec<f32>| rows.iter().flat_map(get).copied().collect::<Vec<f32>>();
    let (mfcc, chroma) = (statistics(|row| &row.mfcc), statistics(|row| &row.chroma));
    let peaks = || rows.iter().flat_map(|row| &row.peaks);
    let peak_counts = counts(|row| row.peaks.len() as u64);
    let peak_steps: Vec<u32> = peaks().map(|peak| peak.step).collect();
    let peak_rows: Vec<u8> = peaks().map(|peak| peak.row).collect();
    let tensors: [(&str, Dtype, Vec<usize>, &[u8]); 12] = [
        ("track_id", Dtype::U64, vec![n], bytemuck::cast_slice(&ids)),
        ("waveform.samples", Dtype::U64, vec![n], bytemuck::cast_slice(&samples)),
        ("waveform.sum", Dtype::F64, vec![n], bytemuck::cast_slice(&sum)),
        (
            "waveform.sum_squares",
            Dtype::F64,
            vec![n],
            bytemuck::cast_slice(&squares),
        ),
        ("mel.frames", Dtype::U64, vec![n], bytemuck::cast_slice(&frames)),
        ("mel.sum", Dtype::F64, vec![n, n_mels], bytemuck::cast_slice(&mel_sum)),
        (
            "mel.sum_squares",
            Dtype::F64,
            vec![n, n_mels],
            bytemuck::cast_slice(&mel_squares),
        ),
        ("peaks.count", Dtype::U64, vec![n], bytemuck::cast_slice(&peak_counts)),
        (
            "peaks.step",
            Dtype::U32,
            vec![peak_steps.len()],
            bytemuck::cast_slice(&peak_steps),
        ),
        ("peaks.row", Dtype::U8, vec![peak_rows.len()], &peak_rows),
        (
            "mfcc.statistics",
            Dtype::F32,
            vec![n, MFCC_STATISTICS],
            bytemuck::cast_slice(&mfcc),
        ),
        (
            "chroma.statistics",
            Dtype::F32,
            vec![n, CHROMA_STATISTICS],
            bytemuck::cast_slice(&chroma),
        ),
    ];
    let views = tensors.into_iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(dtype, shape, bytes).expect("each shape is counted from its values");
        (name, view)
    });
    safetensors::serialize(views, None).expect("names are distinct and sizes right")
}

/// Parses `summary.safetensors`. Tensors of other names are ignored.
pub fn summary_from_bytes(bytes: &[u8], n_mels: usize) -> Result<Vec<TrackSummary>, SummaryError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| SummaryError(error.to_string()))?;
    let n = tensor(&file, "track_id", Dtype::U64, None)?.shape()[0];
    let counts = |name| Ok(values::<u64>(tensor(&file, name, Dtype::U64, Some(&[n]))?.data()));
    let sums = |name| Ok(values::<f64>(tensor(&file, name, Dtype::F64, Some(&[n]))?.data()));
    let bands = |name| {
        Ok(values::<f64>(
            tensor(&file, name, Dtype::F64, Some(&[n, n_mels]))?.data(),
        ))
    };
    let (ids, samples, frames) = (counts("track_id")?, counts("waveform.samples")?, counts("mel.frames")?);
    let (sum, squares) = (sums("waveform.sum")?, sums("waveform.sum_squares")?);
    let (mel_sum, mel_squares) = (bands("mel.sum")?, bands("mel.sum_squares")?);
    let statistics = |name, length| {
        let view = tensor(&file, name, Dtype::F32, Some(&[n, length]))?;
        Ok(values::<f32>(view.data()))
    };
    let (mfcc, chroma) = (
        statistics("mfcc.statistics", MFCC_STATISTICS)?,
        statistics("chroma.statistics", CHROMA_STATISTICS)?,
    );
    let mut peaks = peaks(&file, &counts("peaks.count")?)?.into_iter();
    Ok((0..n)
        .map(|row| TrackSummary {
            track_id: ids[row],
            samples: samples[row],
            waveform_sum: sum[row],
            waveform_sum_squares: squares[row],
            frames: frames[row],
            mel_sum: mel_sum[row * n_mels..][..n_mels].to_vec(),
            mel_sum_squares: mel_squares[row * n_mels..][..n_mels].to_vec(),
            mfcc: mfcc[row * MFCC_STATISTICS..][..MFCC_STATISTICS].to_vec(),
            chroma: chroma[row * CHROMA_STATISTICS..][..CHROMA_STATISTICS].to_vec(),
            peaks: peaks.next().unwrap_or_default(),
        })
        .collect())
}

/// The peaks of each track.
fn peaks(file: &SafeTensors<'_>, counts: &[u64]) -> Result<Vec<Vec<Peak>>, SummaryError> {
    let steps = values::<u32>(tensor(file, "peaks.step", Dtype::U32, None)?.data());
    let rows = values::<u8>(tensor(file, "peaks.row", Dtype::U8, Some(&[steps.len()]))?.data());
    let all: Vec<Peak> = steps
        .into_iter()
        .zip(rows)
        .map(|(step, row)| Peak { step, row })
        .collect();
    let mut remaining = all.as_slice();
    let mut split = |&count: &u64| {
        let (track, others) = remaining.split_at_checked(usize::try_from(count).ok()?)?;
        remaining = others;
        let usable =
            track.is_sorted_by_key(|peak| peak.step) && track.iter().all(|peak| usize::from(peak.row) < MAX_ROWS);
        usable.then(|| track.to_vec())
    };
    let tracks: Option<Vec<Vec<Peak>>> = counts.iter().map(&mut split).collect();
    tracks
        .filter(|_| remaining.is_empty())
        .ok_or_else(|| SummaryError("its peaks are out of order or do not match `peaks.count`".into()))
}

fn tensor<'a>(
    file: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
    shape: Option<&[usize]>,
) -> Result<TensorView<'a>, SummaryError> {
    let view = file.tensor(name).map_err(|error| SummaryError(error.to_string()))?;
    let wrong_shape = shape.map_or(view.shape().len() != 1, |shape| view.shape() != shape);
    if view.dtype() != dtype || wrong_shape {
        let found = format!("{:?} {:?}", view.dtype(), view.shape());
        return Err(SummaryError(format!(
            "tensor `{name}` is {found}, not {dtype:?} {shape:?}"
        )));
    }
    Ok(view)
}

// A safetensors header may leave data unaligned for the type; these are copied element by element.
fn values<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Vec<T> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(aligned) => aligned.to_vec(),
        Err(PodCastError::TargetAlignmentGreaterAndInputNotAligned) => bytes
            .chunks_exact(size_of::<T>())
            .map(bytemuck::pod_read_unaligned)
            .collect(),
        Err(other) => unreachable!("safetensors checked that the size fits the shape: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::features::FeatureConfig;
    use half::f16;
    use proptest::prelude::*;

    /// The summary of a track with two bands.
    fn summary(track_id: u64) -> TrackSummary {
        let features = FeatureConfig {
            n_mels: 2,
            ..FeatureConfig::default()
        };
        let mel = [-1.0, -2.0, -3.0, -4.0].map(f16::from_f32);
        TrackSummary::new(track_id, &[1, -2], &mel, &features)
    }

    fn statistics(length: usize, first: f32) -> Vec<f32> {
        (0..length).map(|at| first + at as f32).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 256 }))]
        #[test]
        fn summaries_round_trip(
            ids in prop::collection::vec(any::<u64>(), 0..5),
            value in -1e9f64..1e9,
            peaks in prop::collection::vec((any::<u32>(), 0..MAX_ROWS as u8), 0..9),
        ) {
            let mut peaks: Vec<Peak> = peaks.into_iter().map(|(step, row)| Peak { step, row }).collect();
            peaks.sort();
            let rows: Vec<_> = ids
                .iter()
                .map(|&id| TrackSummary {
                    waveform_sum: value,
                    mfcc: statistics(140, (id % 1000) as f32),
                    chroma: statistics(84, -((id % 1000) as f32)),
                    peaks: peaks[..peaks.len().min(id as usize % 10)].to_vec(),
                    ..summary(id)
                })
                .collect();
            prop_assert_eq!(summary_from_bytes(&summary_to_bytes(&rows, 2), 2).unwrap(), rows);
        }

        #[test]
        fn any_sums_round_trip_bit_by_bit(
            rows in prop::collection::vec((any::<(u64, u64, u64)>(), prop::collection::vec(any::<u64>(), 6)), 0..5),
        ) {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|((track_id, samples, frames), bits)| {
                    let value = |at: usize| f64::from_bits(bits[at]);
                    TrackSummary {
                        track_id,
                        samples,
                        frames,
                        waveform_sum: value(0),
                        waveform_sum_squares: value(1),
                        mel_sum: vec![value(2), value(3)],
                        mel_sum_squares: vec![value(4), value(5)],
                        mfcc: vec![f32::from_bits(bits[0] as u32); 140],
                        chroma: vec![f32::from_bits(bits[1] as u32); 84],
                        peaks: Vec::new(),
                    }
                })
                .collect();
            let bytes = summary_to_bytes(&rows, 2);
            let read = summary_from_bytes(&bytes, 2).unwrap();
            prop_assert_eq!(summary_to_bytes(&read, 2), bytes);
            prop_assert_eq!(format!("{read:?}"), format!("{rows:?}"));
        }

        #[test]
        fn parsing_a_changed_summary_does_not_panic(at in any::<prop::sample::Index>(), value in any::<u8>()) {
            let mut bytes = summary_to_bytes(&[summary(1), summary(2)], 2);
            let at = at.index(bytes.len());
            bytes[at] = value;
            let _ = summary_from_bytes(&bytes, 2);
        }

        #[test]
        fn hostile_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(summary_from_bytes(&bytes, 128).is_err());
        }
    }

    #[test]
    fn other_number_of_bands_is_refused() {
        let bytes = summary_to_bytes(&[summary(1)], 2);
        let error = summary_from_bytes(&bytes, 128).unwrap_err().to_string();
        assert!(error.contains("mel.sum"), "{error}");
    }

    #[test]
    fn unsorted_out_of_range_or_miscounted_peaks_are_refused() {
        let with = |peaks: &[(u32, u8)]| TrackSummary {
            peaks: peaks.iter().map(|&(step, row)| Peak { step, row }).collect(),
            ..summary(1)
        };
        for wrong in [with(&[(3, 0), (2, 0)]), with(&[(3, 128)])] {
            let error = summary_from_bytes(&summary_to_bytes(&[wrong], 2), 2).unwrap_err();
            assert!(error.to_string().contains("peaks"), "{error}");
        }
        let good = summary_to_bytes(&[with(&[(3, 1), (4, 2)])], 2);
        let file = SafeTensors::deserialize(&good).unwrap();
        for count in [1u64, 3, u64::MAX] {
            let count = count.to_le_bytes();
            let mut tensors = file.tensors();
            tensors.retain(|(name, _)| name != "peaks.count");
            tensors.push((
                "peaks.count".into(),
                TensorView::new(Dtype::U64, vec![1], &count).unwrap(),
            ));
            let error = summary_from_bytes(&safetensors::serialize(tensors, None).unwrap(), 2).unwrap_err();
            assert!(error.to_string().contains("peaks"), "{error}");
        }
    }

    #[test]
    fn statistics_of_wrong_shape_or_type_are_refused() {
        let good = summary_to_bytes(&[summary(1)], 2);
        let file = SafeTensors::deserialize(&good).unwrap();
        for name in ["mfcc.statistics", "chroma.statistics"] {
            for (dtype, shape) in [
                (Dtype::F32, vec![1, 83]),
                (Dtype::F32, vec![2, 140]),
                (Dtype::F32, vec![140]),
                (Dtype::I32, vec![1, 140]),
                (Dtype::I32, vec![1, 84]),
            ] {
                let data = vec![0; 4 * shape.iter().product::<usize>()];
                let mut tensors = file.tensors();
                tensors.retain(|(other, _)| other != name);
                tensors.push((name.into(), TensorView::new(dtype, shape, &data).unwrap()));
                let bytes = safetensors::serialize(tensors, None).unwrap();
                let error = summary_from_bytes(&bytes, 2).unwrap_err().to_string();
                assert!(error.contains(name), "{error}");
            }
        }
    }
}
