//! Text for quantities and paths: sizes, counts, durations, dates, file names.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `1.23 GB`, in powers of ten.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.2} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

/// Duration of `samples` samples, in hours.
pub fn hours(samples: u64, sample_rate: u32) -> f64 {
    samples as f64 / f64::from(sample_rate) / 3600.0
}

/// `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 track`, `2 tracks`.
pub fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{} {}", grouped(count as u64), if count == 1 { one } else { more })
}

/// `4.2 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let rounded = seconds.round() as u64;
    match rounded {
        0..60 if seconds < 10.0 => format!("{seconds:.1} s"),
        0..60 => format!("{rounded} s"),
        60..3600 => format!("{} min {} s", rounded / 60, rounded % 60),
        _ => format!("{} h {} min", grouped(rounded / 3600), rounded % 3600 / 60),
    }
}

/// `3:07`, or `1:02:45` for an hour or more.
pub fn clock(seconds: f64) -> String {
    let total = seconds.round() as u64;
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `2026-11-29 15:04`, in UTC; `None` before 1970 and after 9999, which a damaged file system may give.
pub fn date(time: SystemTime) -> Option<String> {
    /// The first second of the year 10000, which `humantime` cannot format.
    const END: Duration = Duration::from_secs(253_402_300_800);
    if time.duration_since(UNIX_EPOCH).ok()? >= END {
        return None;
    }
    let seconds = humantime::format_rfc3339_seconds(time).to_string();
    Some(seconds.replace('T', " ").chars().take(16).collect())
}

/// The last part of a path, or the whole path if it has none, such as `.` and `/`.
pub fn last_part(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// A path for display. Control characters are escaped, so a name cannot break lines or send commands to the terminal.
pub fn shown(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// `part` of `whole` in percent; 0 if `whole` is 0.
pub fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_readable() {
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(2_644_000), "2.64 MB");
        assert_eq!(size(512_000_000_000), "512.00 GB");
        for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(count), text);
        }
        assert_eq!(counted(1, "track", "tracks"), "1 track");
        assert_eq!(counted(1200, "track", "tracks"), "1,200 tracks");
        assert_eq!((percent(1.0, 4.0), percent(0.0, 0.0)), (25.0, 0.0));
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (0.25, "0.2 s"),
            (59.4, "59 s"),
            (59.6, "1 min 0 s"),
            (3599.0, "59 min 59 s"),
            (7500.0, "2 h 5 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn clocks_have_hours_only_if_needed() {
        assert_eq!(
            [0.2, 59.6, 187.0, 3765.0].map(clock),
            ["0:00", "1:00", "3:07", "1:02:45"]
        );
    }

    #[test]
    fn dates_are_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_211_599);
        assert_eq!(date(time).unwrap(), "2024-02-29 12:59");
        assert_eq!(date(UNIX_EPOCH).unwrap(), "1970-01-01 00:00");
        let end = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        assert_eq!(date(end - Duration::from_secs(1)).unwrap(), "9999-12-31 23:59");
    }

    #[test]
    fn years_before_1970_and_after_9999_have_no_date() {
        let end = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        for time in [end, UNIX_EPOCH - Duration::from_secs(1)] {
            assert_eq!(date(time), None);
        }
    }
}
