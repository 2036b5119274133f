//! Small collections of real MP3 files for the tests of this crate. They are written bit by bit, so no encoder is
//! needed and a track takes a millisecond.

use crate::build::pipeline::{self, BuildConfig};
use crate::build::progress::BuildProgress;
use crate::build::report::BuildReport;
use crate::source::Source;
use crate::source::fma::Subset;
use crate::split::{self, Method, Ratios, SplitConfig, Strategy};
use crate::verify::VerifyProgress;
use rand::RngExt;
use shared::audio::extract::Extractor;
use shared::audio::validate::ValidateConfig;
use shared::dataset::split::Split;
use shared::dataset::statistics::TrackSummary;
use shared::dsp::features::FeatureConfig;
use shared::recordings::{MAX_ROWS, Peak};
use shared::runtime::rng::{self, Purpose};
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Samples in an MP3 frame of [`tone`].
pub const FRAME: usize = 1152;

/// MP3 frames (mono, 44,100 Hz, 64 kbit/s) of a steady low tone. `gain` is MP3's global gain: adding 4 doubles the
/// amplitude, and 210 is near full scale.
pub fn tone(frames: usize, gain: u8) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0xfffb_50c4, 32);
    // Side information: no bits of earlier frames, no shared scale factors.
    bits.push(0, 9 + 5 + 4);
    for _granule in 0..2 {
        bits.push(3, 12); // bits of main data
        bits.push(1, 9); // one pair of values
        bits.push(gain.into(), 8);
        bits.push(0, 4 + 1); // no scale factors, long blocks
        bits.push(1, 5); // the pair in Huffman table 1
        bits.push(0, 5 + 5 + 4 + 3 + 3);
    }
    for _granule in 0..2 {
        bits.push(0b010, 3); // the pair (1, 0) and a positive sign
    }
    let mut frame = bits.bytes;
    frame.resize(144 * 64_000 / 44_100, 0);
    frame.repeat(frames)
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn push(&mut self, value: u32, width: usize) {
        for at in (0..width).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> at & 1) as u8;
            *self.bytes.last_mut().unwrap() |= bit << (7 - self.count % 8);
            self.count += 1;
        }
    }
}

/// Audio files and a table in the format of FMA.
pub struct Collection {
    root: TempDir,
    rows: String,
}

impl Collection {
    pub fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            rows: ",album,artist,set,set,track\n,id,id,split,subset,genre_top\ntrack_id,,,,,\n".into(),
        }
    }

    pub fn audio(&self) -> PathBuf {
        self.root.path().join("audio")
    }
    pub fn out(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Lists a track whose artist is its id, and writes its file.
    pub fn track(&mut self, track_id: u64, genre: &str, mp3: &[u8]) -> &mut Self {
        self.listed(track_id, genre);
        self.file(&format!("{:03}/{track_id:06}.mp3", track_id / 1000), mp3)
    }

    /// Lists a track without a file.
    pub fn listed(&mut self, track_id: u64, genre: &str) -> &mut Self {
        writeln!(self.rows, "{track_id},-1,{track_id},training,small,{genre}").unwrap();
        self
    }
    pub fn file(&mut self, path: &str, content: &[u8]) -> &mut Self {
        let path = self.audio().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// A build configuration that accepts tracks of three frames.
    pub fn config(&self, name: &str) -> BuildConfig {
        let table = self.root.path().join("tracks.csv");
        fs::write(&table, &self.rows).unwrap();
        BuildConfig {
            audio: self.audio(),
            source: Source::Fma {
                table,
                subset: Subset::Small,
            },
            out: self.out(name),
            part: None,
            preset: None,
            features: FeatureConfig::default(),
            validate: ValidateConfig {
                min_samples: 3 * FRAME as u64,
                ..ValidateConfig::default()
            },
            drop: Vec::new(),
            jobs: 2,
        }
    }

    pub fn build(&self, name: &str) -> anyhow::Result<BuildReport> {
        self.build_into(&self.out(name))
    }

    /// Builds into a directory that may belong to another collection.
    pub fn build_into(&self, out: &Path) -> anyhow::Result<BuildReport> {
        let config = BuildConfig {
            out: out.to_owned(),
            ..self.config("out")
        };
        pipeline::build(&config, &mut NoProgress)
    }
}

/// The summary, with the default features, of a track that covers `steps` of the recording `seed`. The recording has
/// about one spectral peak every eighth of a second.
pub fn excerpt(track_id: u64, seed: u64, steps: Range<u32>) -> TrackSummary {
    let mut rng = rng::stream(seed, 0, 0, Purpose::Crop);
    let all = (0..2000).map(|at| Peak {
        step: 5 * at + rng.random_range(0..5),
        row: rng.random_range(0..MAX_ROWS as u8),
    });
    let features = FeatureConfig::default();
    TrackSummary {
        frames: u64::from(steps.end - steps.start),
        peaks: all
            .filter(|peak| steps.contains(&peak.step))
            .map(|peak| Peak {
                step: peak.step - steps.start,
                ..peak
            })
            .collect(),
        ..TrackSummary::new(track_id, &[1], &vec![half::f16::ZERO; features.n_mels], &features)
    }
}

/// Three good tracks of two classes.
pub fn three_tracks() -> Collection {
    let mut collection = Collection::new();
    collection
        .track(2, "Folk", &tone(4, 200))
        .track(5, "Rock", &tone(5, 190))
        .track(1003, "Folk", &tone(6, 195));
    collection
}

/// Tracks with every kind of fault, and two tracks that get a flag.
pub fn mixed() -> Collection {
    let mut collection = three_tracks();
    let damaged = {
        let mut mp3 = tone(60, 180);
        let middle = mp3.len() / 2;
        // Side information that refers to more data than there is.
        mp3[middle + 4..middle + 21].fill(0xff);
        mp3
    };
    collection
        .track(7, "Folk", b"")
        .track(8, "Folk", &b"<html>404 Not Found</html>\n".repeat(40))
        .track(9, "Folk", &[3, 99, 4].repeat(2000))
        .listed(10, "Folk")
        .track(11, "", &tone(5, 200))
        .track(12, "Rock", &tone(2, 200))
        .track(13, "Rock", &tone(5, 100))
        .track(14, "Rock", &tone(5, 190))
        .track(15, "Rock", &tone(5, 157))
        .track(16, "Rock", &[&tone(5, 170), [0x55; 4000].as_slice()].concat())
        .track(17, "Rock", &damaged)
        .file("000/000099.mp3", &tone(5, 200))
        .file("stray.mp3", b"");
    collection
}

/// Creates a random split with sets of about equal size and makes it current.
pub fn split_at_random(root: &Path, seed: u64) -> Split {
    let config = SplitConfig {
        dataset: root.to_owned(),
        name: None,
        strategy: Strategy::Drawn {
            method: Method::Random,
            ratios: "34,33,33".parse::<Ratios>().unwrap(),
            seed,
        },
    };
    split::make(&config).unwrap().split
}

/// Ignores progress.
pub struct NoProgress;

impl BuildProgress for NoProgress {}

impl VerifyProgress for NoProgress {}

/// Panics after this many tracks, to simulate a crash.
pub struct Crash(pub usize);

impl BuildProgress for Crash {
    fn track(&mut self, _: bool) {
        assert!(self.0 > 0, "crash");
        self.0 -= 1;
    }
}

/// All files below a directory with their contents, in the order of their paths.
pub fn contents(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path).into_iter().map(|(inside, content)| {
                let name = PathBuf::from(path.file_name().unwrap());
                (name.join(inside), content)
            }));
        } else {
            found.push((path.file_name().unwrap().into(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn amplitude_of_a_tone_follows_its_gain() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tone.mp3");
    let mut extractor = Extractor::new(&FeatureConfig::default(), &ValidateConfig::default());
    let mut peak = |gain| {
        fs::write(&path, tone(20, gain)).unwrap();
        let waveform = extractor.read_waveform(&path).unwrap();
        assert_eq!((waveform.samples.len(), waveform.report.bad_frames), (20 * FRAME, 0));
        shared::audio::validate::peak(&waveform.samples)
    };
    let (quiet, loud) = (f64::from(peak(196)), f64::from(peak(200)));
    assert!(quiet > 100.0 && (loud / quiet - 2.0).abs() < 0.01, "{quiet} {loud}");
}
