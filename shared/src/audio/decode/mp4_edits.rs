//! Reads the edit lists of MP4 tracks (ISO 14496-12), which state the part of a track that is played, without encoder
//! delay and padding. Symphonia's reader ignores them and returns all packets.

use super::window::Window;
use std::io::{self, Read, Seek};
use std::ops::Range;

/// Maximum child boxes that are read per box.
const MAX_BOXES: usize = 4096;

/// The part of a track that is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edits {
    /// This range of samples. The end may be beyond the last sample.
    Part(Range<u64>),
    /// Several parts.
    Several,
}

/// A box: its type and the range of its content.
struct Mp4Box {
    kind: [u8; 4],
    content: Range<u64>,
}

/// The edit list of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrackEdits {
    pub track_id: u32,
    /// For each entry that plays something, its duration in ticks of the movie and its beginning in ticks of the media.
    entries: Vec<(u64, u64)>,
    movie_scale: u32,
    media_scale: u32,
}

impl TrackEdits {
    /// The part that is played, in samples at `rate` Hz. `None` if the list has no entry.
    pub(super) fn played(&self, rate: u32) -> Option<Edits> {
        let samples = |ticks: u64, scale: u32| {
            u64::try_from(u128::from(ticks) * u128::from(rate) / u128::from(scale)).unwrap_or(u64::MAX)
        };
        match self.entries[..] {
            [] => None,
            [(duration, begin)] => {
                let begin = samples(begin, self.media_scale);
                // In a fragmented file the duration is unknown and 0.
                let end = match duration {
                    0 => u64::MAX,
                    duration => begin.saturating_add(samples(duration, self.movie_scale)),
                };
                Some(Edits::Part(begin..end))
            }
            _ => Some(Edits::Several),
        }
    }
}

/// Reads the edit lists of all tracks.
pub(super) fn read<F: Read + Seek>(window: &mut Window<F>, range: Range<u64>) -> io::Result<Vec<TrackEdits>> {
    let mut lists = Vec::new();
    let Some(movie) = find(window, range, b"moov")? else {
        return Ok(lists);
    };
    let movie_scale = match find(window, movie.clone(), b"mvhd")? {
        Some(header) => timescale(window, header)?,
        None => None,
    };
    for track in boxes(window, movie)?.into_iter().filter(|found| found.kind == *b"trak") {
        let header = find(window, track.content.clone(), b"tkhd")?;
        let list = match find(window, track.content.clone(), b"edts")? {
            Some(edits) => find(window, edits, b"elst")?,
            None => None,
        };
        let media = match find(window, track.content, b"mdia")? {
            Some(media) => find(window, media, b"mdhd")?,
            None => None,
        };
        if let (Some(header), Some(list), Some(media), Some(movie_scale)) = (header, list, media, movie_scale)
            && let Some(track_id) = number_after_times(window, header)?
            && let Some(media_scale) = timescale(window, media)?
        {
            lists.push(TrackEdits {
                track_id,
                entries: entries(window, list)?,
                movie_scale,
                media_scale,
            });
        }
    }
    Ok(lists)
}

/// The boxes in this range.
fn boxes<F: Read + Seek>(window: &mut Window<F>, range: Range<u64>) -> io::Result<Vec<Mp4Box>> {
    let mut found = Vec::new();
    let mut at = range.start;
    while found.len() < MAX_BOXES
        && at < range.end
        && let Some([a, b, c, d, kind @ ..]) = window.array::<8>(at)?
    {
        let (header, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, range.end - at),
            1 => match window.array::<8>(at + 8)? {
                Some(size) => (16, u64::from_be_bytes(size)),
                None => break,
            },
            size => (8, size.into()),
        };
        let end = at.saturating_add(size).min(range.end);
        if size < header || end < at + header {
            break;
        }
        found.push(Mp4Box {
            kind,
            content: at + header..end,
        });
        at = end;
    }
    Ok(found)
}

fn find<F: Read + Seek>(window: &mut Window<F>, range: Range<u64>, kind: &[u8; 4]) -> io::Result<Option<Range<u64>>> {
    let found = boxes(window, range)?.into_iter().find(|found| found.kind == *kind);
    Ok(found.map(|found| found.content))
}

/// The word after the two times at the beginning of `mvhd`, `tkhd` and `mdhd`.
fn number_after_times<F: Read + Seek>(window: &mut Window<F>, content: Range<u64>) -> io::Result<Option<u32>> {
    let Some([version, ..]) = window.array::<4>(content.start)? else {
        return Ok(None);
    };
    let times = if version == 1 { 16 } else { 8 };
    Ok(window.array(content.start + 4 + times)?.map(u32::from_be_bytes))
}

fn timescale<F: Read + Seek>(window: &mut Window<F>, content: Range<u64>) -> io::Result<Option<u32>> {
    Ok(number_after_times(window, content)?.filter(|&scale| scale > 0))
}

/// Reads the entries of an edit list, see [`TrackEdits::entries`].
fn entries<F: Read + Seek>(window: &mut Window<F>, content: Range<u64>) -> io::Result<Vec<(u64, u64)>> {
    /// More than one entry is not supported anyway.
    const MAX_ENTRIES: u64 = 64;
    let Some([version, ..]) = window.array::<4>(content.start)? else {
        return Ok(Vec::new());
    };
    let count = window.array(content.start + 4)?.map_or(0, u32::from_be_bytes);
    let mut entries = Vec::new();
    let mut at = content.start + 8;
    for _ in 0..u64::from(count).min(MAX_ENTRIES) {
        let (duration, begin, length) = if version == 1 {
            let duration = window.array(at)?.map(u64::from_be_bytes);
            (duration, window.array(at + 8)?.map(i64::from_be_bytes), 20)
        } else {
            let duration = window.array(at)?.map(|bytes| u32::from_be_bytes(bytes).into());
            (
                duration,
                window.array(at + 4)?.map(|bytes| i32::from_be_bytes(bytes).into()),
                12,
            )
        };
        at += length;
        // An entry that begins at -1 is a pause before the audio.
        if let (Some(duration), Some(begin), true) = (duration, begin, at <= content.end)
            && let Ok(begin) = u64::try_from(begin)
        {
            entries.push((duration, begin));
        }
    }
    Ok(entries)
}

/// The played range from the tag `iTunSMPB` of iTunes: an unused word, then the samples of delay, padding and audio in
/// hexadecimal.
pub(super) fn itunes_gapless(text: &str) -> Option<Range<u64>> {
    let mut words = text
        .split_ascii_whitespace()
        .skip(1)
        .map(|word| u64::from_str_radix(word, 16).ok());
    let (delay, _padding, length) = (words.next()??, words.next()??, words.next()??);
    (length > 0).then(|| delay..delay.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes(), kind.as_slice(), content].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// A movie with a time scale of 1 ms. Track 1 has no edit list; track 2 is audio with a time scale of 22,050 Hz.
    fn movie(entries: &[u32]) -> Vec<u8> {
        let list = boxed(
            b"elst",
            &[words(&[0, entries.len() as u32 / 3]), words(entries)].concat(),
        );
        let media = boxed(b"mdia", &boxed(b"mdhd", &words(&[0, 0, 0, 22_050, 9])));
        let track = |number| {
            [
                boxed(b"tkhd", &words(&[0, 0, 0, number])),
                boxed(b"edts", &list),
                media.clone(),
            ]
            .concat()
        };
        let content = [
            boxed(b"mvhd", &words(&[0, 0, 0, 1000, 9])),
            boxed(b"trak", &boxed(b"tkhd", &words(&[0, 0, 0, 1]))),
            boxed(b"trak", &track(2)),
        ];
        [
            boxed(b"ftyp", b"M4A "),
            boxed(b"mdat", &[7; 100]),
            boxed(b"moov", &content.concat()),
        ]
        .concat()
    }

    fn edits_of(file: &[u8], track: u32) -> Option<Edits> {
        let length = file.len() as u64;
        let lists = read(&mut Window::new(Cursor::new(file), length), 0..length).unwrap();
        lists.into_iter().find(|list| list.track_id == track)?.played(44_100)
    }

    #[test]
    fn edit_list_states_the_played_samples() {
        const NORMAL_SPEED: u32 = 1 << 16;
        let one = movie(&[2000, 1024, NORMAL_SPEED]);
        assert_eq!(edits_of(&one, 2), Some(Edits::Part(2048..2048 + 88_200)));
        assert_eq!((edits_of(&one, 1), edits_of(&one, 3)), (None, None));
        let pause_first = movie(&[500, u32::MAX, NORMAL_SPEED, 0, 1024, NORMAL_SPEED]);
        assert_eq!(edits_of(&pause_first, 2), Some(Edits::Part(2048..u64::MAX)));
        let several = movie(&[500, 0, NORMAL_SPEED, 500, 44_100, NORMAL_SPEED]);
        assert_eq!(edits_of(&several, 2), Some(Edits::Several));
        assert_eq!(edits_of(&movie(&[]), 2), None);
    }

    #[test]
    fn itunes_tag_states_the_played_samples() {
        let tag = " 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        assert_eq!(itunes_gapless(tag), Some(2112..2112 + 0x3f31f6));
        assert_eq!((itunes_gapless(""), itunes_gapless("0 x y z")), (None, None));
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(at in 0usize..300, value in any::<u8>(), length in 0usize..400) {
            let mut file = movie(&[2000, 1024, 1 << 16]);
            let end = file.len();
            file[at % end] = value;
            file.truncate(length);
            let _ = edits_of(&file, 2);
        }
    }
}
