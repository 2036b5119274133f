//! Scans a pickle for anything other than data.
//!
//! A pickle is a program for a stack machine that can import and call any Python function. The reader used by
//! `burn-store` calls none: it keeps unknown objects as opaque values and continues. A file with such a call is still
//! not a weights file, so it is refused before its reader opens it. Allowed are the names that PyTorch writes tensors
//! with, as in its own `weights_only` loading.

use std::collections::HashMap;
use std::rc::Rc;

/// Why a pickle is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleRefusal {
    /// It names something other than data.
    #[error("its pickle names `{0}`, which is code and not weights; nothing was run")]
    Code(String),
    /// It is not a pickle, or is truncated.
    #[error("its pickle is malformed at byte {0}")]
    Malformed(usize),
}

/// An item on the stack, as far as [`scan`] needs to know it.
#[derive(Clone, Debug)]
enum Item {
    Mark,
    Text(Rc<str>),
    Other,
}

/// Scans the pickle at the start of `bytes` and returns its length.
pub fn scan(bytes: &[u8]) -> Result<usize, PickleRefusal> {
    let mut scan = Scan {
        bytes,
        at: 0,
        stack: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let begin = scan.at;
        match scan.step() {
            Step::Next => {}
            Step::End => return Ok(scan.at),
            Step::Code(name) => return Err(PickleRefusal::Code(name)),
            Step::Malformed => return Err(PickleRefusal::Malformed(begin)),
        }
    }
}

enum Step {
    Next,
    End,
    Code(String),
    Malformed,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Item>,
    memo: HashMap<u64, Item>,
}

impl Scan<'_> {
    /// Processes one opcode with its arguments.
    fn step(&mut self) -> Step {
        self.opcode().unwrap_or(Step::Malformed)
    }

    /// `None` if the bytes or the stack end too early or the opcode is unknown. Opcodes and their effects are those of
    /// CPython's `pickletools`.
    fn opcode(&mut self) -> Option<Step> {
        let opcode = self.take(1)?[0];
        match opcode {
            b'.' => return Some(Step::End),
            b'(' => self.stack.push(Item::Mark),
            b'0' => drop(self.stack.pop()?),
            b'1' => self.pop_mark()?,
            b'2' => self.stack.push(self.stack.last()?.clone()),
            // Numbers and the like.
            b'F' | b'I' | b'L' | b'P' => {
                self.line()?;
                self.stack.push(Item::Other);
            }
            b'K' => self.other(1)?,
            b'M' => self.other(2)?,
            b'J' => self.other(4)?,
            b'G' => self.other(8)?,
            b'N' | b']' | b'}' | b')' | 0x88 | 0x89 | 0x8f | 0x97 => self.other(0)?,
            0x8a | b'C' => self.sized(1)?,
            0x8b | b'B' => self.sized(4)?,
            0x8e | 0x96 => self.sized(8)?,
            // Strings.
            b'S' | b'V' => {
                let text = self.line()?;
                self.stack.push(Item::Text(text));
            }
            b'U' | 0x8c => self.text(1)?,
            b'T' | b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            // Containers, calls and attributes.
            b'a' | b'b' => self.pop(1)?,
            b's' => self.pop(2)?,
            b'e' | b'u' | 0x90 => self.pop_mark()?,
            b'd' | b'l' | b't' | b'o' | 0x91 => {
                self.pop_mark()?;
                self.stack.push(Item::Other);
            }
            b'Q' | 0x85 => self.replace(1)?,
            b'R' | 0x81 | 0x86 => self.replace(2)?,
            0x87 | 0x92 => self.replace(3)?,
            // The memo.
            b'p' => {
                let key = self.line()?.trim().parse().ok()?;
                self.memo.insert(key, self.stack.last()?.clone());
            }
            b'q' | b'r' | 0x94 => {
                let key = match opcode {
                    b'q' => self.number(1)?,
                    b'r' => self.number(4)?,
                    _ => self.memo.len() as u64,
                };
                self.memo.insert(key, self.stack.last()?.clone());
            }
            b'g' => {
                let key = self.line()?.trim().parse().ok()?;
                self.stack.push(self.memo.get(&key)?.clone());
            }
            b'h' | b'j' => {
                let key = self.number(if opcode == b'h' { 1 } else { 4 })?;
                self.stack.push(self.memo.get(&key)?.clone());
            }
            // Protocol, frame, read-only buffers: no effect on the stack.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            0x98 => {}
            // Opcodes that import Python objects.
            b'c' | b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                if opcode == b'i' {
                    self.pop_mark()?;
                }
                return Some(self.global(&module, &name));
            }
            0x93 => {
                let (name, module) = (self.stack.pop()?, self.stack.pop()?);
                let (Item::Text(name), Item::Text(module)) = (name, module) else {
                    return Some(Step::Code("a computed name".into()));
                };
                return Some(self.global(&module, &name));
            }
            0x82..=0x84 => {
                let number = self.number(1 << (opcode - 0x82))?;
                return Some(Step::Code(format!("extension {number}")));
            }
            _ => return None,
        }
        Some(Step::Next)
    }

    fn global(&mut self, module: &str, name: &str) -> Step {
        if is_data(module, name) {
            self.stack.push(Item::Other);
            Step::Next
        } else {
            Step::Code(format!("{module}.{name}").escape_debug().to_string())
        }
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A little-endian number of `length` bytes, up to 8.
    fn number(&mut self, length: usize) -> Option<u64> {
        let bytes = self.take(length)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, &byte| number << 8 | u64::from(byte)),
        )
    }

    fn line(&mut self) -> Option<Rc<str>> {
        let length = self.bytes.get(self.at..)?.iter().position(|&byte| byte == b'\n')?;
        let line = String::from_utf8_lossy(self.take(length)?).into();
        self.take(1)?;
        Some(line)
    }

    fn other(&mut self, arguments: usize) -> Option<()> {
        self.take(arguments)?;
        self.stack.push(Item::Other);
        Some(())
    }

    /// Bytes with a size prefix of `length` bytes.
    fn sized(&mut self, length: usize) -> Option<()> {
        let size = usize::try_from(self.number(length)?).ok()?;
        self.other(size)
    }

    fn text(&mut self, length: usize) -> Option<()> {
        let size = usize::try_from(self.number(length)?).ok()?;
        let text = String::from_utf8_lossy(self.take(size)?).into();
        self.stack.push(Item::Text(text));
        Some(())
    }

    fn pop(&mut self, count: usize) -> Option<()> {
        self.stack.truncate(self.stack.len().checked_sub(count)?);
        Some(())
    }

    fn replace(&mut self, count: usize) -> Option<()> {
        self.pop(count)?;
        self.stack.push(Item::Other);
        Some(())
    }

    fn pop_mark(&mut self) -> Option<()> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark))?;
        self.stack.truncate(mark);
        Some(())
    }
}

/// Whether PyTorch uses this name for tensors or the plain values stored with them.
fn is_data(module: &str, name: &str) -> bool {
    match module {
        "torch" => {
            name.ends_with("Storage")
                || matches!(name, "Size" | "Tensor" | "device" | "dtype")
                || matches!(
                    name,
                    "strided" | "contiguous_format" | "channels_last" | "preserve_format"
                )
                || is_torch_type(name)
        }
        "torch.storage" => matches!(
            name,
            "TypedStorage" | "UntypedStorage" | "_TypedStorage" | "_UntypedStorage"
        ),
        "torch._utils" => name.starts_with("_rebuild_"),
        "torch._tensor" => name == "_rebuild_from_type_v2",
        "torch.nn.parameter" => matches!(name, "Parameter" | "Buffer"),
        "collections" => matches!(name, "OrderedDict" | "defaultdict" | "Counter"),
        "builtins" | "__builtin__" => matches!(
            name,
            "set"
                | "frozenset"
                | "dict"
                | "list"
                | "tuple"
                | "int"
                | "float"
                | "bool"
                | "complex"
                | "str"
                | "bytes"
                | "bytearray"
                | "slice"
                | "range"
        ),
        "numpy" => matches!(name, "dtype" | "ndarray"),
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "scalar" | "_reconstruct"),
        "_codecs" => name == "encode",
        // Layers of a model that was saved as a whole.
        _ => module.starts_with("torch.nn.modules."),
    }
}

fn is_torch_type(name: &str) -> bool {
    matches!(
        name,
        "bool" | "half" | "float" | "double" | "int" | "long" | "short" | "bfloat16"
    ) || ["float", "int", "uint", "complex"]
        .iter()
        .filter_map(|kind| name.strip_prefix(kind))
        .any(|bits| !bits.is_empty() && bits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(bytes: &[u8]) -> String {
        match scan(bytes) {
            Err(PickleRefusal::Code(name)) => name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn code_is_detected_in_every_encoding() {
        // Python 3's pickle of an object whose `__reduce__` is `(os.system, ("id",))`, at protocols 0, 2 and 4.
        assert_eq!(code(b"cposix\nsystem\np0\n(Vid\np1\ntp2\nRp3\n."), "posix.system");
        assert_eq!(
            code(b"\x80\x02cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03."),
            "posix.system"
        );
        assert_eq!(
            code(b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."),
            "posix.system"
        );
        // A call whose result is dropped, a call from the memo, the opcode of old classes, and an extension number.
        assert_eq!(code(b"}(cos\nsystem\nVid\ntR01."), "os.system");
        assert_eq!(code(b"\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93."), "os.system");
        assert_eq!(code(b"(Vid\nios\nsystem\n."), "os.system");
        assert_eq!(code(b"\x82\x07."), "extension 7");
        // A computed name is unknown and never harmless.
        assert!(code(b"K\x01K\x02\x93.").contains("computed"));
        // PyTorch's names are not all data either.
        assert_eq!(code(b"ctorch.hub\nload\n."), "torch.hub.load");
        assert_eq!(code(b"ctorch\nload\n."), "torch.load");
        assert_eq!(
            code(b"ctorch.storage\n_load_from_bytes\n."),
            "torch.storage._load_from_bytes"
        );
        assert_eq!(code(b"c__main__\nNet\n)\x81."), "__main__.Net");
        // Control characters in the file do not reach a terminal.
        assert_eq!(code(b"c\x1b[2J\nx\n."), "\\u{1b}[2J.x");
    }

    #[test]
    fn a_pickle_of_tensors_is_accepted() {
        let pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00wq\x02ctorch._utils\n_rebuild_tensor_v2\n\
            q\x03((X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x000q\x06X\x03\x00\x00\x00cpuq\x07K\x02t\
            q\x08QK\x00K\x02\x85q\x09K\x01\x85q\x0a\x89h\x00)Rq\x0btq\x0cRq\x0ds.";
        assert_eq!(scan(pickle), Ok(pickle.len()));
        assert_eq!(scan(b"I1\n.and other bytes"), Ok(4));
        assert!(is_data("torch", "int8") && is_data("torch", "bfloat16") && !is_data("torch", "intensity"));
    }

    #[test]
    fn truncated_or_oversized_pickles_are_malformed() {
        assert_eq!(scan(b""), Err(PickleRefusal::Malformed(0)));
        assert_eq!(scan(b"I1\n"), Err(PickleRefusal::Malformed(3)));
        assert_eq!(
            scan(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff."),
            Err(PickleRefusal::Malformed(0))
        );
        assert_eq!(scan(b"R."), Err(PickleRefusal::Malformed(0)));
        assert_eq!(scan(b"t."), Err(PickleRefusal::Malformed(0)));
        assert_eq!(scan(b"h\x05."), Err(PickleRefusal::Malformed(0)));
        assert_eq!(scan(b"\xee"), Err(PickleRefusal::Malformed(0)));
    }

    proptest! {
        #[test]
        fn scanning_any_bytes_terminates(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(length) = scan(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
