//! `train fit --tensorboard`: reads the event file independently, according to TensorBoard's format.

use crate::papers::{fit, genres};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tests::harness::Program;

/// CRC-32C, computed bit by bit, masked as in TFRecord files.
fn masked_crc(bytes: &[u8]) -> u32 {
    let crc = !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 * (crc & 1)))
    });
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// The contents of all records of a file.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        let count = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        assert_eq!(after[..4], masked_crc(length).to_le_bytes());
        let content = &after[4..4 + count];
        assert_eq!(after[4 + count..8 + count], masked_crc(content).to_le_bytes());
        records.push(content.to_vec());
        rest = &after[8 + count..];
    }
    records
}

fn contains(record: &[u8], text: &str) -> bool {
    record.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn every_epoch_is_an_event_also_after_resuming() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let events = run.join("events.out.tfevents.cratedigger");
    fit(&genres().path(), "mfcc-dense", &run, &[]).assert().success();
    assert!(!events.exists());
    // The first epoch is taken from the history.
    for (epochs, more) in [("2", &["--tensorboard"][..]), ("3", &[])] {
        let mut resumed = Program::Train.command(["fit", "--resume", "--device", "cpu", "--epochs", epochs, "--run"]);
        resumed.arg(&run).args(more).assert().success();
        let records = records(&events);
        assert!(contains(&records[0], "brain.Event:2"));
        assert_eq!((records.len() - 1).to_string(), epochs);
        for (epoch, record) in records[1..].iter().enumerate() {
            // Field 2, a varint, comes after field 1, which has a key and eight bytes.
            assert_eq!(record[9..11], [0x10, epoch as u8 + 1]);
            for name in [
                "loss/train",
                "loss/val",
                "top1/val",
                "macro_f1/train",
                "paper_f1/val",
                "speed/clips_per_second",
            ] {
                assert!(contains(record, name), "{name}");
            }
        }
    }
}
