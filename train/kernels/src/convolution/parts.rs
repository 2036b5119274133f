//! Images cut into parts that fit a cache, and copies of them with zero padding.

use super::ConvShape;
use crate::buffer::Aligned;
use std::ops::Range;

/// Size of a padded part, over all input channels, in bytes: a fraction of an L2 cache of 1 MiB.
pub const PART_BYTES: usize = 384 << 10;
/// Columns of the widest tile on any processor.
pub const MAX_STEP: usize = 64;

/// `x` and `out` cut into rectangles of `rows` × `columns` of the output. They are whole rows, or pieces of the row if
/// there is only one.
pub fn split<'a>(x: &'a [f32], out: &'a mut [f32], shape: &ConvShape, rows: usize, columns: usize) -> Vec<Part<'a>> {
    let [height, width] = shape.to;
    let mut tasks = Vec::new();
    for (x, out) in x
        .chunks_exact(shape.inputs * shape.input_plane())
        .zip(out.chunks_exact_mut(shape.outputs * shape.output_plane()))
    {
        let first = tasks.len();
        tasks.extend(rectangles(shape.to, rows, columns).map(|(rows, columns)| Part {
            x,
            rows,
            columns,
            out: Vec::with_capacity(shape.outputs),
        }));
        for plane in out.chunks_exact_mut(height * width) {
            for (task, part) in tasks[first..].iter_mut().zip(plane.chunks_mut(rows * columns)) {
                task.out.push(part);
            }
        }
    }
    tasks
}

/// Rows and columns of the rectangles of `rows` × `columns` of a plane, those of the upper rows first.
pub fn rectangles(
    [height, width]: [usize; 2],
    rows: usize,
    columns: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let pieces = |length: usize, size: usize| {
        let begins = (0..length).step_by(size);
        begins.map(move |begin| begin..(begin + size).min(length))
    };
    pieces(height, rows).flat_map(move |rows| pieces(width, columns).map(move |columns| (rows.clone(), columns)))
}

/// Where columns of an image with `width` columns are in a row of `stride` columns that starts at the image's column
/// `first`, which may be negative: zeros before them, the first of them, and their number.
#[inline(always)]
pub fn columns_inside(first: isize, width: usize, stride: usize) -> [usize; 3] {
    let before = first.min(0).unsigned_abs().min(stride);
    let begin = first.max(0).unsigned_abs().min(width);
    [before, begin, (width - begin).min(stride - before)]
}

/// A rectangle of one image's output.
pub struct Part<'a> {
    /// The whole image, `[inputs, height, width]`.
    pub x: &'a [f32],
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    /// This rectangle of each output channel.
    pub out: Vec<&'a mut [f32]>,
}

/// Rows of an image, or of a copy with zero padding.
pub struct Rows<'a> {
    pub values: &'a [f32],
    pub rows: Range<usize>,
    /// Columns of a row.
    columns: usize,
    /// Distance from one row to the next.
    pub stride: usize,
    /// Distance from one channel to the next.
    pub channel: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    pub fn row(&self, channel: usize, row: usize) -> &'a [f32] {
        let begin = channel * self.channel + (row - self.rows.start) * self.stride;
        &self.values[begin..begin + self.columns]
    }
}

/// A copy of the input rows and columns, with zero padding, that some output rows and columns are computed from.
#[derive(Default)]
pub struct PaddedRows {
    pub values: Aligned,
    rows: Range<usize>,
    /// Distance from one row to the next.
    pub stride: usize,
    /// Distance from one channel to the next.
    pub channel: usize,
}

impl PaddedRows {
    /// Those `rows` of `image`, `[channels, height, width]`, that exist. Each row gets `columns` columns, starting at
    /// the image's column `first`. Columns outside the image are zeros, also at a negative start. Copies the rows only
    /// if there are such columns.
    pub fn pad<'a>(
        &'a mut self,
        image: &'a [f32],
        [height, width]: [usize; 2],
        rows: Range<usize>,
        first: isize,
        columns: usize,
    ) -> Rows<'a> {
        let rows = rows.start..rows.end.min(height);
        let [before, begin, count] = columns_inside(first, width, columns);
        if count == columns {
            return Rows {
                values: image.get(rows.start * width + begin..).unwrap_or_default(),
                rows,
                columns,
                stride: width,
                channel: height * width,
            };
        }
        self.resize(image.len() / (height * width), rows.clone(), columns);
        let mut out = self.values.chunks_exact_mut(columns);
        for plane in image.chunks_exact(height * width) {
            let rows = &plane[rows.start * width..rows.end * width];
            for (row, out) in rows.chunks_exact(width).zip(&mut out) {
                out[..before].fill(0.0);
                out[before..before + count].copy_from_slice(&row[begin..begin + count]);
                out[before + count..].fill(0.0);
            }
        }
        self.rows()
    }

    /// Makes room for `channels` of `rows` with `stride` columns. The values are unspecified.
    pub fn resize(&mut self, channels: usize, rows: Range<usize>, stride: usize) {
        self.stride = stride;
        self.channel = rows.len() * stride;
        self.values.resize(channels * self.channel);
        self.rows = rows;
    }

    pub fn rows(&self) -> Rows<'_> {
        Rows {
            values: &self.values,
            rows: self.rows.clone(),
            columns: self.stride,
            stride: self.stride,
            channel: self.channel,
        }
    }
}
