//! How much of the data set the machine's memory holds.

use std::fs;

/// Bytes that can be used without pushing anything out of memory, as far as the system says: what Linux estimates as
/// available, or what is left of the control group's limit where that is less.
pub fn available() -> Option<u64> {
    let free = parse_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let read = |file: &str| {
        fs::read_to_string(format!("/sys/fs/cgroup/{file}"))
            .ok()?
            .trim()
            .parse::<u64>()
            .ok()
    };
    let left = read("memory.max").map(|limit| limit.saturating_sub(read("memory.current").unwrap_or(0)));
    Some(left.map_or(free, |left| left.min(free)))
}

fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// How many shards to shuffle together: 0, all of them, where half of `available` holds them; else as many as a quarter
/// holds, so that one window can be read while another is trained on.
pub fn shuffle_window(bytes: u64, shards: usize, available: Option<u64>) -> usize {
    match available {
        Some(available) if bytes > available / 2 => {
            let shard = (bytes / shards.max(1) as u64).max(1);
            usize::try_from(available / 4 / shard).map_or(usize::MAX, |window| window.max(1))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_found_among_the_others() {
        let text = "MemTotal:       24614116 kB\nMemFree:  100 kB\nMemAvailable:   2048 kB\nBuffers: 1 kB\n";
        assert_eq!(parse_meminfo(text), Some(2 << 20));
        assert_eq!(parse_meminfo("MemTotal: 5 kB\n"), None);
        #[cfg(target_os = "linux")]
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn a_set_that_fits_is_shuffled_as_a_whole() {
        assert_eq!(shuffle_window(100, 10, Some(200)), 0);
        assert_eq!(shuffle_window(100, 10, None), 0);
        // 10 bytes a shard, 25 for a window.
        assert_eq!(shuffle_window(101, 10, Some(100)), 2);
        assert_eq!(shuffle_window(1 << 40, 4, Some(1 << 20)), 1);
    }
}
