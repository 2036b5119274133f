//! Uncompressed samples in QuickTime and CAF files, and unsupported formats.

use super::*;

#[test]
fn uncompressed_quicktime_is_decoded_in_its_stated_byte_order() {
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
        assert_complete(bytes, 200, name);
        // With a leading tag, positions are relative to the beginning of the container.
        let tagged = [b"ID3\x03\x00\x00\x00\x00\x00\x05hello", bytes].concat();
        if let Ok(decoded) = decode(&tagged) {
            assert_eq!(decoded.samples, mean(&ramp(200, 1), 1), "{name}");
        }
    }
}

#[test]
fn uncompressed_quicktime_that_symphonia_misreads_is_refused() {
    let whole = include_bytes!("../../../../../fuzz/seeds/decode_validate/in24_big_endian.mov");
    let at = whole.windows(4).position(|window| window == b"in24").unwrap();
    let with = |place: usize, bytes: &[u8]| {
        let mut file = whole.to_vec();
        file[at + place..at + place + bytes.len()].copy_from_slice(bytes);
        decode(&file).unwrap_err()
    };
    // Offsets from the name: 12 is the version, 20 the number of channels.
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
fn uncompressed_caf_is_decoded_unless_samples_have_gaps() {
    let samples = ramp(5000, 1);
    let (big, little) = (big_endian(&samples), little_endian(&samples));
    assert_complete(&caf(b"lpcm", 0, 2, 16, 10_004, &big), 5000, "big-endian");
    assert_complete(&caf(b"lpcm", 2, 2, 16, -1, &little), 5000, "little-endian, of a pipe");
    let float: Vec<u8> = samples
        .iter()
        .flat_map(|&sample| (f32::from(sample) / 32_768.0).to_be_bytes())
        .collect();
    assert_complete(&caf(b"lpcm", 1, 4, 32, 20_004, &float), 5000, "floats");
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
fn unsupported_formats_are_refused_by_name() {
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
fn cancelling_channels_are_detected_in_wav_and_flac() {
    let left = ramp(5000, 1);
    let interleave = |sign: i16| -> Vec<i16> { left.iter().flat_map(|&sample| [sample, sample * sign]).collect() };
    let cancels = |file: &[u8]| decode(file).unwrap().report.decoding.channels_cancel;
    for (sign, expected) in [(-1, true), (1, false)] {
        let samples = interleave(sign);
        assert_eq!(cancels(&whole_wav(1, 16, 2, &little_endian(&samples))), expected, "WAV");
        assert_eq!(cancels(&flac(&samples, 2)), expected, "FLAC");
    }
}
