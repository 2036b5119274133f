//! Reads artist and album from the tags of an audio file.
//!
//! Tags were written by many programs and are often wrong. A file whose tags cannot be read has no tags, and is never
//! rejected because of them.

use super::meter::{Meter, MeteredFile};
use super::open::open_file;
use crate::runtime::guard;
use lofty::config::{GlobalOptions, ParseOptions, ParsingMode, apply_global_options};
use lofty::file::TaggedFileExt;
use lofty::probe::Probe;
use lofty::tag::{ItemKey, Tag};
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// Longest value in characters. A longer one is not a name.
const LONGEST: usize = 500;

/// Artist and album as the tags of a file name them; `None` if unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTags {
    /// The artist of the track, or else of the album.
    pub artist: Option<String>,
    /// The album.
    pub album: Option<String>,
}

/// Reads the tags of a file. `meter` must be new.
pub fn read_tags(path: &Path, meter: &Arc<Meter>) -> FileTags {
    let read = || open_file(path, meter).ok().and_then(parse);
    guard::catch(read).ok().flatten().unwrap_or_default()
}

fn parse(file: MeteredFile) -> Option<FileTags> {
    // All tags together may be as long as a packet. This bounds memory and time: lofty limits single values only.
    file.meter().begin_packet().ok()?;
    apply_global_options(
        GlobalOptions::new()
            .use_custom_resolvers(false)
            .preserve_format_specific_items(false),
    );
    let options = ParseOptions::new()
        .read_properties(false)
        .read_cover_art(false)
        .parsing_mode(ParsingMode::Relaxed);
    let probe = Probe::new(BufReader::new(file)).options(options);
    let tagged = probe.guess_file_type().ok()?.read().ok()?;
    // A file may have tags of several kinds, such as ID3v2 and ID3v1, which cuts long names.
    let tags: Vec<&Tag> = tagged.primary_tag().into_iter().chain(tagged.tags()).collect();
    let first = |keys: &[ItemKey]| {
        let mut texts = tags
            .iter()
            .flat_map(|tag| keys.iter().flat_map(|&key| tag.get_strings(key)));
        texts.find_map(first_value)
    };
    Some(FileTags {
        artist: first(&[ItemKey::TrackArtist, ItemKey::AlbumArtist]),
        album: first(&[ItemKey::AlbumTitle]),
    })
}

/// The first value in the text of a tag, without spaces around it. Values are separated by zero bytes.
fn first_value(text: &str) -> Option<String> {
    let is_noise = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    let value = text
        .split('\0')
        .map(|value| value.trim_matches(is_noise))
        .find(|value| !value.is_empty())?;
    // A line break in a name would break lists of names.
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    (value.chars().count() <= LONGEST).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_the_first_one_without_spaces_and_control_characters() {
        for (text, expected) in [
            ("  Sun Ra \r\n", Some("Sun Ra")),
            ("\0 \0Alice\0Bob", Some("Alice")),
            ("\u{feff}Bj\u{f6}rk\0\0", Some("Bj\u{f6}rk")),
            ("A\nB", Some("A B")),
            (" \0\t", None),
            ("", None),
        ] {
            assert_eq!(first_value(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(first_value(&"x".repeat(LONGEST + 1)), None);
    }
}
