//! Available memory, and how many shards can be shuffled together in it.

use std::fs;
use std::path::Path;

/// Available memory in bytes: Linux's own estimate or the rest of the control groups' limits, whichever is less. `None`
/// if `/proc/meminfo` cannot be read.
pub fn available() -> Option<u64> {
    let free = parse_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)?;
    Some(left_by_limits(Path::new("/")).map_or(free, |left| left.min(free)))
}

fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// The memory files of one version of control groups; `mount` is relative to `/`.
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

/// Bytes left under the memory limits of this process; `None` without a limit. `root` is the root of the file system.
///
/// A batch system limits the group of a job, a container runtime that of a container. The limits of all parent groups
/// apply too.
fn left_by_limits(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let left = groups.lines().filter_map(|line| {
        let (hierarchy, group) = parse_group(line)?;
        let mount = root.join(hierarchy.mount);
        // Inside a container the outer groups are not mounted, so their files are missing.
        let groups = Path::new(group.trim_start_matches('/')).ancestors();
        groups.filter_map(|group| hierarchy.left(&mount.join(group))).min()
    });
    left.min()
}

/// Parses a line of `/proc/self/cgroup`, `hierarchy:controllers:path`; `None` if it is not about memory.
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
    /// Bytes left under a group's limit; `None` if it has no limit.
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

/// How many shards to shuffle together. 0 means all, if they fit into half of `available`. Otherwise as many as fit
/// into a quarter, because one window is read while another is trained on.
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
    fn available_memory_is_parsed_from_meminfo() {
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
    fn lowest_memory_limit_of_a_slurm_jobs_control_groups_applies() {
        let step = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7/step_0";
        let job = "sys/fs/cgroup/system.slice/slurmstepd.scope/job_7";
        let group = (
            "proc/self/cgroup",
            "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n",
        );
        let file_in = |directory: &str, file: &str| format!("{directory}/{file}");
        let (limit, usage) = (file_in(job, "memory.max"), file_in(job, "memory.current"));
        let (inner, outer) = (file_in(step, "memory.max"), "sys/fs/cgroup/memory.max");
        // Only the job's group is limited.
        let limited = [group, (&limit, "1000\n"), (&usage, "300\n"), (&inner, "max\n")];
        assert_eq!(left(&limited), Some(700));
        // The lowest of several counts.
        assert_eq!(left(&[group, (&limit, "1000\n"), (&inner, "900\n")]), Some(900));
        assert_eq!(left(&[group, (&limit, "1000\n"), (outer, "400\n")]), Some(400));
        // Cached file pages count as available, because the kernel can drop them.
        let stat = file_in(job, "memory.stat");
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
    fn version_1_control_groups_and_containers_are_supported() {
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
        // A container sees its own group at the root, but `/proc/self/cgroup` has the path from outside.
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
    fn shuffle_window_is_zero_if_all_shards_fit_into_memory() {
        assert_eq!(shuffle_window(100, 10, Some(200)), 0);
        assert_eq!(shuffle_window(100, 10, None), 0);
        // 10 bytes a shard, 25 for a window.
        assert_eq!(shuffle_window(101, 10, Some(100)), 2);
        assert_eq!(shuffle_window(1 << 40, 4, Some(1 << 20)), 1);
    }
}
