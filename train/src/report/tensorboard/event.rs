//! `tensorflow.Event` as protocol buffers, with only the fields that scalars need.
//!
//! Source: `tensorboard/compat/proto/event.proto` and `summary.proto`.
//!
//! | message | field | number | type |
//! |---|---|---:|---|
//! | `Event` | `wall_time` | 1 | double |
//! | | `step` | 2 | int64 |
//! | | `file_version` | 3 | string |
//! | | `summary` | 5 | `Summary` |
//! | `Summary` | `value` | 1 | repeated `Value` |
//! | `Value` | `tag` | 1 | string |
//! | | `simple_value` | 2 | float |

/// One record of an event file.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first record of a file.
    Version(String),
    Scalars {
        step: u64,
        scalars: Vec<(String, f32)>,
    },
}

/// Wire types of protocol buffers.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

impl Event {
    /// The encoded message; `wall_time` is in seconds since 1970.
    pub fn encode(&self, wall_time: f64) -> Vec<u8> {
        let mut message = Vec::new();
        key(&mut message, 1, FIXED_64);
        message.extend(wall_time.to_le_bytes());
        match self {
            Self::Version(version) => bytes(&mut message, 3, version.as_bytes()),
            Self::Scalars { step, scalars } => {
                key(&mut message, 2, VARINT);
                varint(&mut message, *step);
                let mut summary = Vec::new();
                for (name, metric) in scalars {
                    let mut value = Vec::new();
                    bytes(&mut value, 1, name.as_bytes());
                    key(&mut value, 2, FIXED_32);
                    value.extend(metric.to_le_bytes());
                    bytes(&mut summary, 1, &value);
                }
                bytes(&mut message, 5, &summary);
            }
        }
        message
    }

    /// Decodes a message; `None` if it is not a valid event.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let (mut step, mut scalars) = (0, Vec::new());
        for field in Fields(message) {
            match field? {
                (3, Field::Bytes(version)) => return Some(Self::Version(text(version)?)),
                (2, Field::Varint(number)) => step = number,
                (5, Field::Bytes(summary)) => {
                    for value in Fields(summary) {
                        if let (1, Field::Bytes(value)) = value? {
                            scalars.push(scalar(value)?);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(Self::Scalars { step, scalars })
    }
}

fn scalar(value: &[u8]) -> Option<(String, f32)> {
    let (mut name, mut metric) = (String::new(), 0.0);
    for field in Fields(value) {
        match field? {
            (1, Field::Bytes(tag)) => name = text(tag)?,
            (2, Field::Fixed32(bits)) => metric = f32::from_le_bytes(bits),
            _ => {}
        }
    }
    Some((name, metric))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}

fn key(message: &mut Vec<u8>, field: u64, kind: u64) {
    varint(message, field << 3 | kind);
}

fn bytes(message: &mut Vec<u8>, field: u64, content: &[u8]) {
    key(message, field, LENGTH_DELIMITED);
    varint(message, content.len() as u64);
    message.extend(content);
}

enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
    Fixed64,
}

/// Iterates over the fields of a message with their numbers; yields `None` and stops at the first invalid one.
struct Fields<'a>(&'a [u8]);

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
            FIXED_64 => self.take(8).map(|_| Field::Fixed64)?,
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
    use proptest::prelude::*;

    #[test]
    fn encoded_messages_match_tensorboard() {
        // event_pb2.Event(wall_time=1.5, step=300, summary=Summary(value=[Summary.Value(tag='a', simple_value=0.5)]))
        let event = Event::Scalars {
            step: 300,
            scalars: vec![("a".into(), 0.5)],
        };
        let expected = b"\x09\0\0\0\0\0\0\xf8\x3f\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01\x61\x15\0\0\0\x3f";
        assert_eq!(event.encode(1.5), expected);
        // event_pb2.Event(wall_time=1.5, file_version='brain.Event:2')
        let expected = b"\x09\0\0\0\0\0\0\xf8\x3f\x1a\x0dbrain.Event:2";
        assert_eq!(Event::Version("brain.Event:2".into()).encode(1.5), expected);
    }

    proptest! {
        #[test]
        fn encoded_events_are_decoded(
            step in any::<u64>(), scalars in prop::collection::vec((".{0,9}", any::<f32>().prop_filter("", |x| !x.is_nan())), 0..4),
        ) {
            let event = Event::Scalars { step, scalars };
            prop_assert_eq!(Event::decode(&event.encode(2.0)), Some(event));
        }

        #[test]
        fn decoding_any_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Event::decode(&bytes);
        }
    }
}
