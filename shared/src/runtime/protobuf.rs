//! Protocol buffers: fields are written into messages and read from them by number. What the numbers mean is left to the
//! caller, so no code is generated.

/// Wire types.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

/// An encoded message. Each method appends a field.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// A message without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of the message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A field of type `uint64`, `bool` or an enum.
    pub fn unsigned(mut self, field: u64, value: u64) -> Self {
        self.key(field, VARINT);
        self.varint(value);
        self
    }

    /// A field of type `int64`.
    pub fn signed(self, field: u64, value: i64) -> Self {
        self.unsigned(field, value.cast_unsigned())
    }

    /// A field of type `float`.
    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FIXED_32);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A field of type `double`.
    pub fn double(mut self, field: u64, value: f64) -> Self {
        self.key(field, FIXED_64);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A field of type `bytes`.
    pub fn bytes(mut self, field: u64, content: &[u8]) -> Self {
        self.key(field, LENGTH_DELIMITED);
        self.varint(content.len() as u64);
        self.0.extend_from_slice(content);
        self
    }

    /// A field of type `string`.
    pub fn text(self, field: u64, content: &str) -> Self {
        self.bytes(field, content.as_bytes())
    }

    /// A field that is a message.
    pub fn message(self, field: u64, content: &Self) -> Self {
        self.bytes(field, &content.0)
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

/// The content of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// An integer.
    Varint(u64),
    /// Bytes, text or a message.
    Bytes(&'a [u8]),
    /// A `float`.
    Fixed32([u8; 4]),
    /// A `double`.
    Fixed64([u8; 8]),
}

impl<'a> Field<'a> {
    /// The field as text; `None` if it has another type or is not UTF-8.
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

/// Iterates over the fields of a message with their numbers; yields `None` and stops at the first invalid one.
#[derive(Clone, Debug)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Field<'a>)> {
        let key = self.varint()?;
        let content = match key & 7 {
            VARINT => Field::Varint(self.varint()?),
            FIXED_64 => Field::Fixed64(self.take(8)?.try_into().ok()?),
            LENGTH_DELIMITED => {
                let count = self.varint()?;
                Field::Bytes(self.take(count)?)
            }
            FIXED_32 => Field::Fixed32(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((key >> 3, content))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Field<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_fields_are_read_back() {
        let inner = Message::new().signed(1, -2);
        let bytes = Message::new()
            .unsigned(1, 300)
            .float(2, 0.5)
            .double(3, 1.5)
            .text(4, "é")
            .message(5, &inner)
            .into_bytes();
        let fields: Vec<_> = Fields(&bytes).map(Option::unwrap).collect();
        let inner = inner.into_bytes();
        let expected = [
            (1, Field::Varint(300)),
            (2, Field::Fixed32(0.5_f32.to_le_bytes())),
            (3, Field::Fixed64(1.5_f64.to_le_bytes())),
            (4, Field::Bytes("é".as_bytes())),
            (5, Field::Bytes(&inner)),
        ];
        assert_eq!(fields, expected);
        assert_eq!((fields[3].1.text(), fields[0].1.text()), (Some("é"), None));
        assert_eq!(Fields(&inner).next(), Some(Some((1, Field::Varint(u64::MAX - 1)))));
    }

    #[test]
    fn reading_stops_at_an_invalid_field() {
        // A message that is cut off, a length beyond its end, and the type of a group.
        for bytes in [&[0x08][..], &[0x0A, 5, 1], &[0x0B, 0]] {
            let fields: Vec<_> = Fields(bytes).collect();
            assert_eq!(fields, [None], "{bytes:?}");
        }
    }
}
