//! Parts of a file in time, and the mean of clips around each.

/// A part of a file, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub start: f64,
    pub end: f64,
}

/// The result of a network for a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipVector {
    pub span: Span,
    pub values: Vec<f64>,
}

/// Rows per window: a row is the middle third of the audio that it averages.
const ROWS_PER_WINDOW: f64 = 3.0;

impl Span {
    pub fn seconds(self) -> f64 {
        self.end - self.start
    }

    fn middle(self) -> f64 {
        0.5 * (self.start + self.end)
    }

    /// The span of this length with the same middle.
    fn widened(self, seconds: f64) -> Self {
        Self {
            start: self.middle() - 0.5 * seconds,
            end: self.middle() + 0.5 * seconds,
        }
    }

    /// Seconds that are in both.
    fn overlap(self, other: Self) -> f64 {
        (self.end.min(other.end) - self.start.max(other.start)).max(0.0)
    }
}

/// The rows of a timeline: adjacent parts of a third of a window. If what remains at the end is shorter than half of
/// that, it belongs to the last row. A file of one clip has one row.
pub fn rows(seconds: f64, clips: usize, window: f64) -> Vec<Span> {
    let step = window / ROWS_PER_WINDOW;
    let count = if clips > 1 {
        (seconds / step).round().max(1.0) as usize
    } else {
        1
    };
    let start = |row: usize| row as f64 * step;
    (0..count)
        .map(|row| Span {
            start: start(row),
            end: if row + 1 == count { seconds } else { start(row + 1) },
        })
        .collect()
}

/// The mean of the clips in the window around a row, each weighted by its seconds in the window. If no clip is in the
/// window, which is possible in the skipped ends of a file, the values of the nearest clip.
///
/// # Panics
/// Panics without clips.
pub fn mean_around(clips: &[ClipVector], row: Span, window: f64) -> Vec<f64> {
    let window = row.widened(window.max(row.seconds()));
    let first = clips.partition_point(|clip| clip.span.end <= window.start);
    let inside = clips[first..].iter().take_while(|clip| clip.span.start < window.end);
    let mut sum = vec![0.0; clips[0].values.len()];
    let mut weights = 0.0;
    for clip in inside {
        let weight = clip.span.overlap(window);
        weights += weight;
        sum.iter_mut()
            .zip(&clip.values)
            .for_each(|(sum, value)| *sum += weight * value);
    }
    if weights > 0.0 {
        return sum.into_iter().map(|sum| sum / weights).collect();
    }
    let nearest = if first == 0 { 0 } else { clips.len() - 1 };
    clips[nearest].values.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: f64, end: f64) -> Span {
        Span { start, end }
    }

    fn clip(start: f64, end: f64, value: f64) -> ClipVector {
        ClipVector {
            span: span(start, end),
            values: vec![value, 1.0 - value],
        }
    }

    #[test]
    fn rows_are_thirds_of_a_window_and_a_short_rest_belongs_to_the_last() {
        assert_eq!(
            rows(30.0, 3, 30.0),
            [span(0.0, 10.0), span(10.0, 20.0), span(20.0, 30.0)]
        );
        assert_eq!(rows(24.9, 3, 30.0), [span(0.0, 10.0), span(10.0, 24.9)]);
        assert_eq!(
            rows(25.0, 3, 30.0),
            [span(0.0, 10.0), span(10.0, 20.0), span(20.0, 25.0)]
        );
        assert_eq!(rows(4.0, 2, 30.0), [span(0.0, 4.0)]);
        assert_eq!(rows(29.0, 1, 30.0), [span(0.0, 29.0)]);
        assert_eq!(rows(3600.0, 1200, 30.0).len(), 360);
    }

    #[test]
    fn a_row_is_the_mean_of_the_clips_around_it_weighted_by_seconds() {
        // The last clip ends with the file, so it overlaps the one before.
        let clips = [clip(0.0, 4.0, 1.0), clip(4.0, 8.0, 0.5), clip(6.0, 10.0, 0.0)];
        let mean = |row, window| mean_around(&clips, row, window)[0];
        // From 0 to 4.5 s of the file.
        assert_eq!(mean(span(0.0, 3.0), 6.0), (4.0 + 0.5 * 0.5) / 4.5);
        // From 3 to 6 s.
        assert_eq!(mean(span(4.0, 5.0), 3.0), (1.0 + 2.0 * 0.5) / 3.0);
        // From 6 to 9 s: two seconds of the second clip and three of the third.
        assert_eq!(mean(span(7.0, 8.0), 3.0), 2.0 * 0.5 / 5.0);
        assert_eq!(mean_around(&clips, span(7.0, 8.0), 3.0)[1], (2.0 * 0.5 + 3.0) / 5.0);
        // A row is never longer than what it averages.
        assert_eq!(mean(span(0.0, 10.0), 1.0), (4.0 + 2.0) / 12.0);
    }

    #[test]
    fn rows_in_a_skipped_end_have_the_values_of_the_nearest_clip() {
        let clips = [clip(50.0, 54.0, 1.0), clip(54.0, 58.0, 0.0)];
        assert_eq!(mean_around(&clips, span(0.0, 10.0), 30.0)[0], 1.0);
        assert_eq!(mean_around(&clips, span(100.0, 110.0), 30.0)[0], 0.0);
    }
}
