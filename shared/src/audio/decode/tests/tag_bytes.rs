//! Bytes of tags, for tests.

/// An APEv2 tag with one item of `value` bytes.
pub(in crate::audio::decode) fn ape(value: usize, header: bool) -> Vec<u8> {
    let items = [
        &(value as u32).to_le_bytes()[..],
        &[0; 4],
        b"Title\0",
        &vec![b'x'; value],
    ]
    .concat();
    let end = |flags: u32| {
        let words = [2000, items.len() as u32 + 32, 1, flags, 0, 0];
        [
            b"APETAGEX".to_vec(),
            words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        ]
        .concat()
    };
    let has_header = u32::from(header) << 31;
    let front = if header { end(has_header | 1 << 29) } else { Vec::new() };
    [front, items.clone(), end(has_header)].concat()
}

/// An ID3v1 tag.
pub(in crate::audio::decode) fn id3v1() -> Vec<u8> {
    [b"TAG".to_vec(), vec![b' '; 125]].concat()
}
