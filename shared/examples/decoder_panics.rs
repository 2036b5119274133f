//! Lists the files of a directory that make a decoder panic, with the location of the panic, and the files that take
//! long to decode. Meant for the corpus of the fuzz target `decode_validate`.
//!
//! ```sh
//! cargo run --release -p shared --example decoder_panics -- DIR
//! ```

#![forbid(unsafe_code)]

use anyhow::{Context, bail};
use shared::audio::decode::Meter;
use shared::audio::validate::Rejection;
use shared::audio::waveform::WaveformReader;
use shared::runtime::guard;
use std::collections::BTreeMap;
use std::fs;
use std::panic;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

static PLACES: Mutex<BTreeMap<String, (usize, String)>> = Mutex::new(BTreeMap::new());
static FILE: Mutex<String> = Mutex::new(String::new());

fn main() -> anyhow::Result<()> {
    let Some(directory) = std::env::args().nth(1) else {
        bail!("give the directory of the files");
    };
    // The guard keeps panics quiet from its first call on; what is set later is called.
    let _ = guard::catch(|| ());
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        if let (Ok(mut places), Ok(file)) = (PLACES.lock(), FILE.lock()) {
            places.entry(place).or_insert_with(|| (0, file.clone())).0 += 1;
        }
    }));
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reader = WaveformReader::new(44_100, 15 * 60 * 44_100);
    for entry in fs::read_dir(&directory).with_context(|| format!("could not read {directory}"))? {
        let path = entry?.path();
        if let Ok(mut file) = FILE.lock() {
            *file = path.display().to_string();
        }
        *codes.entry(read(&mut reader, &path)).or_default() += 1;
    }
    println!("{codes:?}");
    let places = PLACES.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    for (place, (count, file)) in places.iter() {
        println!("{count} at {place}, for one in {file}");
    }
    Ok(())
}

fn read(reader: &mut WaveformReader, path: &Path) -> &'static str {
    const LONG: Duration = Duration::from_millis(500);
    let begin = Instant::now();
    let outcome = reader.read(path, &Arc::new(Meter::default()));
    if begin.elapsed() > LONG {
        let outcome = outcome.as_ref().map(|waveform| waveform.samples.len());
        println!(
            "{:.1} s for {}: {outcome:?}",
            begin.elapsed().as_secs_f64(),
            path.display()
        );
    }
    outcome.map_or_else(|rejection: Rejection| rejection.code(), |_| "decoded")
}
