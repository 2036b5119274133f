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

use shared::runtime::protobuf::{Field, Fields, Message};

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

impl Event {
    /// The encoded message; `wall_time` is in seconds since 1970.
    pub fn encode(&self, wall_time: f64) -> Vec<u8> {
        let message = Message::new().double(1, wall_time);
        let message = match self {
            Self::Version(version) => message.text(3, version),
            Self::Scalars { step, scalars } => {
                let values = scalars
                    .iter()
                    .map(|(name, metric)| Message::new().text(1, name).float(2, *metric));
                let summary = values.fold(Message::new(), |summary, value| summary.message(1, &value));
                message.unsigned(2, *step).message(5, &summary)
            }
        };
        message.into_bytes()
    }

    /// Decodes a message; `None` if it is not a valid event.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let (mut step, mut scalars) = (0, Vec::new());
        for field in Fields(message) {
            match field? {
                (3, version @ Field::Bytes(_)) => return Some(Self::Version(version.text()?.to_owned())),
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
            (1, tag @ Field::Bytes(_)) => name = tag.text()?.to_owned(),
            (2, Field::Fixed32(bits)) => metric = f32::from_le_bytes(bits),
            _ => {}
        }
    }
    Some((name, metric))
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
