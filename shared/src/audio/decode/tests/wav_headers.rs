//! Unusual WAV headers, as written to pipes, by inaccurate programs or with rare options.

use super::*;

fn chunk(name: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
    [name.as_slice(), &size.to_le_bytes(), body].concat()
}

/// A file with these chunks. `size` defaults to the correct size.
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

#[test]
fn wav_with_placeholder_sizes_is_decoded_completely() {
    let data = little_endian(&ramp(5000, 1));
    for size in [0, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000, u32::MAX - 36, u32::MAX] {
        for riff in [ACTUAL, Some(0), Some(1), Some(0x7fff_f024), Some(u32::MAX)] {
            let file = form(b"RIFF", riff, &[fmt(1, 1, 2, 16), chunk(b"data", size, &data)]);
            assert_complete(&file, 5000, &format!("RIFF {riff:x?}, data {size:#x}"));
        }
    }
}

#[test]
fn wrong_riff_size_is_ignored() {
    let data = little_endian(&ramp(5000, 1));
    for riff in [0, 4, 10_028, 10_035, 10_037, 10_044, 1 << 30] {
        let file = form(b"RIFF", Some(riff), &[fmt(1, 1, 2, 16), chunk(b"data", 10_000, &data)]);
        assert_complete(&file, 5000, &format!("{riff}"));
    }
}

#[test]
fn too_large_data_size_counts_as_missing_frames() {
    let data = little_endian(&ramp(5000, 1));
    for (size, missing) in [(10_001, 0), (10_008, 4), (20_000, 5000)] {
        let file = form(b"RIFF", ACTUAL, &[fmt(1, 1, 2, 16), chunk(b"data", size, &data)]);
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
    let trailing = chunk(b"LIST", 300, &[0x55; 300]);
    for (what, chunks) in [
        ("odd, not padded", vec![format.clone(), odd.clone(), data.clone()]),
        ("odd, padded", vec![format.clone(), padded.clone(), data.clone()]),
        (
            "odd, before the format",
            vec![odd, format.clone(), padded, data.clone()],
        ),
        ("unknown", vec![unknown.clone(), format.clone(), unknown, data.clone()]),
        ("trailing chunk", vec![format.clone(), data.clone(), trailing.clone()]),
        (
            "trailing chunk cut off after its name",
            vec![format.clone(), data.clone(), b"LIST".to_vec()],
        ),
        ("samples before the format", vec![data.clone(), format.clone()]),
        (
            "an empty data chunk first",
            vec![format.clone(), chunk(b"data", 0, b""), data.clone(), trailing],
        ),
        ("ID3v1 tag after samples of unknown size", {
            let mut piped = data.clone();
            piped[4..8].fill(0xff);
            vec![format, piped, [b"TAG".as_slice(), &[b' '; 125]].concat()]
        }),
    ] {
        assert_complete(&form(b"RIFF", ACTUAL, &chunks), 5000, what);
    }
    // An odd number of bytes without padding at the end.
    let bytes: Vec<u8> = (0..=254).collect();
    let file = form(b"RIFF", ACTUAL, &[fmt(1, 1, 1, 8), chunk(b"data", 255, &bytes)]);
    assert_eq!(decode(&file).unwrap().samples.len(), 255);
}

#[test]
fn rf64_bw64_and_rifx_are_decoded() {
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
            assert_complete(&form(name, Some(u32::MAX), &chunks), 5000, &format!("{size}"));
        }
        // A truncated file.
        let chunks = [ds64(20_000), fmt(1, 1, 2, 16), chunk(b"data", u32::MAX, &data)];
        let report = decode(&form(name, Some(u32::MAX), &chunks)).unwrap().report;
        assert_eq!(report.bad_frames, 5000);
    }
    let mut rifx = b"RIFX\0\0\x27\x34WAVEfmt \0\0\0\x10".to_vec();
    rifx.extend(b"\0\x01\0\x01\0\0\x56\x22\0\0\xac\x44\0\x02\0\x10data\0\0\x27\x10");
    rifx.extend(ramp(5000, 1).iter().flat_map(|sample| sample.to_be_bytes()));
    assert_complete(&rifx, 5000, "RIFX");
}

#[test]
fn wav_in_all_encodings_decodes_to_the_same_samples() {
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
        assert_complete(
            &form(b"RIFF", ACTUAL, &[format, chunk(b"data", data.len() as u32, &data)]),
            5000,
            what,
        );
    }
    let bytes = |tag| {
        let file = form(
            b"RIFF",
            ACTUAL,
            &[fmt(tag, 1, 1, 8), chunk(b"data", 4, &[0x00, 0x80, 0xd5, 0xff])],
        );
        steps(&file)
    };
    assert_eq!(bytes(1), [-32_768, 0, 85 * 256, 127 * 256]);
    assert_eq!(bytes(6), [-5504, 5504, 8, 848]);
    assert_eq!(bytes(7), [-32_124, 32_124, 716, 0]);
}

#[test]
fn wav_with_ambiguous_or_unknown_format_is_refused() {
    let data = chunk(b"data", 8000, &[0; 8000]);
    for format in [
        fmt(1, 1, 4, 24),
        fmt(1, 2, 8, 24),
        fmt(1, 1, 4, 20),
        extensible(1, 4, 24, 24),
    ] {
        let rejection = decode(&form(b"RIFF", ACTUAL, &[format, data.clone()])).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format");
        assert!(rejection.to_string().contains("bits in 4 bytes"), "{rejection}");
    }
    let gsm = decode(&form(b"RIFF", ACTUAL, &[fmt(0x31, 1, 65, 0), data.clone()])).unwrap_err();
    assert!(gsm.to_string().contains("format 0x0031"), "{gsm}");
    let no_format = decode(&form(b"RIFF", ACTUAL, &[data])).unwrap_err();
    assert!(no_format.to_string().contains("does not say how"), "{no_format}");
}

#[test]
fn compressed_wav_is_decoded_only_from_its_data_chunk() {
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
        // Removes the chunks after the data chunk.
        let size = u32::from_le_bytes(*whole[at + 4..].first_chunk().unwrap()) as usize;
        piped.truncate(at + 8 + size);
        assert_eq!(decode(&piped).unwrap().samples, expected.samples, "{name}");
    }
    let mp3 = seed("lame.mp3");
    let expected = decode(&mp3).unwrap();
    let odd = chunk(b"LIST", 15, b"INFOIART\x03\0\0\0abc");
    for tag in [0x50, 0x55] {
        let data = chunk(b"data", mp3.len() as u32, &mp3);
        // The frames of another file after the data chunk.
        let trailing = chunk(b"LIST", mp3.len() as u32, &mp3);
        let file = form(b"RIFF", ACTUAL, &[odd.clone(), fmt(tag, 1, 1, 0), data, trailing]);
        let decoded = decode(&file).unwrap();
        assert_eq!(decoded.samples, expected.samples);
        assert_eq!(decoded.report, expected.report);
    }
}
