//! Hostile Matroska files: nested elements, whose sizes have up to 56 bits or are unknown.

use super::containers::File;

/// An element with a stated size of `stated` bytes.
fn sized(id: &[u8], stated: u64, body: &[u8]) -> Vec<u8> {
    let size = (1 << 56 | stated).to_be_bytes();
    [id, size.as_slice(), body].concat()
}

fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    sized(id, body.len() as u64, body)
}

const SEGMENT: &[u8] = b"\x18\x53\x80\x67";
const UNKNOWN: u64 = (1 << 56) - 1;
const MAX: u64 = (1 << 56) - 2;

/// The settings of the only track.
struct Track {
    rate: f64,
    channels: Vec<u8>,
    bits: Vec<u8>,
    codec: &'static [u8],
    private: Vec<u8>,
    duration: f64,
    scale: Vec<u8>,
}

impl Default for Track {
    fn default() -> Self {
        Self {
            rate: 8000.0,
            channels: vec![1],
            bits: vec![16],
            codec: b"A_PCM/INT/LIT",
            private: Vec::new(),
            duration: 1.0,
            scale: vec![0x0f, 0x42, 0x40],
        }
    }
}

fn head() -> Vec<u8> {
    let fields = [
        element(b"\x42\x86", &[1]),
        element(b"\x42\xf7", &[1]),
        element(b"\x42\xf2", &[4]),
        element(b"\x42\xf3", &[8]),
        element(b"\x42\x82", b"matroska"),
        element(b"\x42\x87", &[4]),
        element(b"\x42\x85", &[2]),
    ];
    element(b"\x1a\x45\xdf\xa3", &fields.concat())
}

fn tracks(track: &Track) -> Vec<u8> {
    let audio = [
        element(b"\xb5", &track.rate.to_be_bytes()),
        element(b"\x9f", &track.channels),
        element(b"\x62\x64", &track.bits),
    ];
    let entry = [
        element(b"\xd7", &[1]),
        element(b"\x73\xc5", &[1]),
        element(b"\x83", &[2]),
        element(b"\x86", track.codec),
        track.private.clone(),
        element(b"\xe1", &audio.concat()),
    ];
    element(b"\x16\x54\xae\x6b", &element(b"\xae", &entry.concat()))
}

fn file(track: &Track, cluster: &[u8], more: &[u8]) -> Vec<u8> {
    let information = [
        element(b"\x2a\xd7\xb1", &track.scale),
        element(b"\x44\x89", &track.duration.to_be_bytes()),
        element(b"\x4d\x80", b"x"),
        element(b"\x57\x41", b"x"),
    ];
    let body = [
        element(b"\x15\x49\xa9\x66", &information.concat()),
        tracks(track),
        more.to_vec(),
        cluster.to_vec(),
    ];
    [head(), sized(SEGMENT, UNKNOWN, &body.concat())].concat()
}

/// A cluster with one block of PCM.
fn cluster() -> Vec<u8> {
    let block = [b"\x81\0\0\x80".as_slice(), &[7; 100]].concat();
    element(
        b"\x1f\x43\xb6\x75",
        &[element(b"\xe7", &[0]), element(b"\xa3", &block)].concat(),
    )
}

pub fn files() -> Vec<File> {
    let usual = Track::default;
    let build = |track: Track| file(&track, &cluster(), &[]);
    let block = |body: &[u8]| element(b"\x1f\x43\xb6\x75", &[element(b"\xe7", &[0]), body.to_vec()].concat());
    let tag = (0..2000).fold(element(b"\x45\xa3", b"x"), |inside, _| element(b"\x67\xc8", &inside));
    let chapter = (0..2000).fold(element(b"\x73\xc4", &[1]), |inside, _| element(b"\xb6", &inside));
    let tags = element(b"\x12\x54\xc3\x67", &element(b"\x73\x73", &tag));
    let chapters = element(b"\x10\x43\xa7\x70", &element(b"\x45\xb9", &chapter));
    let attachment = element(
        b"\x19\x41\xa4\x69",
        &element(b"\x61\xa7", &sized(b"\x46\x5c", MAX, &[0; 100])),
    );
    let xiph = [b"\x81\0\0\x82\xff".as_slice(), &[0xff; 100]].concat();
    let ebml = [
        b"\x81\0\0\x86\xff".as_slice(),
        b"\x01\xff\xff\xff\xff\xff\xff\xfe",
        &[0xff; 100],
    ]
    .concat();
    [
        ("a valid file", build(usual())),
        (
            "a segment of 2^56 bytes",
            [head(), sized(SEGMENT, MAX, &tracks(&usual()))].concat(),
        ),
        ("a head of 2^56 bytes", sized(b"\x1a\x45\xdf\xa3", MAX, &[0; 900])),
        ("0 Hz", build(Track { rate: 0.0, ..usual() })),
        (
            "NaN Hz",
            build(Track {
                rate: f64::NAN,
                ..usual()
            }),
        ),
        (
            "infinite Hz",
            build(Track {
                rate: f64::INFINITY,
                ..usual()
            }),
        ),
        (
            "255 channels",
            build(Track {
                channels: vec![255],
                ..usual()
            }),
        ),
        (
            "2^64 channels",
            build(Track {
                channels: vec![0xff; 8],
                ..usual()
            }),
        ),
        (
            "2^64 bits",
            build(Track {
                bits: vec![0xff; 8],
                ..usual()
            }),
        ),
        (
            "an infinite duration",
            build(Track {
                duration: f64::INFINITY,
                ..usual()
            }),
        ),
        (
            "ticks of 2^64 ns",
            build(Track {
                scale: vec![0xff; 8],
                duration: f64::MAX,
                ..usual()
            }),
        ),
        (
            "ticks of 0 ns",
            build(Track {
                scale: vec![0],
                ..usual()
            }),
        ),
        (
            "codec data of 2^56 bytes",
            build(Track {
                private: sized(b"\x63\xa2", MAX, &[0; 9]),
                codec: b"A_VORBIS",
                ..usual()
            }),
        ),
        (
            "codec data of 256 headers",
            build(Track {
                private: element(b"\x63\xa2", &[0xff; 300]),
                codec: b"A_VORBIS",
                ..usual()
            }),
        ),
        ("tags 2000 deep", file(&usual(), &cluster(), &tags)),
        ("chapters 2000 deep", file(&usual(), &cluster(), &chapters)),
        ("an attachment of 2^56 bytes", file(&usual(), &cluster(), &attachment)),
        (
            "a block of 2^56 bytes",
            file(&usual(), &block(&sized(b"\xa3", MAX, b"\x81\0\0\x80\0\0")), &[]),
        ),
        (
            "256 frames of 25 kB in a block",
            file(&usual(), &block(&element(b"\xa3", &xiph)), &[]),
        ),
        (
            "256 frames of 2^56 bytes in a block",
            file(&usual(), &block(&element(b"\xa3", &ebml)), &[]),
        ),
    ]
    .map(|(what, bytes)| (format!("Matroska: {what}"), bytes))
    .into()
}
