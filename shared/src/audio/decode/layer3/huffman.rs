//! Decodes the Huffman code of a granule to the lines of its spectrum.
//!
//! One look-up in a table of 2^11 entries usually gives two values with their signs. Longer codes need a second look-up,
//! and values of 15 and more have extra bits.

use super::bands::{Bands, LINES, Spectrum};
use super::bits::Bits;
use super::huffman_tables::{PAIR_CODES, PairCodes, QUADRUPLE_CODES, TABLES};
use super::side_information::Granule;
use std::sync::LazyLock;

/// Bits of the first look-up.
const PEEK: u32 = 11;

/// Bits of all codes of quadruples with their signs.
const QUADRUPLE_PEEK: u32 = 10;

/// Values are smaller than this: at most 15 plus 13 extra bits.
const VALUES: usize = 1 << 14;

/// The tables, which all decoders share.
pub(super) static HUFFMAN: LazyLock<Huffman> = LazyLock::new(Huffman::new);

/// Look-up tables for all codes.
pub(super) struct Huffman {
    pairs: Vec<PairTable>,
    quadruples: [Box<[u32; 1 << QUADRUPLE_PEEK]>; 2],
    /// Powers of 4/3.
    powers: Box<[f32; VALUES]>,
    /// Powers of 4/3 of the absolute value with its sign, of -16 to 47.
    signed_powers: [f32; 64],
}

/// Look-up table of pairs.
///
/// An entry has the bits to skip in bits 0 to 5. Without [`IS_LONG`], it also has the two values plus 16 from bits 8 and
/// 14 on. With [`IS_LONG`], it has the absolute values, whose signs and extra bits follow, or with [`IS_LINK`] the
/// position of further entries from bit 8 on, and how many bits select one of them.
struct PairTable {
    first: Box<[u32; 1 << PEEK]>,
    further: Vec<u32>,
}

const IS_LONG: u32 = 1 << 6;
const IS_LINK: u32 = 1 << 7;

/// A value in the entry of a table.
fn field(entry: u32, index: u32) -> usize {
    (entry >> (8 + 6 * index) & 63) as usize
}

impl Huffman {
    fn new() -> Self {
        let mut powers = Box::new([0.0; VALUES]);
        for (value, power) in powers.iter_mut().enumerate() {
            *power = (value as f64).powf(4.0 / 3.0) as f32;
        }
        Self {
            pairs: PAIR_CODES.iter().map(PairTable::new).collect(),
            quadruples: QUADRUPLE_CODES.each_ref().map(quadruple_table),
            signed_powers: std::array::from_fn(|at| match at.checked_sub(16) {
                Some(value) => powers[value],
                None => -powers[16 - at],
            }),
            powers,
        }
    }

    /// Decodes lines, multiplies them by their gains and writes them to their places in a spectrum of zeros. The code ends
    /// at bit `end`; if the last values reach past it, they are kept like in other decoders if they are pairs and dropped
    /// if they are a quadruple.
    pub fn decode(
        &self,
        bits: &mut Bits,
        end: usize,
        granule: &Granule,
        bands: &Bands,
        gains: &[f32; LINES / 2],
        spectrum: &mut Spectrum,
    ) {
        let lines = spectrum.as_flattened_mut();
        let mut local = *bits;
        let mut pair = 0;
        if local.position() >= end {
            return;
        }
        let [second, third] = granule.regions;
        for (region_end, table) in [second, third, LINES / 2].into_iter().zip(granule.tables) {
            let region = pair..region_end.min(granule.pairs).max(pair);
            let (index, extra) = TABLES[usize::from(table & 31)];
            let Some(table) = index.checked_sub(1).and_then(|index| self.pairs.get(index)) else {
                pair = region.end;
                continue;
            };
            for (places, gain) in bands.places[region.clone()].iter().zip(&gains[region]) {
                if local.position() >= end {
                    break;
                }
                let values = self.pair(&mut local, table, extra);
                lines[usize::from(places[0])] = values[0] * gain;
                lines[usize::from(places[1])] = values[1] * gain;
                pair += 1;
            }
        }
        let table = &self.quadruples[usize::from(granule.second_table)];
        let mut before = None;
        while pair + 2 <= LINES / 2 && local.position() < end {
            local.refill();
            let entry = table[local.peek::<QUADRUPLE_PEEK>()];
            local.skip(entry & 63);
            for (at, index) in [(pair, 0), (pair + 1, 2)] {
                let (places, gain) = (bands.places[at], gains[at]);
                lines[usize::from(places[0])] = self.signed_powers[field(entry, index)] * gain;
                lines[usize::from(places[1])] = self.signed_powers[field(entry, index + 1)] * gain;
            }
            before = Some(pair);
            pair += 2;
        }
        if local.position() > end
            && let Some(before) = before
        {
            for place in bands.places[before..pair].as_flattened() {
                lines[usize::from(*place)] = 0.0;
            }
        }
        *bits = local;
    }

    /// Decodes a pair of values.
    #[inline(always)]
    fn pair(&self, bits: &mut Bits, table: &PairTable, extra: u32) -> [f32; 2] {
        if bits.valid() < PEEK {
            bits.refill();
        }
        let entry = table.first[bits.peek::<PEEK>()];
        if entry & IS_LONG == 0 {
            bits.skip(entry & 63);
            return [self.signed_powers[field(entry, 0)], self.signed_powers[field(entry, 1)]];
        }
        self.long_pair(bits, table, entry, extra)
    }

    /// Decodes a pair of values that the first look-up does not give.
    #[inline(always)]
    fn long_pair(&self, bits: &mut Bits, table: &PairTable, first: u32, extra: u32) -> [f32; 2] {
        bits.refill();
        let mut entry = first;
        if first & IS_LINK != 0 {
            bits.skip(PEEK);
            let index = (first >> 8) as usize + bits.peek_some(first & 63);
            entry = table.further.get(index).copied().unwrap_or(0);
        }
        bits.skip(entry & 63);
        let first = self.long_value(bits, field(entry, 0), extra);
        // The code and the first value have at most 33 bits.
        [first, self.long_value(bits, field(entry, 1), extra)]
    }

    /// Adds the extra bits and the sign to a value.
    #[inline(always)]
    fn long_value(&self, bits: &mut Bits, mut value: usize, extra: u32) -> f32 {
        if value == 15 {
            value += bits.peek_some(extra);
            bits.skip(extra);
        }
        let sign = (bits.peek::<1>() as u32) << 31;
        bits.skip(u32::from(value > 0));
        f32::from_bits(self.powers[value & (VALUES - 1)].to_bits() ^ sign)
    }
}

/// The values and the code of a table's entries: length and bits.
fn codes(numbers: &[u32]) -> impl Iterator<Item = (usize, u32, u32)> {
    numbers.iter().enumerate().map(|(at, &number)| {
        let length = number.ilog2();
        (at, length, number ^ 1 << length)
    })
}

/// Sets all entries whose index begins with this code.
fn set(entries: &mut [u32], index_bits: u32, length: u32, code: u32, entry: u32) {
    let rest = index_bits - length;
    let begin = (code << rest) as usize;
    entries[begin..begin + (1 << rest)].fill(entry);
}

/// The entries of a code with all signs of its values: code and signs, and the values with their signs plus 16.
fn with_signs(length: u32, code: u32, values: &[usize]) -> Vec<(u32, u32, u32)> {
    let signs = values.iter().filter(|&&value| value > 0).count() as u32;
    let mut entries = Vec::new();
    for signs_code in 0..1 << signs {
        let (mut entry, mut left) = (length + signs, signs);
        for (index, &value) in values.iter().enumerate() {
            let mut biased = 16 + value;
            if value > 0 {
                left -= 1;
                if signs_code >> left & 1 == 1 {
                    biased = 16 - value;
                }
            }
            entry |= (biased as u32) << (8 + 6 * index);
        }
        entries.push((length + signs, code << signs | signs_code, entry));
    }
    entries
}

impl PairTable {
    fn new(codes_of: &PairCodes) -> Self {
        let mut first = Box::new([0; 1 << PEEK]);
        let mut further = Vec::new();
        // The longest code behind each beginning, less the beginning.
        let mut longest = [0; 1 << PEEK];
        for (_, length, code) in codes(codes_of.codes).filter(|(_, length, _)| *length > PEEK) {
            let rest = length - PEEK;
            let longest = &mut longest[(code >> rest) as usize];
            *longest = rest.max(*longest);
        }
        for (entry, &rest) in first.iter_mut().zip(&longest).filter(|(_, rest)| **rest > 0) {
            *entry = rest | IS_LONG | IS_LINK | (further.len() as u32) << 8;
            further.resize(further.len() + (1 << rest), 0);
        }
        for (at, length, code) in codes(codes_of.codes) {
            let values = [at / codes_of.width, at % codes_of.width];
            let absolute = IS_LONG | (values[0] as u32) << 8 | (values[1] as u32) << 14;
            if let Some(rest) = length.checked_sub(PEEK).filter(|&rest| rest > 0) {
                let link = first[(code >> rest) as usize];
                let code = code & ((1 << rest) - 1);
                set(
                    &mut further[(link >> 8) as usize..],
                    link & 63,
                    rest,
                    code,
                    rest | absolute,
                );
                continue;
            }
            let signed = with_signs(length, code, &values);
            if values.contains(&15) || signed.iter().any(|(length, ..)| *length > PEEK) {
                set(&mut first[..], PEEK, length, code, length | absolute);
                continue;
            }
            for (length, code, entry) in signed {
                set(&mut first[..], PEEK, length, code, entry);
            }
        }
        Self { first, further }
    }
}

fn quadruple_table(numbers: &[u32; 16]) -> Box<[u32; 1 << QUADRUPLE_PEEK]> {
    let mut table = Box::new([0; 1 << QUADRUPLE_PEEK]);
    for (at, length, code) in codes(numbers) {
        let values = [at >> 3, at >> 2 & 1, at >> 1 & 1, at & 1];
        for (length, code, entry) in with_signs(length, code, &values) {
            set(&mut table[..], QUADRUPLE_PEEK, length, code, entry);
        }
    }
    table
}
