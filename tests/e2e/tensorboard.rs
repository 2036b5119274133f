//! `train fit --tensorboard`: the file of events, read here as TensorBoard's own documents say, without the program's code.

use crate::papers::{fit, genres};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tests::harness::Program;

/// CRC-32C, bit by bit, turned and shifted as TFRecord files want it.
fn masked_crc(bytes: &[u8]) -> u32 {
    let crc = !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 * (crc & 1)))
    });
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// The contents of a file's records.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let (length, behind) = rest.split_at(8);
        let count = u64::from_le_bytes(length.try_into().unwrap()) as usize;
        assert_eq!(behind[..4], masked_crc(length).to_le_bytes());
        let content = &behind[4..4 + count];
        assert_eq!(behind[4 + count..8 + count], masked_crc(content).to_le_bytes());
        records.push(content.to_vec());
        rest = &behind[8 + count..];
    }
    records
}

fn holds(record: &[u8], text: &str) -> bool {
    record.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn every_epoch_is_an_event_and_a_resumed_run_goes_on_with_them() {
    let root = TempDir::new().unwrap();
    let run = root.path().join("run");
    let events = run.join("events.out.tfevents.cratedigger");
    fit(&genres().path(), "mfcc-dense", &run, &[]).assert().success();
    assert!(!events.exists());
    // The first epoch is in the history, and comes from there.
    for (epochs, more) in [("2", &["--tensorboard"][..]), ("3", &[])] {
        let mut resumed = Program::Train.command(["fit", "--resume", "--device", "cpu", "--epochs", epochs, "--run"]);
        resumed.arg(&run).args(more).assert().success();
        let records = records(&events);
        assert!(holds(&records[0], "brain.Event:2"));
        assert_eq!((records.len() - 1).to_string(), epochs);
        for (epoch, record) in records[1..].iter().enumerate() {
            // Field 2, a varint, behind eight bytes of field 1 and its key.
            assert_eq!(record[9..11], [0x10, epoch as u8 + 1]);
            for name in [
                "loss/train",
                "loss/val",
                "top1/val",
                "macro_f1/train",
                "paper_f1/val",
                "speed/clips_per_second",
            ] {
                assert!(holds(record, name), "{name}");
            }
        }
    }
}
