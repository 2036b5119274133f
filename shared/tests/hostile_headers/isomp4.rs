//! Hostile MP4 files: nested boxes, whose sizes and counts have 32 or 64 bits.

use super::containers::File;

fn sized(size: u32, kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [size.to_be_bytes().as_slice(), kind, body].concat()
}

fn atom(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    sized(body.len() as u32 + 8, kind, body)
}

fn full(kind: &[u8; 4], words: &[u32], rest: &[u8]) -> Vec<u8> {
    let words: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    atom(kind, &[&[0; 4], words.as_slice(), rest].concat())
}

/// The sample tables of the only track.
#[derive(Clone)]
struct Table {
    /// The sample description, `stsd`.
    description: Vec<u8>,
    durations: Vec<u8>,
    chunks: Vec<u8>,
    sizes: Vec<u8>,
    offsets: Vec<u8>,
}

/// A QuickTime sound description, version 1, for 16-bit PCM.
fn pcm(channels: u16, rate: u32, samples_per_packet: u32) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
    body.extend(channels.to_be_bytes());
    body.extend([0, 16, 0, 0, 0, 0]);
    body.extend(rate.to_be_bytes());
    body.extend([samples_per_packet, 2, 2, 2].map(u32::to_be_bytes).concat());
    full(b"stsd", &[1], &atom(b"sowt", &body))
}

impl Default for Table {
    fn default() -> Self {
        Self {
            description: pcm(1, 8000 << 16, 1),
            durations: full(b"stts", &[1, 4, 1], &[]),
            chunks: full(b"stsc", &[1, 1, 4, 1], &[]),
            sizes: full(b"stsz", &[2, 4], &[]),
            offsets: full(b"stco", &[1, 40], &[]),
        }
    }
}

const MAX: u32 = u32::MAX;

fn file(table: &Table, more: &[u8]) -> Vec<u8> {
    let tables = [
        &table.description,
        &table.durations,
        &table.chunks,
        &table.sizes,
        &table.offsets,
    ]
    .map(Vec::as_slice);
    let media = [
        full(b"smhd", &[0], &[]),
        atom(b"dinf", &full(b"dref", &[1], &full(b"url ", &[], &[]))),
        atom(b"stbl", &tables.concat()),
    ];
    let handler = full(b"hdlr", &[0], b"soun\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let media = [
        full(b"mdhd", &[0, 0, 8000, MAX, 0], &[]),
        handler,
        atom(b"minf", &media.concat()),
    ];
    let header = full(
        b"tkhd",
        &[
            0,
            0,
            1,
            0,
            MAX,
            0,
            0,
            0,
            0,
            0x1_0000,
            0,
            0,
            0,
            0x1_0000,
            0,
            0,
            0,
            0x4000_0000,
            0,
            0,
        ],
        &[],
    );
    let track = atom(b"trak", &[header, atom(b"mdia", &media.concat())].concat());
    let movie = full(
        b"mvhd",
        &[
            0,
            0,
            8000,
            MAX,
            0x1_0000,
            0x100_0000,
            0,
            0,
            0x1_0000,
            0,
            0,
            0,
            0x1_0000,
            0,
            0,
            0,
            0x4000_0000,
            0,
            0,
            0,
            0,
            0,
            0,
            2,
        ],
        &[],
    );
    let beginning = [atom(b"ftyp", b"qt  \0\0\0\0qt  "), atom(b"mdat", &[7; 100])].concat();
    [beginning, atom(b"moov", &[movie, track, more.to_vec()].concat())].concat()
}

pub fn files() -> Vec<File> {
    let usual = Table::default();
    let build = |change: fn(&mut Table)| {
        let mut table = usual.clone();
        change(&mut table);
        file(&table, &[])
    };
    let deep = (0..2000).fold(Vec::new(), |inside, _| atom(b"moov", &inside));
    let deep_tags = (0..2000).fold(Vec::new(), |inside, _| atom(b"udta", &full(b"meta", &[], &inside)));
    let after = |bytes: Vec<u8>| [atom(b"ftyp", b"M4A \0\0\0\0"), bytes].concat();
    let cover = {
        let data = sized(MAX, b"data", b"\0\0\0\x0d\0\0\0\0\xff\xd8\xff");
        let tags = full(
            b"meta",
            &[],
            &[
                full(b"hdlr", &[0], b"mdir\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                atom(b"ilst", &sized(MAX, b"covr", &data)),
            ]
            .concat(),
        );
        file(&usual, &atom(b"udta", &tags))
    };
    [
        ("a valid file", file(&usual, &[])),
        ("a box of 2^32 bytes", after(sized(MAX, b"moov", &[0; 100]))),
        (
            "a box of 2^63 bytes",
            after(sized(
                1,
                b"moov",
                &[i64::MAX.to_be_bytes().as_slice(), &[0; 100]].concat(),
            )),
        ),
        (
            "a box of 2^64 bytes",
            after(sized(
                1,
                b"mdat",
                &[u64::MAX.to_be_bytes().as_slice(), &[0; 100]].concat(),
            )),
        ),
        ("boxes 2000 deep", after(deep)),
        ("tags 2000 deep", after(atom(b"moov", &deep_tags))),
        ("a picture of 4 GB", cover),
        ("0 Hz", build(|table| table.description = pcm(1, 0, 1))),
        (
            "255 channels",
            build(|table| table.description = pcm(255, 8000 << 16, 1)),
        ),
        (
            "65535 channels",
            build(|table| table.description = pcm(u16::MAX, 8000 << 16, 1)),
        ),
        (
            "2^32 samples in a packet",
            build(|table| table.description = pcm(8, 8000 << 16, MAX)),
        ),
        (
            "2^32 descriptions",
            build(|table| table.description = full(b"stsd", &[MAX], &[])),
        ),
        (
            "2^32 durations",
            build(|table| table.durations = full(b"stts", &[MAX, 4, 1], &[])),
        ),
        (
            "2^32 samples of 2^32 ticks",
            build(|table| table.durations = full(b"stts", &[1, MAX, MAX], &[])),
        ),
        (
            "2^32 chunks",
            build(|table| table.offsets = full(b"stco", &[MAX, 40], &[])),
        ),
        (
            "a chunk after 2^63 bytes",
            build(|table| table.offsets = full(b"co64", &[1, 0x7fff_ffff, MAX], &[])),
        ),
        (
            "2^32 samples in a chunk",
            build(|table| table.chunks = full(b"stsc", &[1, 1, MAX, 1], &[])),
        ),
        (
            "2^32 changes of chunks",
            build(|table| table.chunks = full(b"stsc", &[MAX, 1, 4, 1], &[])),
        ),
        (
            "2^32 packets of no byte",
            build(|table| {
                table.durations = full(b"stts", &[1, MAX, 1], &[]);
                table.chunks = full(b"stsc", &[1, 1, MAX, 1], &[]);
                table.sizes = full(b"stsz", &[0, MAX], &[]);
            }),
        ),
        (
            "2^32 packets of 2^32 bytes",
            build(|table| {
                table.durations = full(b"stts", &[1, MAX, 1], &[]);
                table.chunks = full(b"stsc", &[1, 1, MAX, 1], &[]);
                table.sizes = full(b"stsz", &[MAX, MAX], &[]);
            }),
        ),
        (
            "2^32 sizes",
            build(|table| table.sizes = full(b"stsz", &[0, MAX, 2, 2], &[])),
        ),
    ]
    .map(|(what, bytes)| (format!("MP4: {what}"), bytes))
    .into()
}
