//! Handwritten Matroska files with PCM.

use super::*;

/// An element with an eight-byte size field.
fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let id = &id[id.iter().position(|&byte| byte != 0).unwrap()..];
    [id, &(1u64 << 56 | content.len() as u64).to_be_bytes(), content].concat()
}

fn unknown_size(id: u32, content: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], b"\x01\xff\xff\xff\xff\xff\xff\xff", content].concat()
}

const RATE: f64 = 8000.0;
const SAMPLES_PER_BLOCK: usize = 400;

fn head() -> Vec<u8> {
    element(0x1a45_dfa3, &element(0x4282, b"matroska"))
}

/// Segment information with a duration in milliseconds.
fn info(duration: f64) -> Vec<u8> {
    element(0x1549_a966, &element(0x4489, &duration.to_be_bytes()))
}

fn audio_entry(more: &[u8]) -> Vec<u8> {
    let settings = [
        element(0xb5, &RATE.to_be_bytes()),
        element(0x9f, &[1]),
        element(0x6264, &[16]),
    ]
    .concat();
    let fields = [
        element(0xd7, &[2]),
        element(0x83, &[2]),
        element(0x86, b"A_PCM/INT/LIT"),
        element(0xe1, &settings),
        more.to_vec(),
    ];
    element(0xae, &fields.concat())
}

fn video_entry() -> Vec<u8> {
    element(
        0xae,
        &[element(0xd7, &[1]), element(0x83, &[1]), element(0x86, b"V_VP8")].concat(),
    )
}

fn tracks(entries: &[Vec<u8>]) -> Vec<u8> {
    element(0x1654_ae6b, &entries.concat())
}

fn simple_block(track: u8, body: &[u8]) -> Vec<u8> {
    element(0xa3, &[&[0x80 | track, 0, 0, 0x80], body].concat())
}

/// Clusters of 50 ms from `begin` on, in milliseconds, each with one block of samples that `pack` compresses.
fn clusters(samples: &[i16], begin: usize, pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let blocks = samples.chunks(SAMPLES_PER_BLOCK).enumerate();
    let cluster = |(number, block): (usize, &[i16])| {
        let time = (begin + 50 * number) as u32;
        let block = simple_block(2, &pack(&little_endian(block)));
        element(0x1f43_b675, &[element(0xe7, &time.to_be_bytes()), block].concat())
    };
    blocks.map(cluster).collect()
}

fn segment(parts: &[Vec<u8>]) -> Vec<u8> {
    [head(), element(0x1853_8067, &parts.concat())].concat()
}

/// 2.5 s of audio.
fn samples() -> Vec<i16> {
    ramp(20_000, 1)
}

fn plain_clusters() -> Vec<u8> {
    clusters(&samples(), 0, <[u8]>::to_vec).concat()
}

fn assert_complete(file: &[u8], what: &str) {
    let decoded = decode(file).unwrap_or_else(|rejection| panic!("{what}: {rejection}"));
    assert_eq!(
        (decoded.samples.len(), decoded.report.bad_frames),
        (20_000, 0),
        "{what}"
    );
    assert_close(&decoded.samples, &mean(&samples(), 1), ROUNDING);
}

fn message(file: &[u8]) -> String {
    let rejection = decode(file).unwrap_err();
    assert_eq!(rejection.code(), "unsupported_format", "{rejection}");
    rejection.to_string()
}

#[test]
fn file_from_ffmpeg_is_decoded_and_states_its_duration() {
    // `ffmpeg -f lavfi -i sine=frequency=440:duration=0.25:sample_rate=8000 -c:a pcm_s16le -bitexact`
    let whole = include_bytes!("../../../../../tests/golden/tone.mka");
    let decoded = decode(whole).unwrap();
    assert_eq!((decoded.samples.len(), decoded.report.bad_frames), (2000, 0));
    // The duration of 250 ms minus 1 %.
    assert_eq!(decoded.promised, Some(1980));
}

#[test]
fn irrelevant_elements_and_unknown_sizes_are_skipped() {
    let damaged_chapters = element(0x1043_a770, &element(0x45b9, &element(0xb6, &element(0x91, &[0; 9]))));
    let void = element(0xec, &[0x1f; 300]);
    let cues = element(0x1c53_bb6b, &[7; 40]);
    let parts = |clusters: Vec<u8>| {
        [
            info(2500.0),
            void.clone(),
            damaged_chapters.clone(),
            tracks(&[audio_entry(&[])]),
            clusters,
            cues.clone(),
        ]
    };
    assert_complete(&segment(&parts(plain_clusters())), "chapters");
    let live = clusters(&samples(), 0, <[u8]>::to_vec);
    let live: Vec<Vec<u8>> = live
        .iter()
        .map(|cluster| unknown_size(0x1f43_b675, &cluster[12..]))
        .collect();
    let parts = [tracks(&[audio_entry(&[])]), live.concat()];
    assert_complete(
        &[head(), unknown_size(0x1853_8067, &parts.concat())].concat(),
        "a live recording",
    );
}

#[test]
fn compressed_packets_are_decompressed_or_refused_by_name() {
    let encoding = |content: &[u8]| element(0x6d80, &element(0x6240, &element(0x5034, content)));
    let file = |encoding: &[u8], pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        let clusters = clusters(&samples(), 0, pack).concat();
        segment(&[info(2500.0), tracks(&[audio_entry(encoding)]), clusters])
    };
    let deflate = |block: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(block, 6);
    assert_complete(&file(&encoding(&element(0x4254, &[0])), &deflate), "zlib");
    assert_complete(&file(&encoding(b""), &deflate), "zlib by default");
    // Header stripping: the first two bytes of the first block are prepended to every block.
    let first = little_endian(&samples()[..1]);
    let stripped = [element(0x4254, &[3]), element(0x4255, &first)].concat();
    let decoded = decode(&file(&encoding(&stripped), &|block| block[2..].to_vec())).unwrap();
    let mut expected = samples();
    expected
        .iter_mut()
        .step_by(SAMPLES_PER_BLOCK)
        .for_each(|sample| *sample = -30_000);
    assert_close(&decoded.samples, &mean(&expected, 1), ROUNDING);
    for (algorithm, name) in [(1, "bzip2"), (2, "LZO")] {
        let file = file(&encoding(&element(0x4254, &[algorithm])), &<[u8]>::to_vec);
        assert!(message(&file).contains(name), "{}", message(&file));
    }
    let encrypted = element(0x6d80, &element(0x6240, &element(0x5033, &[1])));
    assert!(message(&file(&encrypted, &<[u8]>::to_vec)).contains("encrypted"));
    // A block that does not decompress is lost audio.
    let whole = file(&encoding(b""), &deflate);
    let half = whole.len() / 2;
    let broken = [&whole[..half], &[0xff; 30], &whole[half + 30..]].concat();
    let report = decode(&broken).unwrap().report;
    assert_eq!(report.bad_frames, SAMPLES_PER_BLOCK as u64);
}

#[test]
fn expected_length_ignores_video_and_start_time() {
    let longer = [
        info(9000.0),
        tracks(&[video_entry(), audio_entry(&[])]),
        plain_clusters(),
        element(0x1f43_b675, &simple_block(1, &[9; 50])),
    ];
    assert_complete(&segment(&longer), "a longer video");
    let later = clusters(&samples(), 600_000, <[u8]>::to_vec).concat();
    assert_complete(
        &segment(&[info(602_500.0), tracks(&[audio_entry(&[])]), later]),
        "a beginning at 600 s",
    );
    let shorter = segment(&[info(5000.0), tracks(&[audio_entry(&[])]), plain_clusters()]);
    let report = decode(&shorter).unwrap().report;
    assert_eq!(report.decoding.expected_frames, 39_600);
}

#[test]
fn truncated_file_is_detected_by_its_duration_or_size() {
    let alone = segment(&[info(2500.0), tracks(&[audio_entry(&[])]), plain_clusters()]);
    let with_video = segment(&[
        info(2500.0),
        tracks(&[video_entry(), audio_entry(&[])]),
        plain_clusters(),
    ]);
    for file in [alone, with_video] {
        let report = decode(&file[..file.len() * 6 / 10]).unwrap().report;
        let share = report.decoding.decoded_share;
        assert!((0.55..0.65).contains(&share), "{share}");
    }
}

#[test]
fn damaged_cluster_is_skipped_and_counted() {
    let mut file = segment(&[info(2500.0), tracks(&[audio_entry(&[])]), plain_clusters()]);
    let half = file.len() / 2;
    file[half..half + 2000].fill(0);
    let decoded = decode(&file).unwrap();
    assert!(
        (17_000..19_700).contains(&decoded.samples.len()),
        "{}",
        decoded.samples.len()
    );
    assert!(decoded.report.bad_frames > 0);
}

#[test]
fn unsupported_matroska_is_refused_by_name() {
    let with_codec = |codec: &[u8]| {
        let entry = element(
            0xae,
            &[element(0xd7, &[2]), element(0x83, &[2]), element(0x86, codec)].concat(),
        );
        segment(&[info(2500.0), tracks(&[entry]), plain_clusters()])
    };
    for (codec, name) in [
        (&b"A_OPUS"[..], "Opus"),
        (b"A_AC3", "AC-3"),
        (b"A_AAC/MPEG4/LC/SBR", "SBR"),
        (b"A_AAC/MPEG2/MAIN", "A_AAC/MPEG2/MAIN"),
        (b"A_MS/ACM", "A_MS/ACM"),
    ] {
        assert!(
            message(&with_codec(codec)).contains(name),
            "{}",
            message(&with_codec(codec))
        );
    }
    let silent = segment(&[info(2500.0), tracks(&[video_entry()]), plain_clusters()]);
    assert!(message(&silent).contains("no audio track"));
    let twice = segment(&[info(2500.0), tracks(&[audio_entry(&[])]), plain_clusters()]).repeat(2);
    assert!(message(&twice).contains("several files joined"));
}
