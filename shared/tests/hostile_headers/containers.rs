//! Hostile WAV, AIFF, CAF, FLAC, Ogg, Sun audio and MP3 files, and tags.

/// The name and bytes of a file.
pub type File = (String, Vec<u8>);

pub fn files() -> Vec<File> {
    [wav(), aiff(), caf(), flac(), ogg(), sun_audio(), mp3(), tags()].concat()
}

fn named(format: &str, what: &str, bytes: Vec<u8>) -> File {
    (format!("{format}: {what}"), bytes)
}

fn chunk_le(id: &[u8; 4], stated: u32, body: &[u8]) -> Vec<u8> {
    [id.as_slice(), &stated.to_le_bytes(), body].concat()
}

/// The body of `fmt `: format, channels, rate, block, bits.
fn fmt(format: u16, channels: u16, rate: u32, block: u16, bits: u16) -> Vec<u8> {
    let mut body = [format, channels].map(u16::to_le_bytes).concat();
    body.extend(rate.to_le_bytes());
    body.extend(rate.wrapping_mul(block.into()).to_le_bytes());
    body.extend([block, bits].map(u16::to_le_bytes).concat());
    body
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    [b"RIFF", u32::MAX.to_le_bytes().as_slice(), b"WAVE", &body].concat()
}

fn wav() -> Vec<File> {
    let data = |stated| chunk_le(b"data", stated, &[7; 1000]);
    let build = |format: Vec<u8>, stated: u32| riff(&[chunk_le(b"fmt ", format.len() as u32, &format), data(stated)]);
    let mut adpcm = fmt(2, 2, 44_100, u16::MAX, 4);
    adpcm.extend([32u16, u16::MAX, 7].map(u16::to_le_bytes).concat());
    adpcm.extend([0xff; 28]);
    let mut ima = fmt(0x11, 2, 44_100, u16::MAX, 4);
    ima.extend([2u16, u16::MAX].map(u16::to_le_bytes).concat());
    let mut extensible = fmt(0xfffe, 255, 44_100, 510, 16);
    extensible.extend([22u16, 16].map(u16::to_le_bytes).concat());
    extensible.extend(u32::MAX.to_le_bytes());
    extensible.extend(b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71");
    let plain = chunk_le(b"fmt ", 16, &fmt(1, 1, 8000, 2, 16));
    [
        ("a valid file", build(fmt(1, 2, 8000, 4, 16), 1000)),
        ("0 Hz", build(fmt(1, 2, 0, 4, 16), 1000)),
        ("4 GHz", build(fmt(1, 2, u32::MAX, 4, 16), 1000)),
        (
            "just below 192 kHz, the maximum",
            build(fmt(1, 1, 191_999, 2, 16), 1000),
        ),
        ("0 channels", build(fmt(1, 0, 44_100, 4, 16), 1000)),
        ("255 channels", build(fmt(1, 255, 44_100, 510, 16), 1000)),
        ("65535 channels", build(fmt(1, u16::MAX, 44_100, u16::MAX, 16), 1000)),
        ("255 channels, extensible", build(extensible, 1000)),
        ("a block of 0 bytes", build(fmt(1, 2, 44_100, 0, 16), 1000)),
        ("a block of 65535 bytes", build(fmt(1, 2, 44_100, u16::MAX, 16), 1000)),
        ("65535 bits", build(fmt(1, 2, 44_100, 4, u16::MAX), 1000)),
        ("0 bits", build(fmt(1, 2, 44_100, 4, 0), 1000)),
        ("13 hours", build(fmt(1, 1, 44_100, 2, 16), u32::MAX - 1)),
        ("2^31 bytes of floats", build(fmt(3, 8, 192_000, 32, 32), 1 << 31)),
        ("ADPCM in one block", build(adpcm, u32::MAX)),
        ("IMA ADPCM in one block", build(ima, u32::MAX)),
        (
            "a format of 2^32 bytes",
            riff(&[chunk_le(b"fmt ", u32::MAX, &fmt(1, 1, 8000, 2, 16)), data(1000)]),
        ),
        (
            "a list of 2^32 bytes",
            riff(&[
                plain.clone(),
                chunk_le(b"LIST", u32::MAX, b"INFOINAM\xff\xff\xff\xffx"),
                data(9),
            ]),
        ),
        (
            "a count of 2^32 samples",
            riff(&[plain.clone(), chunk_le(b"fact", 4, &[0xff; 4]), data(1000)]),
        ),
        (
            "an ID3 chunk of 2^31 bytes",
            riff(&[
                plain,
                chunk_le(b"id3 ", 1 << 31, b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f"),
                data(9),
            ]),
        ),
    ]
    .map(|(what, bytes)| named("WAV", what, bytes))
    .into()
}

fn chunk_be(id: &[u8; 4], stated: u32, body: &[u8]) -> Vec<u8> {
    [id.as_slice(), &stated.to_be_bytes(), body].concat()
}

fn aiff() -> Vec<File> {
    // 44,100 Hz as an 80-bit float.
    const RATE: [u8; 10] = [0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0];
    let build = |channels: u16, frames: u32, bits: u16, rate: [u8; 10], stated: u32| {
        let mut common = channels.to_be_bytes().to_vec();
        common.extend(frames.to_be_bytes());
        common.extend(bits.to_be_bytes());
        common.extend(rate);
        let sound = chunk_be(b"SSND", stated, &[0; 1000]);
        let common = chunk_be(b"COMM", 18, &common);
        let form = (4 + common.len() + sound.len()) as u32;
        [chunk_be(b"FORM", form, b"AIFF"), common, sound].concat()
    };
    [
        ("a valid file", build(1, 496, 16, RATE, 1000)),
        ("2^32 frames", build(2, u32::MAX, 16, RATE, u32::MAX)),
        ("255 channels", build(255, 1000, 16, RATE, 1000)),
        ("0 channels", build(0, 1000, 16, RATE, 1000)),
        ("65535 bits", build(1, 1000, u16::MAX, RATE, 1000)),
        ("0 Hz", build(1, 1000, 16, [0; 10], 1000)),
        ("NaN Hz", build(1, 1000, 16, [0xff; 10], 1000)),
        (
            "infinite Hz",
            build(1, 1000, 16, [0x7f, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], 1000),
        ),
        ("sound of 2^31 bytes", build(1, 1 << 31, 16, RATE, 1 << 31)),
    ]
    .map(|(what, bytes)| named("AIFF", what, bytes))
    .into()
}

fn caf() -> Vec<File> {
    let chunk = |id: &[u8; 4], stated: i64, body: &[u8]| [id.as_slice(), &stated.to_be_bytes(), body].concat();
    let build = |rate: f64, [packet, frames, channels, bits]: [u32; 4], format: &[u8; 4], more: &[u8], stated: i64| {
        let mut description = rate.to_be_bytes().to_vec();
        description.extend(format);
        description.extend([0, packet, frames, channels, bits].map(u32::to_be_bytes).concat());
        let data = chunk(b"data", stated, &[0; 1000]);
        [
            b"caff\x00\x01\x00\x00".as_slice(),
            &chunk(b"desc", 32, &description),
            more,
            &data,
        ]
        .concat()
    };
    let packets = |count: i64, bytes: i64| {
        let mut table = [count, i64::MAX].map(i64::to_be_bytes).concat();
        table.extend([0; 8]);
        table.extend([0xff; 200]);
        chunk(b"pakt", bytes, &table)
    };
    const PCM: &[u8; 4] = b"lpcm";
    let max = u32::MAX;
    [
        ("a valid file", build(44_100.0, [2, 1, 1, 16], PCM, &[], 1000)),
        (
            "2^32 frames in a packet",
            build(44_100.0, [2, max, 1, 16], PCM, &[], 1000),
        ),
        (
            "2^32 frames in a packet of 8 channels",
            build(44_100.0, [16, max, 8, 16], PCM, &[], 1000),
        ),
        (
            "2^32 bytes in a packet",
            build(44_100.0, [max, 1, 1, 16], PCM, &[], 1000),
        ),
        ("2^32 channels", build(44_100.0, [2, 1, max, 16], PCM, &[], 1000)),
        ("255 channels", build(44_100.0, [510, 1, 255, 16], PCM, &[], 1000)),
        ("2^32 bits", build(44_100.0, [2, 1, 1, max], PCM, &[], 1000)),
        ("0 Hz", build(0.0, [2, 1, 1, 16], PCM, &[], 1000)),
        ("NaN Hz", build(f64::NAN, [2, 1, 1, 16], PCM, &[], 1000)),
        ("infinite Hz", build(f64::INFINITY, [2, 1, 1, 16], PCM, &[], 1000)),
        ("2^63 bytes", build(44_100.0, [2, 1, 1, 16], PCM, &[], i64::MAX)),
        ("-2 bytes", build(44_100.0, [2, 1, 1, 16], PCM, &[], -2)),
        (
            "2^63 packets",
            build(44_100.0, [0, 0, 2, 16], b"aac ", &packets(i64::MAX, i64::MAX), 1000),
        ),
        (
            "-1 packets",
            build(44_100.0, [0, 0, 2, 16], b"alac", &packets(-1, 232), 1000),
        ),
        (
            "a cookie of 2^40 bytes",
            build(
                44_100.0,
                [0, 4096, 2, 16],
                b"alac",
                &chunk(b"kuki", 1 << 40, &[0xff; 48]),
                9,
            ),
        ),
        (
            "a cookie of the largest numbers",
            build(44_100.0, [0, 4096, 2, 16], b"alac", &chunk(b"kuki", 48, &[0xff; 48]), 9),
        ),
        (
            "ADPCM in one block",
            build(44_100.0, [34, max, 2, 16], b"ima4", &[], 1000),
        ),
    ]
    .map(|(what, bytes)| named("CAF", what, bytes))
    .into()
}

fn flac() -> Vec<File> {
    let block = |kind: u8, stated: u32, body: &[u8]| [&[kind], &stated.to_be_bytes()[1..], body].concat();
    let information = |rate: u64, channels: u64, samples: u64| {
        let mut body = [0xff; 4].to_vec();
        body.extend([0; 6]);
        body.extend((rate << 44 | (channels - 1) << 41 | 15 << 36 | samples).to_be_bytes());
        body.extend([0; 16]);
        block(0, 34, &body)
    };
    let usual = information(44_100, 2, (1 << 36) - 1);
    const LAST: u8 = 0x80;
    let build = |blocks: &[Vec<u8>]| [b"fLaC".as_slice(), &blocks.concat(), &[0; 500]].concat();
    let mut picture = 3u32.to_be_bytes().to_vec();
    picture.extend(u32::MAX.to_be_bytes());
    picture.extend(b"image/png");
    let mut comments = 4u32.to_le_bytes().to_vec();
    comments.extend(b"test");
    comments.extend([0xff; 20]);
    [
        ("18 days", build(&[usual.clone(), block(LAST | 1, 4, &[0; 4])])),
        ("0 Hz", build(&[information(0, 1, 9), block(LAST | 1, 4, &[0; 4])])),
        (
            "1 MHz",
            build(&[information((1 << 20) - 1, 8, 9), block(LAST | 1, 4, &[0; 4])]),
        ),
        (
            "a picture of 16 MB",
            build(&[usual.clone(), block(LAST | 6, 0xff_ffff, &picture)]),
        ),
        (
            "a picture of 4 GB in a block of 17 bytes",
            build(&[usual.clone(), block(LAST | 6, 17, &picture)]),
        ),
        ("2^32 comments", build(&[usual.clone(), block(LAST | 4, 28, &comments)])),
        (
            "comments of 16 MB",
            build(&[usual.clone(), block(LAST | 4, 0xff_ffff, &comments)]),
        ),
        (
            "a seek table of 16 MB",
            build(&[usual.clone(), block(LAST | 3, 0xff_fff6, &[0xff; 36])]),
        ),
        (
            "a cue sheet of 16 MB",
            build(&[usual, block(LAST | 5, 0xff_ffff, &[0xff; 400])]),
        ),
    ]
    .map(|(what, bytes)| named("FLAC", what, bytes))
    .into()
}

fn ogg() -> Vec<File> {
    // A page with one packet.
    let page = |kind: u8, sequence: u32, granule: u64, packet: &[u8]| {
        let mut page = b"OggS\x00".to_vec();
        page.push(kind);
        page.extend(granule.to_le_bytes());
        page.extend([7, sequence, 0].map(u32::to_le_bytes).concat());
        let lacing = [vec![255; packet.len() / 255], vec![(packet.len() % 255) as u8]].concat();
        page.push(lacing.len() as u8);
        page.extend(lacing);
        page.extend(packet);
        let sum = crc(&page);
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        page
    };
    let identification = |channels: u8, rate: u32, blocks: u8| {
        let mut packet = b"\x01vorbis\x00\x00\x00\x00".to_vec();
        packet.push(channels);
        packet.extend(rate.to_le_bytes());
        packet.extend([0xff; 12]);
        packet.extend([blocks, 1]);
        packet
    };
    let comments = b"\x03vorbis\xff\xff\xff\xffhello\xff\xff\xff\xff".to_vec();
    // 256 codebooks, the first with 2^24 entries in 65535 dimensions.
    let setup = b"\x05vorbis\xffBCV\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec();
    let build = |identification: &[u8]| {
        let pages = [
            page(2, 0, 0, identification),
            page(0, 1, 0, &comments),
            page(0, 2, 0, &setup),
            page(4, 3, i64::MAX as u64, &[0; 300]),
        ];
        pages.concat()
    };
    [
        ("255 channels", build(&identification(255, 44_100, 0xb8))),
        ("0 channels", build(&identification(0, 44_100, 0xb8))),
        ("0 Hz", build(&identification(2, 0, 0xb8))),
        ("4 GHz", build(&identification(2, u32::MAX, 0xb8))),
        ("blocks of 2^15 samples", build(&identification(2, 44_100, 0xff))),
        ("codebooks of 2^40 numbers", build(&identification(2, 44_100, 0xb8))),
        (
            "2^63 samples of Opus",
            build(b"OpusHead\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        ),
        (
            "FLAC of 65535 headers",
            build(b"\x7fFLAC\x01\x00\xff\xfffLaC\x00\x00\x00\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        ),
    ]
    .map(|(what, bytes)| named("Ogg", what, bytes))
    .into()
}

fn crc(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum: u32, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

fn sun_audio() -> Vec<File> {
    let build = |words: [u32; 5]| [b".snd".as_slice(), &words.map(u32::to_be_bytes).concat(), &[0; 1000]].concat();
    let max = u32::MAX;
    [
        ("a valid file", build([24, 1000, 3, 8000, 1])),
        ("0 Hz", build([24, 1000, 3, 0, 1])),
        ("4 GHz", build([24, 1000, 3, max, 1])),
        ("2^32 channels", build([24, 1000, 3, 44_100, max])),
        ("255 channels", build([24, 1000, 3, 44_100, 255])),
        ("2^31 bytes", build([24, 1 << 31, 7, 44_100, 8])),
        ("audio after 2^32 bytes", build([max, 1000, 3, 44_100, 1])),
    ]
    .map(|(what, bytes)| named("Sun audio", what, bytes))
    .into()
}

fn mp3() -> Vec<File> {
    let mut frame = vec![0xff, 0xfb, 0x90, 0x64];
    frame.resize(417, 0);
    let mut info = frame.clone();
    info[36..40].copy_from_slice(b"Xing");
    info[40..44].copy_from_slice(&[0, 0, 0, 0xf]);
    info[44..52].fill(0xff);
    let mut lame = info.clone();
    lame[156..160].copy_from_slice(b"LAME");
    lame[160..180].fill(0xff);
    let mut vbri = frame.clone();
    vbri[36..40].copy_from_slice(b"VBRI");
    vbri[40..70].fill(0xff);
    [
        ("2^32 frames", info),
        ("a delay and padding of 4095", lame),
        ("VBRI of the largest numbers", vbri),
    ]
    .map(|(what, first)| named("MP3", what, [first, frame.repeat(3)].concat()))
    .into()
}

fn tags() -> Vec<File> {
    let audio = [[0xff, 0xfb, 0x90, 0x64].as_slice(), &[0; 413]].concat().repeat(3);
    let id3 = [b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f".as_slice(), &audio].concat();
    let mut ape = [
        audio.as_slice(),
        b"APETAGEX\xd0\x07\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
    ]
    .concat();
    ape.extend([0xff; 12]);
    [
        ("ID3 tag of 256 MB", id3),
        (
            "100,000 ID3 tags",
            [b"ID3\x04\x00\x00\x00\x00\x00\x00".repeat(100_000), audio.clone()].concat(),
        ),
        ("APE tag of 4 GB", ape),
    ]
    .map(|(what, bytes)| named("tag", what, bytes))
    .into()
}
