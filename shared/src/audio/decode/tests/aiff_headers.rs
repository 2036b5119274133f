//! Unusual AIFF headers, as written to pipes, by inaccurate programs or with rare options.

use super::*;

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
        // The name of the compression in words, with an odd length.
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

#[test]
fn aiff_with_placeholder_sizes_is_decoded_completely() {
    let data = big_endian(&ramp(5000, 1));
    for (form, frames, size) in [
        (10_046, 5000, ACTUAL),
        // Sizes that sox and ffmpeg write, and the largest numbers.
        (0x7f00_0050, 0x3f80_0000, Some(0x7f00_0008)),
        (0, 0, Some(0)),
        (0, 0, Some(8)),
        (u32::MAX, u32::MAX, Some(u32::MAX)),
        // Only one of the two sizes is known.
        (0, 0, ACTUAL),
        (0, 5000, Some(0)),
        (10_046, 0x7fff_ffff, ACTUAL),
        (10_000, 5000, ACTUAL),
    ] {
        let file = aiff(b"AIFF", form, &[comm(frames, 16, None), ssnd(size, 0, &data)]);
        assert_complete(&file, 5000, &format!("{form:#x} {frames:#x} {size:x?}"));
    }
}

#[test]
fn aiff_chunks_are_found_in_any_order_and_with_a_sample_offset() {
    let data = big_endian(&ramp(5000, 1));
    let (common, sound) = (comm(5000, 16, None), ssnd(ACTUAL, 0, &data));
    let odd = chunk_be(b"NAME", 3, b"abc");
    let padded = [odd.clone(), vec![0]].concat();
    for chunks in [
        vec![sound.clone(), common.clone()],
        vec![common.clone(), odd, sound.clone()],
        vec![padded.clone(), common.clone(), sound.clone(), padded],
        vec![common, ssnd(ACTUAL, 512, &data)],
    ] {
        assert_complete(&aiff(b"AIFF", 0, &chunks), 5000, "chunks");
    }
}

#[test]
fn aiff_in_all_encodings_decodes_to_the_same_samples() {
    let samples = ramp(5000, 1);
    let wide = |bytes: usize| -> Vec<u8> {
        let stored = samples.iter().map(|&sample| (i32::from(sample) << 16).to_be_bytes());
        stored.flat_map(|stored| stored[..bytes].to_vec()).collect()
    };
    let little_endian = |bytes: usize| -> Vec<u8> {
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
        (b"sowt", 16, little_endian(2)),
        (b"sowt", 24, little_endian(3)),
        (b"in24", 24, wide(3)),
        (b"42ni", 24, little_endian(3)),
        (b"in32", 32, wide(4)),
        (b"23ni", 32, little_endian(4)),
        (b"fl32", 32, float.clone()),
        (b"FL32", 16, float),
        (b"fl64", 64, double.collect()),
    ] {
        let file = aiff(b"AIFC", 0, &[comm(5000, bits, Some(name)), ssnd(ACTUAL, 0, &data)]);
        assert_complete(&file, 5000, &format!("{} of {bits} bits", name.escape_ascii()));
    }
    let bytes = |name, bits| {
        let file = aiff(
            b"AIFC",
            0,
            &[comm(4, bits, Some(name)), ssnd(ACTUAL, 0, &[0x00, 0x80, 0xd5, 0xff])],
        );
        steps(&file)
    };
    assert_eq!(bytes(b"NONE", 8), [0, -32_768, -43 * 256, -256]);
    assert_eq!(bytes(b"raw ", 8), [-32_768, 0, 85 * 256, 127 * 256]);
    assert_eq!(bytes(b"alaw", 16), [-5504, 5504, 8, 848]);
    assert_eq!(bytes(b"ulaw", 8), [-32_124, 32_124, 716, 0]);
    let other = decode(&aiff(
        b"AIFC",
        0,
        &[comm(4, 4, Some(b"ima4")), ssnd(ACTUAL, 0, &[0; 34])],
    ))
    .unwrap_err();
    assert_eq!(other.code(), "unsupported_format");
    assert!(other.to_string().contains("`ima4`"), "{other}");
}

#[test]
fn truncated_aiff_file_reports_missing_frames() {
    let data = big_endian(&ramp(5000, 1));
    let whole = aiff(b"AIFF", 10_046, &[comm(5000, 16, None), ssnd(ACTUAL, 0, &data)]);
    let header = whole.len() - data.len();
    let report = decode(&whole[..header + 2501]).unwrap().report;
    assert_eq!((report.decoding.decoded_frames, report.bad_frames), (1250, 3750));
    for length in 12..=header {
        assert_eq!(code(&whole[..length]), "no_frames", "{length}");
    }
}
