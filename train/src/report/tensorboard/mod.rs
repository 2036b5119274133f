//! Writes a run's history for TensorBoard: `events.out.tfevents.cratedigger`.
//!
//! The file has one record per epoch, and the step is the epoch's number. Records are appended, because TensorBoard
//! continues reading at its last position. A resumed run truncates the epochs that it will train again.
//!
//! The format is implemented here because the crates that write it are unmaintained and need a code generator for four
//! messages.

mod event;
mod record;

use crate::run::directory::{RunDirectory, RunError};
use crate::run::history::{EpochRecord, METRIC_NAMES, values};
use event::Event;
use record::Records;
use shared::runtime::file_error::FileError;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// TensorBoard recognises event files by `tfevents` in the name.
pub const EVENTS_FILE: &str = "events.out.tfevents.cratedigger";

/// Content of the first record.
const FILE_VERSION: &str = "brain.Event:2";

/// A run's event file, open for appending.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
}

impl EventFile {
    /// Opens or creates the run's file and makes it contain exactly the epochs of `history`.
    pub fn open(run: &RunDirectory, history: &[EpochRecord]) -> Result<Self, RunError> {
        let path = run.path(EVENTS_FILE);
        let io_error = |source| {
            RunError::File(FileError {
                path: path.clone(),
                source,
            })
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(io_error(source)),
        };
        let (end, epochs) = valid_prefix(&bytes, history.len() as u64);
        let options = File::options().write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(io_error)?;
        let length = end as u64;
        file.set_len(length).map_err(io_error)?;
        file.seek(SeekFrom::Start(length)).map_err(io_error)?;
        let mut events = Self {
            file,
            path: path.clone(),
        };
        if end == 0 {
            events.write(&Event::Version(FILE_VERSION.into()))?;
        }
        // Epochs that an earlier process trained without writing them here. Their wall time is unknown.
        history[epochs as usize..]
            .iter()
            .try_for_each(|record| events.append(record))?;
        Ok(events)
    }

    /// Appends an epoch.
    pub fn append(&mut self, record: &EpochRecord) -> Result<(), RunError> {
        let sets = [("train", &record.train), ("val", &record.val)];
        let metrics = sets.into_iter().flat_map(|(set, metrics)| {
            let named = METRIC_NAMES.iter().zip(values(metrics));
            named.filter_map(move |(name, metric)| Some((format!("{name}/{set}"), metric?)))
        });
        let others = [
            ("lr", Some(record.lr)),
            ("speed/data_wait", Some(record.data_wait)),
            ("speed/clips_per_second", record.clips_per_second()),
        ];
        let others = others
            .into_iter()
            .filter_map(|(name, metric)| Some((name.to_owned(), metric?)));
        self.write(&Event::Scalars {
            step: record.epoch as u64,
            // `simple_value` has 32 bits.
            scalars: metrics
                .chain(others)
                .map(|(name, metric)| (name, metric as f32))
                .collect(),
        })
    }

    fn write(&mut self, event: &Event) -> Result<(), RunError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let bytes = record::encode(&event.encode(now.as_secs_f64()));
        self.file.write_all(&bytes).map_err(|source| {
            RunError::File(FileError {
                path: self.path.clone(),
                source,
            })
        })
    }
}

/// Length in bytes and number of epochs of the valid beginning of a file: intact records of epochs 1 to at most
/// `epochs`, in order.
fn valid_prefix(bytes: &[u8], epochs: u64) -> (usize, u64) {
    let (mut end, mut found) = (0, 0);
    for (content, record_end) in Records::new(bytes) {
        match Event::decode(content) {
            Some(Event::Version(version)) if end == 0 && version == FILE_VERSION => {}
            Some(Event::Scalars { step, .. }) if end > 0 && step == found + 1 && step <= epochs => found = step,
            _ => break,
        }
        end = record_end;
    }
    (end, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MetricSummary;

    fn epoch(epoch: usize, loss: f64) -> EpochRecord {
        let metrics = |loss| MetricSummary {
            loss,
            top1: Some(0.5),
            macro_f1: 0.25,
            paper: [0.9, 0.8, 0.7, 0.6],
            auc_roc: None,
            auc_pr: None,
        };
        EpochRecord {
            epoch,
            seconds: 2.0,
            data_wait: 0.125,
            clips: 70,
            lr: 1e-3,
            train: metrics(2.0 * loss),
            val: metrics(loss),
        }
    }

    fn read(run: &RunDirectory) -> Vec<(u64, f32)> {
        let bytes = run.read(EVENTS_FILE).unwrap().unwrap();
        let mut end = 0;
        let mut found = Vec::new();
        for (content, record_end) in Records::new(&bytes) {
            end = record_end;
            match Event::decode(content).unwrap() {
                Event::Version(version) => assert_eq!((version.as_str(), found.len()), (FILE_VERSION, 0)),
                Event::Scalars { step, scalars } => {
                    let get = |name: &str| scalars.iter().find(|(known, _)| known == name).unwrap().1;
                    assert_eq!((get("loss/train"), get("paper_f1/train")), (2.0 * get("loss/val"), 0.6));
                    assert_eq!((get("speed/data_wait"), get("speed/clips_per_second")), (0.125, 35.0));
                    assert!(scalars.iter().all(|(name, _)| !name.starts_with("auc")));
                    found.push((step, get("loss/val")));
                }
            }
        }
        assert_eq!(end, bytes.len(), "all records are intact");
        found
    }

    #[test]
    fn a_resumed_run_has_each_epoch_once() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDirectory::begin(root.path()).unwrap();
        let history: Vec<_> = (1..=4).map(|number| epoch(number, 1.0 / number as f64)).collect();
        let mut events = EventFile::open(&run, &[]).unwrap();
        history[..3].iter().try_for_each(|epoch| events.append(epoch)).unwrap();
        drop(events);
        assert_eq!(read(&run), [(1, 1.0), (2, 0.5), (3, 1.0 / 3.0)]);
        // The checkpoint is older than the last epoch, which is trained again.
        let mut events = EventFile::open(&run, &history[..2]).unwrap();
        assert_eq!(read(&run), [(1, 1.0), (2, 0.5)]);
        events.append(&epoch(3, 0.25)).unwrap();
        assert_eq!(read(&run), [(1, 1.0), (2, 0.5), (3, 0.25)]);
        // The file was truncated when the process was killed. Missing epochs are taken from the history.
        let bytes = run.read(EVENTS_FILE).unwrap().unwrap();
        for length in [bytes.len() - 3, bytes.len() / 2, 20, 3, 0] {
            run.write(EVENTS_FILE, &bytes[..length]).unwrap();
            EventFile::open(&run, &history).unwrap();
            assert_eq!(read(&run), [(1, 1.0), (2, 0.5), (3, 1.0 / 3.0), (4, 0.25)], "{length}");
        }
        // A file with other content is overwritten.
        run.write(EVENTS_FILE, &[0xAB; 300]).unwrap();
        EventFile::open(&run, &history[..1]).unwrap();
        assert_eq!(read(&run), [(1, 1.0)]);
    }
}
