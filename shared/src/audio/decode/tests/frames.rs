//! MPEG audio and ADTS frames with tags, pictures, zeros and damage before, between and after them.

use super::tag_bytes::{ape, id3v1};
use super::*;
use std::path::Path;

/// A silent frame: MPEG 1 layer 3, 44,100 Hz, 128 kbit/s.
fn frame(channels: u8) -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x90, if channels == 1 { 0xc4 } else { 0x64 }];
    frame.resize(417, 0);
    frame
}

fn frames(count: usize) -> Vec<u8> {
    frame(2).repeat(count)
}

/// The first frame that LAME writes: the number of frames, and delay and padding if there are any.
fn info(frames: u32, delay: u32, padding: u32) -> Vec<u8> {
    let mut info = frame(2);
    info[36..40].copy_from_slice(b"Info");
    info[43] = 1;
    info[44..48].copy_from_slice(&frames.to_be_bytes());
    if delay + padding > 0 {
        info[48..52].copy_from_slice(b"Lavc");
        info[69..72].copy_from_slice(&(delay << 12 | padding).to_be_bytes()[1..]);
    }
    info
}

/// An ID3v2 tag that states a size of `stated` bytes.
fn id3v2(content: &[u8], stated: usize) -> Vec<u8> {
    let size = [21, 14, 7, 0].map(|shift| (stated >> shift & 0x7f) as u8);
    [b"ID3\x03\0\0", &size[..], content].concat()
}

/// A JPEG picture.
fn jpeg() -> Vec<u8> {
    [
        b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xda\x00\x02".as_slice(),
        &[0x35; 5000],
        b"\xff\xd9",
    ]
    .concat()
}

/// Tags and pictures that may be anywhere in a file.
fn foreign() -> Vec<(&'static str, Vec<u8>)> {
    let text = [b"TIT2\0\0\x01\xf4\0\0".as_slice(), &[b'x'; 500]].concat();
    let apic = [b"APIC\0\0\x13\x9e\0\0\0image/jpeg\0\x03\0".as_slice(), &jpeg()].concat();
    vec![
        ("nothing", Vec::new()),
        ("ID3v2", id3v2(&text, text.len())),
        (
            "ID3v2 with padding",
            id3v2(&[&text[..], &[0; 900]].concat(), text.len() + 900),
        ),
        ("ID3v2 longer than its stated size", id3v2(&apic, 40)),
        ("ID3v2 shorter than its stated size", id3v2(&text, text.len() + 2000)),
        ("ID3v2 longer than any file", id3v2(&text, 200_000_000)),
        ("a picture", jpeg()),
        ("APEv2", ape(2000, true)),
        ("APEv1 and ID3v1", [ape(2000, false), id3v1()].concat()),
        (
            "the enhanced form of ID3v1",
            [b"TAG+".to_vec(), vec![0; 223], id3v1()].concat(),
        ),
        (
            "Lyrics3v1",
            [b"LYRICSBEGIN", &b"la ".repeat(700)[..], b"LYRICSEND", &id3v1()].concat(),
        ),
    ]
}

/// Decoded samples and bad frames.
fn decoded_and_bad(file: &[u8], what: &str) -> (usize, u64) {
    let decoded = decode(file).unwrap_or_else(|rejection| panic!("{what}: {rejection}"));
    (decoded.samples.len(), decoded.report.bad_frames)
}

#[test]
fn tags_and_pictures_do_not_count_as_lost_audio() {
    for (what, tag) in foreign() {
        let complete = (20 * 1152, 0);
        assert_eq!(
            decoded_and_bad(&[&tag, &frames(20)[..]].concat(), what),
            complete,
            "{what} before"
        );
        assert_eq!(
            decoded_and_bad(&[&frames(20)[..], &tag].concat(), what),
            complete,
            "{what} after"
        );
        let between = [&frames(8)[..], &tag, &frames(12)].concat();
        assert_eq!(decoded_and_bad(&between, what), complete, "{what} between");
        let promised = [&tag, &info(20, 0, 0)[..], &frames(20), &tag].concat();
        assert_eq!(
            decoded_and_bad(&promised, what),
            complete,
            "{what} before and after a file with a frame count"
        );
    }
}

#[test]
fn zeros_are_padding_at_the_ends_and_damage_inside() {
    let zeros = [0; 4170];
    for file in [
        [&zeros[..], &frames(20)].concat(),
        [&frames(20)[..], &zeros].concat(),
        [&frames(20)[..], &zeros, &id3v1()].concat(),
        [&zeros[..], &info(20, 0, 0), &frames(20), &zeros].concat(),
    ] {
        assert_eq!(decoded_and_bad(&file, "zeros"), (20 * 1152, 0));
    }
    let inside = [&frames(10)[..], &zeros, &frames(10)].concat();
    assert_eq!(decoded_and_bad(&inside, "zeros"), (20 * 1152, 10));
}

#[test]
fn damage_next_to_tags_counts_as_lost_audio() {
    let noise: Vec<u8> = (0..10 * 417).map(|at| (at * 7 % 251) as u8 & 0x7f | 1).collect();
    for (what, tag) in foreign() {
        let file = [&tag, &frames(10)[..], &noise, &frames(20), &tag].concat();
        assert_eq!(decoded_and_bad(&file, what), (30 * 1152, 10), "{what}");
        let at_the_end = [&frames(30)[..], &noise, &tag].concat();
        assert_eq!(decoded_and_bad(&at_the_end, what), (30 * 1152, 10), "{what}");
    }
}

#[test]
fn each_joined_file_counts_its_own_frames() {
    // The file header of a later piece is a silent frame. Players play it and the padding before it.
    let joined = [info(10, 576, 1105), frames(10), info(20, 576, 1105), frames(20)].concat();
    let first = 10 * 1152 - (576 + 529);
    assert_eq!(decoded_and_bad(&joined, "joined"), (first + 21 * 1152, 0));
    let with_tags = [
        info(10, 0, 0),
        frames(10),
        id3v1(),
        id3v2(b"x", 1),
        info(20, 0, 0),
        frames(20),
    ]
    .concat();
    assert_eq!(decoded_and_bad(&with_tags, "joined with tags"), (31 * 1152, 0));
    let first_was_cut = [info(40, 0, 0), frames(10), info(20, 0, 0), frames(20)].concat();
    assert_eq!(decoded_and_bad(&first_was_cut, "joined after a cut"), (31 * 1152, 30));
}

#[test]
fn first_header_may_count_the_frames_of_all_joined_files() {
    let file = [info(1000, 0, 0), frames(600), info(400, 0, 0), frames(400)].concat();
    assert_eq!(decoded_and_bad(&file, "counted together"), (1001 * 1152, 0));
}

#[test]
fn channels_may_change_but_the_sample_rate_may_not() {
    let file = [frame(1).repeat(10), frames(10), frame(1).repeat(10)].concat();
    assert_eq!(decoded_and_bad(&file, "channels"), (30 * 1152, 0));
    // 417 bytes at 44,100 Hz, 384 at 48,000 Hz.
    let mut faster = frame(2);
    faster[2] = 0x94;
    faster.truncate(384);
    let rejection = decode(&[frames(10), faster.repeat(10)].concat()).unwrap_err();
    assert_eq!(rejection.code(), "unsupported_format");
    let message = rejection.to_string();
    assert!(message.contains("44100 Hz to 48000 Hz at byte 4170"), "{message}");
    // A frame header without a matching frame after it is damage.
    let lone = [&frames(10)[..], &faster, &frames(10)].concat();
    assert_eq!(decoded_and_bad(&lone, "a lone frame of another rate"), (20 * 1152, 0));
}

#[test]
fn layers_1_and_2_are_decoded() {
    // Silent frames of layer 1 at 384 kbit/s and layer 2 at 192 kbit/s: no bits are allocated to any band.
    for (header, length, samples) in [
        ([0xff, 0xff, 0xc0, 0x04], 416, 384),
        ([0xff, 0xfd, 0xa0, 0x04], 626, 1152),
    ] {
        let mut frame = header.to_vec();
        frame.resize(length, 0);
        let decoded = decode(&frame.repeat(9)).unwrap();
        assert_eq!((decoded.samples.len(), decoded.report.bad_frames), (9 * samples, 0));
        assert_eq!((decoded.rate, decoded.channels), (44_100, 2));
    }
}

#[test]
fn free_bit_rate_is_refused_by_name() {
    let mut frame = vec![0xff, 0xfb, 0x00, 0x64];
    frame.resize(960, 0x11);
    for file in [
        frame.repeat(5),
        [id3v2(b"x", 1), frame.repeat(5)].concat(),
        [&frame[100..], &frame.repeat(5)].concat(),
    ] {
        let rejection = decode(&file).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format");
        assert!(rejection.to_string().contains("free bit rate"), "{rejection}");
    }
}

#[test]
fn stated_delay_and_padding_are_trimmed() {
    // Encoders write 576 and 1105. The decoder delay of 529 is added to the delay and subtracted from the padding.
    let file = [info(10, 576, 1105), frames(10)].concat();
    let outcome = decode(&file).unwrap();
    assert_eq!(outcome.samples.len(), 10 * 1152 - (576 + 529) - (1105 - 529));
    assert_eq!(outcome.report.bad_frames, 0);
    assert_eq!(outcome.report.decoding.decoded_share, 1.0);
    assert_eq!(decode(&frames(10)).unwrap().samples.len(), 10 * 1152);
}

#[test]
fn padding_is_kept_if_the_number_of_frames_differs_from_the_header() {
    for promised in [5, 20] {
        let file = [info(promised, 576, 1105), frames(10)].concat();
        assert_eq!(decode(&file).unwrap().samples.len(), 10 * 1152 - 1105, "{promised}");
    }
}

#[test]
fn decoded_share_is_relative_to_the_frames_in_the_header() {
    let file = [info(40, 0, 0), frames(10)].concat();
    let report = decode(&file).unwrap().report;
    assert_eq!(
        (report.decoding.expected_frames, report.decoding.decoded_share),
        (40, 0.25)
    );
    assert_eq!(report.bad_frames, 30);
}

#[test]
fn decoded_share_is_estimated_from_the_size_without_a_header() {
    let noise: Vec<u8> = (0..10 * 417).map(|at| (at * 7 % 251) as u8 & 0x7f | 1).collect();
    let file = [frames(10), noise, frames(20)].concat();
    let report = decode(&file).unwrap().report;
    assert_eq!(
        (report.decoding.decoded_frames, report.decoding.expected_frames),
        (30, 40)
    );
    assert_eq!(report.bad_frames, 10);
}

#[test]
fn damaged_frame_is_counted_and_skipped() {
    let mut file = [info(20, 0, 529), frames(20)].concat();
    // Sets the number of big values in the side information of one frame to an invalid value.
    file[417 * 10 + 4..417 * 10 + 36].fill(0xff);
    let outcome = decode(&file).unwrap();
    assert_eq!(outcome.report.bad_frames, 1);
    assert_eq!(outcome.samples.len(), 19 * 1152 - 529);
}

#[test]
fn junk_and_tags_around_the_frames_are_ignored() {
    let mut tag = b"ID3\x03\x00\x00\x00\x00\x01\x00".to_vec();
    tag.resize(138, 0);
    let page = b"<html>moved</html>\n".repeat(3);
    let mut trailer = b"TAG".to_vec();
    trailer.resize(128, b' ');
    let file = [&tag, &page, &frames(50), &trailer]
        .map(|part| part.as_slice())
        .concat();
    let outcome = decode(&file).unwrap();
    assert_eq!((outcome.samples.len(), outcome.report.bad_frames), (50 * 1152, 0));
}

#[test]
fn undecodable_files_get_the_right_rejection_code() {
    assert_eq!(code(b""), "empty_file");
    assert_eq!(code(&b"<html>404</html>\n".repeat(100)), "not_audio");
    assert_eq!(code(&[7, 190, 3, 0].repeat(1000)), "no_frames");
    assert_eq!(code(b"ID3\x03\x00\x00\x00\x00\x00\x00"), "no_frames");
    let missing = open(Path::new("absent.mp3"), &Arc::default()).map(|_| ()).unwrap_err();
    assert_eq!(missing, Rejection::MissingFile);
    let directory = tempfile::tempdir().unwrap();
    let unreadable = open(directory.path(), &Arc::default()).map(|_| ()).unwrap_err();
    assert_eq!(unreadable.code(), "io_error");
}

#[test]
fn huge_frame_count_in_a_header_does_not_reserve_memory() {
    let file = [info(u32::MAX, 0, 0), frames(10)].concat();
    assert!(decode(&file).unwrap().promised.unwrap() < 1_000_000);
}

/// A tone of 0.1 s.
const ADTS: &[u8] = include_bytes!("../../../../../fuzz/seeds/decode_validate/adts.aac");

fn adts_length(file: &[u8]) -> usize {
    usize::from(file[3] & 3) << 11 | usize::from(file[4]) << 3 | usize::from(file[5]) >> 5
}

#[test]
fn adts_may_begin_inside_a_frame_and_have_tags() {
    let whole = decode(ADTS).unwrap();
    assert_eq!((whole.report.bad_frames, whole.rate, whole.channels), (0, 8000, 1));
    let second = adts_length(ADTS);
    let rest = decode(&ADTS[second..]).unwrap();
    assert_eq!(rest.samples.len(), whole.samples.len() - 1024);
    for cut in [1, 5, second / 2, second - 1] {
        let decoded = decode(&ADTS[cut..]).unwrap();
        assert_eq!(
            (decoded.samples, decoded.report.bad_frames),
            (rest.samples.clone(), 0),
            "{cut}"
        );
    }
    for (what, tag) in foreign() {
        let decoded = decode(&[&tag, ADTS, &tag].concat()).unwrap_or_else(|rejection| panic!("{what}: {rejection}"));
        assert_eq!(
            (decoded.samples, decoded.report.bad_frames),
            (whole.samples.clone(), 0),
            "{what}"
        );
    }
}

#[test]
fn damage_in_adts_counts_as_lost_audio() {
    let long = ADTS.repeat(20);
    let whole = decode(&long).unwrap();
    let noise: Vec<u8> = (0..ADTS.len()).map(|at| (at * 7 % 251) as u8 & 0x7f | 1).collect();
    let damaged = [&long[..], &noise, &long].concat();
    let decoded = decode(&damaged).unwrap();
    assert_eq!(decoded.samples.len(), 2 * whole.samples.len());
    let lost = whole.samples.len() as u64 / 20;
    assert!(
        decoded.report.bad_frames.abs_diff(lost) <= 1024,
        "{:?} {lost}",
        decoded.report
    );
}

#[test]
fn unsupported_adts_is_refused_by_name() {
    let message = |file: &[u8]| {
        let rejection = decode(file).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format", "{rejection}");
        rejection.to_string()
    };
    let with = |change: fn(&mut [u8])| {
        let mut file = ADTS.to_vec();
        let mut at = 0;
        while at < file.len() {
            let length = adts_length(&file[at..]);
            change(&mut file[at..]);
            at += length;
        }
        file
    };
    assert!(message(&with(|frame| frame[2] &= 0x3f)).contains("Main"));
    assert!(message(&with(|frame| frame[6] |= 1)).contains("several packets per frame"));
    assert!(
        message(&with(
            |frame| (frame[2], frame[3]) = (frame[2] | 1, frame[3] & 0x3f | 0x80)
        ))
        .contains("6 channels")
    );
    assert!(message(&with_sbr(ADTS)).contains("SBR"));
}

/// Adds a fill element with SBR at the end of each packet.
fn with_sbr(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = file;
    let mut number = 0;
    while rest.len() > 7 {
        let (frame, after) = rest.split_at(adts_length(rest));
        rest = after;
        let mut bits: Vec<bool> = frame[7..]
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
            .collect();
        // The last three set bits are the end element; zeros pad it to a full byte.
        bits.truncate(bits.iter().rposition(|&bit| bit).unwrap() - 2);
        number += 1;
        let content = [0xd0 | number, 0x5a, number, 0x13, 0x37];
        let push = |bits: &mut Vec<bool>, value: u8, count: usize| {
            bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1))
        };
        push(&mut bits, 6, 3);
        push(&mut bits, content.len() as u8, 4);
        content.iter().for_each(|&byte| push(&mut bits, byte, 8));
        push(&mut bits, 7, 3);
        let packet: Vec<u8> = bits
            .chunks(8)
            .map(|bits| {
                bits.iter()
                    .enumerate()
                    .fold(0, |sum, (at, &bit)| sum | u8::from(bit) << (7 - at))
            })
            .collect();
        let length = packet.len() + 7;
        let mut header = frame[..7].to_vec();
        header[3] = header[3] & 0xfc | (length >> 11) as u8;
        header[4] = (length >> 3) as u8;
        header[5] = header[5] & 0x1f | (length << 5) as u8;
        out.extend(header);
        out.extend(packet);
    }
    out
}
