//! Tests of paper 2's models with the paper's tables: parameter counts, lengths and blocks.

use super::*;
use crate::models::ModelKind;
use crate::models::testing::{self, conv, dense, parameter_count, recurrent};

/// 128 + 6,208 + 24,704 + 49,280 + 98,560 + 196,864 + 393,728 = 769,472.
const SEVEN: usize = conv(3, 1, 32)
    + conv(3, 32, 64)
    + conv(3, 64, 128)
    + conv(3, 128, 128)
    + conv(3, 128, 256)
    + conv(3, 256, 256)
    + conv(3, 256, 512);

/// 786,944 + 1,573,888 + 3,146,752 = 5,507,584 more in the convolutions, 5,120 in batch norm.
const TEN: usize = SEVEN + conv(3, 512, 512) + conv(3, 512, 1024) + conv(3, 1024, 1024) + 2 * (512 + 1024 + 1024);

/// 64 + 784 + 1,568 + 6,208 + 24,704 + 2 · 49,280 = 131,888 with three taps, 394,640 with nine.
const fn narrow(taps: usize) -> usize {
    conv(taps, 1, 16)
        + conv(taps, 16, 16)
        + conv(taps, 16, 32)
        + conv(taps, 32, 64)
        + conv(taps, 64, 128)
        + 2 * conv(taps, 128, 128)
}

#[test]
fn parameter_counts_match_the_paper() {
    // 2,355,300 + 1,010 in the dense layers.
    let sample = TEN + dense(23 * 1024, 100) + dense(100, 10);
    // 25,700 + 1,010 in the dense layers.
    let crnn1d = |gates| SEVEN + recurrent(gates, 512, 256) + dense(256, 100) + dense(100, 10);
    // 512 in batch norm, 1,290 in the dense layer.
    let chunk = narrow(3) + 2 * (128 + 128) + dense(128, 10);
    // 2,570 in the dense layer.
    let crnn2d = |gates| narrow(9) + recurrent(gates, 128, 256) + dense(256, 10);
    for (kind, counted, stated) in [
        (ModelKind::SampleCnn, sample, 8_638_486),
        // One, four and three times 197,120 in the recurrent layer.
        (ModelKind::Crnn1dRnn, crnn1d(1), 993_302),
        (ModelKind::Crnn1dLstm, crnn1d(4), 1_584_662),
        (ModelKind::Crnn1dGru, crnn1d(3), 1_387_542),
        (ModelKind::ChunkCnn, chunk, 133_690),
        // One, four and three times 98,816 in the recurrent layer.
        (ModelKind::Crnn2dRnn, crnn2d(1), 496_026),
        (ModelKind::Crnn2dLstm, crnn2d(4), 792_474),
        (ModelKind::Crnn2dGru, crnn2d(3), 693_658),
    ] {
        assert_eq!((parameter_count(kind, 10), counted), (stated, stated), "{kind}");
    }
}

#[test]
fn waveform_lengths_after_each_pool_match_the_paper() {
    let (device, dropout) = (Device::flex(), DropoutConfig::new(BLOCK_DROPOUT));
    let mut x = testing::input(1, &CLIP, &device).waveform();
    let mut lengths = Vec::new();
    for block in SAMPLE_BLOCKS.build(&dropout, &device) {
        x = block.forward(x);
        lengths.push(x.dims()[2]);
    }
    assert_eq!(lengths, [155_328, 51_776, 17_258, 5752, 1917, 639, 213, 71, 23, 23]);
    assert_eq!(SAMPLE_BLOCKS.steps(CLIP.samples), 23);
    assert_eq!(RECURRENT_BLOCKS.steps(CLIP.samples), 213);
    assert_eq!(RECURRENT_BLOCKS.width(), 512);
    let blocks = CHUNK_BLOCKS.build(&dropout, &device);
    let clip = InputShape { samples: 9999, ..CLIP };
    let out = run(&blocks, testing::input(2, &clip, &device).waveform());
    assert_eq!(out.dims(), [2, 128, CHUNK_BLOCKS.steps(9999)]);
}

#[test]
fn power_density_sizes_after_each_pool_match_the_paper() {
    let mut size = CLIP.spectrogram;
    let sizes = PSD_BLOCKS.map(|(_, pool)| {
        size = [size[0] / pool[0], size[1] / pool[1]];
        size
    });
    let papers = [[64, 1040], [32, 520], [16, 260], [8, 130], [4, 130], [2, 130], [1, 130]];
    assert_eq!(sizes, papers);
}

#[test]
fn unsupported_shapes_are_refused() {
    let samples = |samples| InputShape { samples, ..CLIP };
    for (blocks, shortest) in [(SAMPLE_BLOCKS, 19_683), (RECURRENT_BLOCKS, 2187), (CHUNK_BLOCKS, 729)] {
        assert_eq!(blocks.accepts(&samples(shortest)), Ok(()));
        let error = blocks.accepts(&samples(shortest - 1)).unwrap_err();
        assert!(error.contains(&shortest.to_string()), "{error}");
    }
    let psd = |spectrogram| accepts_psd(&InputShape { spectrogram, ..CLIP });
    assert!(psd([128, 16]).is_ok() && psd([255, 17]).is_ok());
    assert!(psd([127, 2080]).is_err() && psd([256, 2080]).is_err() && psd([129, 15]).is_err());
}
