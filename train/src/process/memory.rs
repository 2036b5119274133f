//! How much of the data set the machine's memory holds.

use std::fs;
use std::path::Path;

/// Bytes that can be used without pushing anything out of memory, as far as the system says: what Linux estimates as
/// available, or what is left of the control groups' limits where that is less.
pub fn available() -> Option<u64> {
    let free = parse_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(left_by_limits(Path::new("/")).map_or(free, |left| left.min(free)))
}

fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// Where a version of control groups keeps its memory limits, relative to `/`.
struct Hierarchy {
    mount: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` that counts cached file pages, which the kernel drops before the limit is reached.
    reclaimable: &'static str,
}

const VERSION_1: Hierarchy = Hierarchy {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};
const VERSION_2: Hierarchy = Hierarchy {
    mount: "sys/fs/cgroup",
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: "inactive_file",
};

/// What the memory limits of this process leave, with the file system's root in `root`; `None` where nothing is limited.
///
/// A batch system limits the group of a job, a container runtime that of a container. Every group above counts too.
fn left_by_limits(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let left = groups.lines().filter_map(|line| {
        let (hierarchy, group) = parse_group(line)?;
        let mount = root.join(hierarchy.mount);
        // Inside a container the outer part of the path is not mounted: those groups have no files here.
        let of_groups = Path::new(group.trim_start_matches('/')).ancestors();
        of_groups.filter_map(|group| hierarchy.left(&mount.join(group))).min()
    });
    left.min()
}

/// A line of `/proc/self/cgroup`, `hierarchy:controllers:path`, where it is about memory.
fn parse_group(line: &str) -> Option<(&'static Hierarchy, &str)> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
    if number == "0" && controllers.is_empty() {
        Some((&VERSION_2, group))
    } else {
        let has_memory = controllers.split(',').any(|controller| controller == "memory");
        has_memory.then_some((&VERSION_1, group))
    }
}

impl Hierarchy {
    /// What a group's limit leaves; `None` where it has none.
    fn left(&self, group: &Path) -> Option<u64> {
        let read = |file: &str| fs::read_to_string(group.join(file)).ok();
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
        let limit = number(self.limit)?;
        let stat = read("memory.stat").unwrap_or_default();
        let reclaimable = stat.lines().find_map(|line| {
            let (name, bytes) = line.split_once(' ')?;
            (name == self.reclaimable).then(|| bytes.parse::<u64>().ok())?
        });
        let used = number(self.usage).unwrap_or(0).saturating_sub(reclaimable.unwrap_or(0));
        Some(limit.saturating_sub(used))
    }
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
    use tempfile::TempDir;

    #[test]
    fn available_memory_is_found_among_the_others() {
        let text = "MemTotal:       24614116 kB\nMemFree:  100 kB\nMemAvailable:   2048 kB\nBuffers: 1 kB\n";
        assert_eq!(parse_meminfo(text), Some(2 << 20));
        assert_eq!(parse_meminfo("MemTotal: 5 kB\n"), None);
        #[cfg(target_os = "linux")]
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }

    /// A root directory with these files.
    fn tree(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn left(files: &[(&str, &str)]) -> Option<u64> {
        left_by_limits(tree(files).path())
    }

    #[test]
    fn the_limit_of_a_slurm_job_is_found_in_its_own_control_group() {
        let step = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0";
        let job = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7";
        let group = (
            "proc/self/cgroup",
            "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n",
        );
        let of = |directory: &str, file: &str| format!("{directory}/{file}");
        let (limit, usage) = (of(job, "memory.max"), of(job, "memory.current"));
        let (inner, outer) = (of(step, "memory.max"), "sys/fs/cgroup/memory.max");
        // The job is limited, the groups inside and outside of it are not.
        let limited = [group, (&limit, "1000\n"), (&usage, "300\n"), (&inner, "max\n")];
        assert_eq!(left(&limited), Some(700));
        // The lowest of several counts.
        assert_eq!(left(&[group, (&limit, "1000\n"), (&inner, "900\n")]), Some(900));
        assert_eq!(left(&[group, (&limit, "1000\n"), (outer, "400\n")]), Some(400));
        // Cached file pages are given back when memory is asked for.
        let stat = of(job, "memory.stat");
        let caching = [
            limited[0],
            limited[1],
            limited[2],
            (&stat, "anon 100\ninactive_file 200\n"),
        ];
        assert_eq!(left(&caching), Some(900));
        assert_eq!(left(&[group, (&limit, "max\n")]), None);
    }

    #[test]
    fn control_groups_of_version_1_and_containers_are_understood() {
        let groups = "12:cpu,cpuacct:/slurm/uid_5\n7:memory:/slurm/uid_5/job_7\n0::/init.scope\n";
        let job = "sys/fs/cgroup/memory/slurm/uid_5/job_7";
        let files = [
            ("proc/self/cgroup".to_owned(), groups),
            (format!("{job}/memory.limit_in_bytes"), "5000\n"),
            (format!("{job}/memory.usage_in_bytes"), "1500\n"),
            (
                format!("{job}/memory.stat"),
                "inactive_file 1\ntotal_inactive_file 500\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes".into(),
                "9223372036854771712\n",
            ),
        ];
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(left(&files), Some(4000));
        // A container sees its own group at the root, under the path that it has outside.
        let container = [
            ("proc/self/cgroup", "0::/docker/0123\n"),
            ("sys/fs/cgroup/memory.max", "800\n"),
            ("sys/fs/cgroup/memory.current", "900\n"),
        ];
        assert_eq!(left(&container), Some(0));
        for nothing in ["", "garbage\n", "0::\n", "7:memory\n"] {
            assert_eq!(left(&[("proc/self/cgroup", nothing)]), None, "{nothing}");
        }
        assert_eq!(left(&[]), None);
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
