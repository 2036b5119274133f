//! Headers of WAV, AIFF and QuickTime files as pipes, sloppy programs and rare options write them.

use super::*;

/// The size that fits the content.
const HONEST: Option<u32> = None;

fn chunk(name: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
    [name.as_slice(), &size.to_le_bytes(), body].concat()
}

/// A file of this form and these chunks, with a size that fits or another.
fn form(name: &[u8; 4], size: Option<u32>, chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let size = size.unwrap_or(body.len() as u32 + 4);
    [name.as_slice(), &size.to_le_bytes(), b"WAVE", &body].concat()
}

fn fmt_body(tag: u16, channels: u16, block: u16, bits: u16) -> Vec<u8> {
    const RATE: u32 = 22_050;
    [
        &tag.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &RATE.to_le_bytes(),
        &(RATE * u32::from(block)).to_le_bytes(),
        &block.to_le_bytes(),
        &bits.to_le_bytes(),
    ]
    .concat()
}

fn fmt(tag: u16, channels: u16, block: u16, bits: u16) -> Vec<u8> {
    chunk(b"fmt ", 16, &fmt_body(tag, channels, block, bits))
}

fn extensible(tag: u16, block: u16, bits: u16, valid: u16) -> Vec<u8> {
    let mut body = fmt_body(0xfffe, 1, block, bits);
    body.extend(22u16.to_le_bytes());
    body.extend(valid.to_le_bytes());
    body.extend([4, 0, 0, 0]);
    body.extend(tag.to_le_bytes());
    body.extend(b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
    chunk(b"fmt ", 40, &body)
}

/// It decodes to exactly the samples of `ramp(frames, 1)`, and nothing is missing.
fn assert_whole(file: &[u8], frames: usize, what: &str) {
    let decoded = decode(file).unwrap_or_else(|rejection| panic!("{what}: {rejection}"));
    assert_eq!(decoded.samples, mean(&ramp(frames, 1), 1), "{what}");
    let decoding = decoded.report.decoding;
    assert_eq!((decoded.report.bad_frames, decoding.decoded_share), (0, 1.0), "{what}");
    assert_eq!((decoded.rate, decoded.channels), (22_050, 1), "{what}");
}

#[test]
fn wav_is_whole_whatever_sizes_a_pipe_wrote() {
    let data = little_endian(&ramp(5000, 1));
    for size in [0, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000, u32::MAX - 36, u32::MAX] {
        for riff in [HONEST, Some(0), Some(1), Some(0x7fff_f024), Some(u32::MAX)] {
            let file = form(b"RIFF", riff, &[fmt(1, 1, 2, 16), chunk(b"data", size, &data)]);
            assert_whole(&file, 5000, &format!("RIFF {riff:x?}, data {size:#x}"));
        }
    }
}

#[test]
fn a_riff_size_that_is_too_small_or_too_large_does_not_matter() {
    let data = little_endian(&ramp(5000, 1));
    for riff in [0, 4, 10_028, 10_035, 10_037, 10_044, 1 << 30] {
        let file = form(b"RIFF", Some(riff), &[fmt(1, 1, 2, 16), chunk(b"data", 10_000, &data)]);
        assert_whole(&file, 5000, &format!("{riff}"));
    }
}

#[test]
fn a_data_size_of_some_bytes_more_than_there_are_costs_some_frames() {
    let data = little_endian(&ramp(5000, 1));
    for (size, missing) in [(10_001, 0), (10_008, 4), (20_000, 5000)] {
        let file = form(b"RIFF", HONEST, &[fmt(1, 1, 2, 16), chunk(b"data", size, &data)]);
        assert_eq!(decode(&file).unwrap().report.bad_frames, missing);
    }
}

#[test]
fn chunks_around_the_samples_are_skipped_with_and_without_padding() {
    let data = chunk(b"data", 10_000, &little_endian(&ramp(5000, 1)));
    let format = fmt(1, 1, 2, 16);
    let odd = chunk(b"LIST", 15, b"INFOIART\x03\0\0\0abc");
    let padded = [odd.clone(), vec![0]].concat();
    let unknown = chunk(b"\xa9xyz", 6, b"\x12\x34\x56\x78\x9a\xbc");
    let behind = chunk(b"LIST", 300, &[0x55; 300]);
    for (what, chunks) in [
        ("odd, not padded", vec![format.clone(), odd.clone(), data.clone()]),
        ("odd, padded", vec![format.clone(), padded.clone(), data.clone()]),
        (
            "odd, before the format",
            vec![odd, format.clone(), padded, data.clone()],
        ),
        ("unknown", vec![unknown.clone(), format.clone(), unknown, data.clone()]),
        ("one behind", vec![format.clone(), data.clone(), behind.clone()]),
        (
            "nothing behind the name of one",
            vec![format.clone(), data.clone(), b"LIST".to_vec()],
        ),
        ("samples before the format", vec![data.clone(), format.clone()]),
        (
            "an empty data chunk first",
            vec![format.clone(), chunk(b"data", 0, b""), data.clone(), behind],
        ),
        ("an ID3v1 tag behind a pipe's samples", {
            let mut piped = data.clone();
            piped[4..8].fill(0xff);
            vec![format, piped, [b"TAG".as_slice(), &[b' '; 125]].concat()]
        }),
    ] {
        assert_whole(&form(b"RIFF", HONEST, &chunks), 5000, what);
    }
    // An odd number of bytes, and no padding at the end.
    let bytes: Vec<u8> = (0..=254).collect();
    let file = form(b"RIFF", HONEST, &[fmt(1, 1, 1, 8), chunk(b"data", 255, &bytes)]);
    assert_eq!(decode(&file).unwrap().samples.len(), 255);
}

#[test]
fn wav_of_64_bits_and_big_endian_wav_are_read() {
    let data = little_endian(&ramp(5000, 1));
    let ds64 = |size: u64| {
        let mut body = (size.wrapping_add(72)).to_le_bytes().to_vec();
        body.extend(size.to_le_bytes());
        body.extend([0; 12]);
        chunk(b"ds64", 28, &body)
    };
    for name in [b"RF64", b"BW64"] {
        for size in [10_000, 0, u64::MAX] {
            let chunks = [ds64(size), fmt(1, 1, 2, 16), chunk(b"data", u32::MAX, &data)];
            assert_whole(&form(name, Some(u32::MAX), &chunks), 5000, &format!("{size}"));
        }
        // It was cut short.
        let chunks = [ds64(20_000), fmt(1, 1, 2, 16), chunk(b"data", u32::MAX, &data)];
        let report = decode(&form(name, Some(u32::MAX), &chunks)).unwrap().report;
        assert_eq!(report.bad_frames, 5000);
    }
    let mut rifx = b"RIFX\0\0\x27\x34WAVEfmt \0\0\0\x10".to_vec();
    rifx.extend(b"\0\x01\0\x01\0\0\x56\x22\0\0\xac\x44\0\x02\0\x10data\0\0\x27\x10");
    rifx.extend(ramp(5000, 1).iter().flat_map(|sample| sample.to_be_bytes()));
    assert_whole(&rifx, 5000, "RIFX");
}

#[test]
fn wav_in_all_its_encodings_decodes_to_the_same_samples() {
    let samples = ramp(5000, 1);
    let wide = |bytes: usize| -> Vec<u8> {
        let stored = samples.iter().map(|&sample| (i32::from(sample) << 16).to_le_bytes());
        stored.flat_map(|stored| stored[4 - bytes..].to_vec()).collect()
    };
    let real = |sample: &i16| f64::from(*sample) / 32_768.0;
    let float: Vec<u8> = samples
        .iter()
        .flat_map(|sample| (real(sample) as f32).to_le_bytes())
        .collect();
    let double: Vec<u8> = samples.iter().flat_map(|sample| real(sample).to_le_bytes()).collect();
    for (what, format, data) in [
        ("16 bits", extensible(1, 2, 16, 16), wide(2)),
        ("24 bits", fmt(1, 1, 3, 24), wide(3)),
        ("20 bits in 3 bytes", fmt(1, 1, 3, 20), wide(3)),
        ("20 bits in 3 bytes, extensible", extensible(1, 3, 24, 20), wide(3)),
        ("24 bits in 4 bytes, extensible", extensible(1, 4, 32, 24), wide(4)),
        ("32 bits", fmt(1, 1, 4, 32), wide(4)),
        ("a block size of 0", fmt(1, 1, 0, 16), wide(2)),
        ("a block size that is wrong", fmt(1, 1, 4, 16), wide(2)),
        ("floats", fmt(3, 1, 4, 32), float.clone()),
        ("floats, extensible", extensible(3, 4, 32, 32), float),
        ("doubles", fmt(3, 1, 8, 64), double),
    ] {
        assert_whole(
            &form(b"RIFF", HONEST, &[format, chunk(b"data", data.len() as u32, &data)]),
            5000,
            what,
        );
    }
    let bytes = |tag| {
        let file = form(
            b"RIFF",
            HONEST,
            &[fmt(tag, 1, 1, 8), chunk(b"data", 4, &[0x00, 0x80, 0xd5, 0xff])],
        );
        decode(&file)
            .unwrap()
            .samples
            .iter()
            .map(|sample| (sample * 32_768.0) as i32)
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(1), [-32_768, 0, 85 * 256, 127 * 256]);
    assert_eq!(bytes(6), [-5504, 5504, 8, 848]);
    assert_eq!(bytes(7), [-32_124, 32_124, 716, 0]);
}

#[test]
fn wav_whose_samples_programs_read_in_different_ways_is_refused() {
    let data = chunk(b"data", 8000, &[0; 8000]);
    for format in [
        fmt(1, 1, 4, 24),
        fmt(1, 2, 8, 24),
        fmt(1, 1, 4, 20),
        extensible(1, 4, 24, 24),
    ] {
        let rejection = decode(&form(b"RIFF", HONEST, &[format, data.clone()])).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format");
        assert!(rejection.to_string().contains("bits in 4 bytes"), "{rejection}");
    }
    let gsm = decode(&form(b"RIFF", HONEST, &[fmt(0x31, 1, 65, 0), data.clone()])).unwrap_err();
    assert!(gsm.to_string().contains("format 0x0031"), "{gsm}");
    let no_format = decode(&form(b"RIFF", HONEST, &[data])).unwrap_err();
    assert!(no_format.to_string().contains("does not say how"), "{no_format}");
}

#[test]
fn compressed_wav_is_decoded_from_its_data_chunk_alone() {
    let seed = |name: &str| {
        fs::read(format!(
            "{}/../fuzz/seeds/decode_validate/{name}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap()
    };
    for name in ["adpcm_ms.wav", "adpcm_ima.wav"] {
        let whole = seed(name);
        let expected = decode(&whole).unwrap();
        assert!(expected.samples.len() > 500, "{name}");
        let mut piped = whole.clone();
        let at = whole.windows(4).position(|window| window == b"data").unwrap();
        piped[4..8].fill(0);
        piped[at + 4..at + 8].fill(0xff);
        // What is behind the data chunk.
        let size = u32::from_le_bytes(*whole[at + 4..].first_chunk().unwrap()) as usize;
        piped.truncate(at + 8 + size);
        assert_eq!(decode(&piped).unwrap().samples, expected.samples, "{name}");
    }
    let mp3 = seed("lame.mp3");
    let expected = decode(&mp3).unwrap();
    let odd = chunk(b"LIST", 15, b"INFOIART\x03\0\0\0abc");
    for tag in [0x50, 0x55] {
        let data = chunk(b"data", mp3.len() as u32, &mp3);
        // Another file's frames behind the data chunk.
        let behind = chunk(b"LIST", mp3.len() as u32, &mp3);
        let file = form(b"RIFF", HONEST, &[odd.clone(), fmt(tag, 1, 1, 0), data, behind]);
        let decoded = decode(&file).unwrap();
        assert_eq!(decoded.samples, expected.samples);
        assert_eq!(decoded.report, expected.report);
    }
}

fn chunk_be(name: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
    [name.as_slice(), &size.to_be_bytes(), body].concat()
}

fn comm(frames: u32, bits: u16, compression: Option<&[u8; 4]>) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(frames.to_be_bytes());
    body.extend(bits.to_be_bytes());
    body.extend(b"\x40\x0d\xac\x44\0\0\0\0\0\0");
    if let Some(name) = compression {
        body.extend(name);
        // The name in words, of an odd length.
        body.extend(b"\x05as is");
    }
    chunk_be(b"COMM", body.len() as u32, &body)
}

fn ssnd(size: Option<u32>, offset: u32, data: &[u8]) -> Vec<u8> {
    let mut body = offset.to_be_bytes().to_vec();
    body.extend([0; 4]);
    body.extend(vec![0x77; offset as usize]);
    body.extend(data);
    chunk_be(b"SSND", size.unwrap_or(body.len() as u32), &body)
}

fn aiff(kind: &[u8; 4], size: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"FORM".as_slice(), &size.to_be_bytes(), kind, &chunks.concat()].concat()
}

fn big_endian(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_be_bytes()).collect()
}

#[test]
fn aiff_is_whole_whatever_sizes_a_pipe_wrote() {
    let data = big_endian(&ramp(5000, 1));
    for (form, frames, size) in [
        (10_046, 5000, HONEST),
        // sox, ffmpeg, and the largest numbers.
        (0x7f00_0050, 0x3f80_0000, Some(0x7f00_0008)),
        (0, 0, Some(0)),
        (0, 0, Some(8)),
        (u32::MAX, u32::MAX, Some(u32::MAX)),
        // One of both says it.
        (0, 0, HONEST),
        (0, 5000, Some(0)),
        (10_046, 0x7fff_ffff, HONEST),
        (10_000, 5000, HONEST),
    ] {
        let file = aiff(b"AIFF", form, &[comm(frames, 16, None), ssnd(size, 0, &data)]);
        assert_whole(&file, 5000, &format!("{form:#x} {frames:#x} {size:x?}"));
    }
}

#[test]
fn aiff_chunks_are_found_in_any_order_and_with_an_offset() {
    let data = big_endian(&ramp(5000, 1));
    let (common, sound) = (comm(5000, 16, None), ssnd(HONEST, 0, &data));
    let odd = chunk_be(b"NAME", 3, b"abc");
    let padded = [odd.clone(), vec![0]].concat();
    for chunks in [
        vec![sound.clone(), common.clone()],
        vec![common.clone(), odd, sound.clone()],
        vec![padded.clone(), common.clone(), sound.clone(), padded],
        vec![common, ssnd(HONEST, 512, &data)],
    ] {
        assert_whole(&aiff(b"AIFF", 0, &chunks), 5000, "chunks");
    }
}

#[test]
fn aiff_in_all_its_encodings_decodes_to_the_same_samples() {
    let samples = ramp(5000, 1);
    let wide = |bytes: usize| -> Vec<u8> {
        let stored = samples.iter().map(|&sample| (i32::from(sample) << 16).to_be_bytes());
        stored.flat_map(|stored| stored[..bytes].to_vec()).collect()
    };
    let backwards = |bytes: usize| -> Vec<u8> {
        wide(bytes)
            .chunks(bytes)
            .flat_map(|sample| sample.iter().rev().copied())
            .collect()
    };
    let real = |sample: &i16| f64::from(*sample) / 32_768.0;
    let float = samples.iter().flat_map(|sample| (real(sample) as f32).to_be_bytes());
    let double = samples.iter().flat_map(|sample| real(sample).to_be_bytes());
    let float: Vec<u8> = float.collect();
    for (name, bits, data) in [
        (b"NONE", 16, wide(2)),
        (b"NONE", 24, wide(3)),
        (b"NONE", 20, wide(3)),
        (b"NONE", 32, wide(4)),
        (b"twos", 16, wide(2)),
        (b"sowt", 16, backwards(2)),
        (b"sowt", 24, backwards(3)),
        (b"in24", 24, wide(3)),
        (b"42ni", 24, backwards(3)),
        (b"in32", 32, wide(4)),
        (b"23ni", 32, backwards(4)),
        (b"fl32", 32, float.clone()),
        (b"FL32", 16, float),
        (b"fl64", 64, double.collect()),
    ] {
        let file = aiff(b"AIFC", 0, &[comm(5000, bits, Some(name)), ssnd(HONEST, 0, &data)]);
        assert_whole(&file, 5000, &format!("{} of {bits} bits", name.escape_ascii()));
    }
    let bytes = |name, bits| {
        let file = aiff(
            b"AIFC",
            0,
            &[comm(4, bits, Some(name)), ssnd(HONEST, 0, &[0x00, 0x80, 0xd5, 0xff])],
        );
        decode(&file)
            .unwrap()
            .samples
            .iter()
            .map(|sample| (sample * 32_768.0) as i32)
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(b"NONE", 8), [0, -32_768, -43 * 256, -256]);
    assert_eq!(bytes(b"raw ", 8), [-32_768, 0, 85 * 256, 127 * 256]);
    assert_eq!(bytes(b"alaw", 16), [-5504, 5504, 8, 848]);
    assert_eq!(bytes(b"ulaw", 8), [-32_124, 32_124, 716, 0]);
    let other = decode(&aiff(
        b"AIFC",
        0,
        &[comm(4, 4, Some(b"ima4")), ssnd(HONEST, 0, &[0; 34])],
    ))
    .unwrap_err();
    assert_eq!(other.code(), "unsupported_format");
    assert!(other.to_string().contains("`ima4`"), "{other}");
}

#[test]
fn a_truncated_aiff_file_reports_its_missing_frames() {
    let data = big_endian(&ramp(5000, 1));
    let whole = aiff(b"AIFF", 10_046, &[comm(5000, 16, None), ssnd(HONEST, 0, &data)]);
    let header = whole.len() - data.len();
    let report = decode(&whole[..header + 2501]).unwrap().report;
    assert_eq!((report.decoding.decoded_frames, report.bad_frames), (1250, 3750));
    for length in 12..=header {
        assert_eq!(code(&whole[..length]), "no_frames", "{length}");
    }
}

#[test]
fn uncompressed_quicktime_has_the_byte_order_that_it_says() {
    // `ffmpeg -i ramp.wav -bitexact -c:a pcm_s24be ramp.mov` and so on, of `ramp(200, 1)`.
    for (name, bytes) in [
        (
            "in24, little",
            &include_bytes!("../../../../../fuzz/seeds/decode_validate/in24_little_endian.mov")[..],
        ),
        (
            "in24",
            include_bytes!("../../../../../fuzz/seeds/decode_validate/in24_big_endian.mov"),
        ),
        (
            "in32",
            include_bytes!("../../../../../fuzz/seeds/decode_validate/in32_big_endian.mov"),
        ),
        (
            "fl32",
            include_bytes!("../../../../../fuzz/seeds/decode_validate/fl32_big_endian.mov"),
        ),
        (
            "fl64",
            include_bytes!("../../../../../fuzz/seeds/decode_validate/fl64_big_endian.mov"),
        ),
    ] {
        assert_whole(bytes, 200, name);
        // Tags in front: places are counted from the container's own beginning.
        let tagged = [b"ID3\x03\x00\x00\x00\x00\x00\x05hello", bytes].concat();
        if let Ok(decoded) = decode(&tagged) {
            assert_eq!(decoded.samples, mean(&ramp(200, 1), 1), "{name}");
        }
    }
}

#[test]
fn uncompressed_quicktime_that_would_decode_wrongly_is_refused() {
    let whole = include_bytes!("../../../../../fuzz/seeds/decode_validate/in24_big_endian.mov");
    let at = whole.windows(4).position(|window| window == b"in24").unwrap();
    let with = |place: usize, bytes: &[u8]| {
        let mut file = whole.to_vec();
        file[at + place..at + place + bytes.len()].copy_from_slice(bytes);
        decode(&file).unwrap_err()
    };
    // Places behind the name: 12 version, 20 channels.
    for (place, bytes, expected) in [
        (12, &[0, 2][..], "unusual version"),
        (20, &[0, 6], "6 channels"),
        (0, b"sowt", "24 bits in an unusual form"),
    ] {
        let rejection = if expected.contains("24 bits") {
            let mut file = whole.to_vec();
            file[at..at + 4].copy_from_slice(bytes);
            file[at + 22..at + 24].copy_from_slice(&[0, 24]);
            decode(&file).unwrap_err()
        } else {
            with(place, bytes)
        };
        assert_eq!(rejection.code(), "unsupported_format", "{rejection}");
        assert!(rejection.to_string().contains(expected), "{rejection}");
    }
}

fn caf(name: &[u8; 4], flags: u32, packet: u32, bits: u32, size: i64, data: &[u8]) -> Vec<u8> {
    let mut file = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
    file.extend(22_050f64.to_be_bytes());
    file.extend(name);
    file.extend([flags, packet, 1, 1, bits].map(u32::to_be_bytes).concat());
    file.extend(b"free\0\0\0\0\0\0\0\x05-----data");
    file.extend(size.to_be_bytes());
    file.extend([0; 4]);
    file.extend(data);
    file
}

#[test]
fn uncompressed_caf_is_read_dense_and_refused_with_gaps() {
    let samples = ramp(5000, 1);
    let (big, little) = (big_endian(&samples), little_endian(&samples));
    assert_whole(&caf(b"lpcm", 0, 2, 16, 10_004, &big), 5000, "big-endian");
    assert_whole(&caf(b"lpcm", 2, 2, 16, -1, &little), 5000, "little-endian, of a pipe");
    let float: Vec<u8> = samples
        .iter()
        .flat_map(|&sample| (f32::from(sample) / 32_768.0).to_be_bytes())
        .collect();
    assert_whole(&caf(b"lpcm", 1, 4, 32, 20_004, &float), 5000, "floats");
    let eight = decode(&caf(b"lpcm", 0, 1, 8, -1, &[0, 64, 0x80])).unwrap();
    assert_eq!(eight.samples, [0.0, 0.5, -1.0]);
    let cut = decode(&caf(b"lpcm", 0, 2, 16, 20_004, &big)).unwrap();
    assert_eq!(cut.report.bad_frames, 5000);
    let gaps = decode(&caf(b"lpcm", 0, 4, 24, 10_004, &big)).unwrap_err();
    assert!(gaps.to_string().contains("24 bits and 4 bytes"), "{gaps}");
    for length in 52..85 {
        assert_eq!(
            code(&caf(b"lpcm", 0, 2, 16, -1, &big)[..length]),
            "no_frames",
            "{length}"
        );
    }
}

#[test]
fn formats_that_cannot_be_decoded_are_named() {
    let ogg = |packet: &[u8]| [b"OggS\0\x02".as_slice(), &[0; 20], b"\x01\x13", packet, &[0; 300]].concat();
    for (bytes, expected) in [
        (ogg(b"OpusHead\x01\x02"), "Opus audio"),
        ([b"wvpk".as_slice(), &[0; 400]].concat(), "WavPack audio"),
        (
            [b"\x30\x26\xb2\x75\x8e\x66\xcf\x11".as_slice(), &[0; 400]].concat(),
            "Windows Media audio",
        ),
    ] {
        let rejection = decode(&bytes).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format", "{rejection}");
        assert!(rejection.to_string().contains(expected), "{rejection}");
    }
}

#[test]
fn channels_that_cancel_are_noticed_in_every_container() {
    let left = ramp(5000, 1);
    let interleave = |sign: i16| -> Vec<i16> { left.iter().flat_map(|&sample| [sample, sample * sign]).collect() };
    let cancels = |file: &[u8]| decode(file).unwrap().report.decoding.channels_cancel;
    for (sign, expected) in [(-1, true), (1, false)] {
        let samples = interleave(sign);
        assert_eq!(cancels(&whole_wav(1, 16, 2, &little_endian(&samples))), expected, "WAV");
        assert_eq!(cancels(&flac(&samples, 2)), expected, "FLAC");
    }
}
