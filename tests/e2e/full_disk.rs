//! `preprocess` on a disk that fills up reports an error, leaves no incomplete file under its final name, and completes
//! when run again.

use crate::parts::SHORT;
use crate::rounds;
use std::fs;
use std::path::Path;
use tests::harness::{BuiltDataset, Collection, Program, Tree, on_a_small_disk};

/// Runs a command on a disk without enough space and again with enough. `$1` is the disk, `$2` the directory for the
/// results, `$3` the initial content of the disk (none if it is the same as `$2`), and `$4` and later are the command.
/// Results are the stderr and exit code of the first run, the files after it, and a copy of the final data.
const SCRIPT: &str = r#"
disk=$1 out=$2 before=$3; shift 3
[ "$before" = "$out" ] || cp -r "$before/." "$disk/data" || exit 100
"$@" 2> "$out/stderr"
echo $? > "$out/code"
(cd "$disk/data" 2> /dev/null && find . -type f) > "$out/between"
mount -o remount,size=4G "$disk" || exit 101
"$@" 2> "$out/again" || exit 102
cp -r "$disk/data" "$out/data"
"#;

/// Total size of all files in bytes, each rounded up to the blocks of a tmpfs.
fn blocks(tree: &Path) -> u64 {
    let files = Tree::read(tree).unwrap();
    let size = |path: &str| fs::metadata(tree.join(path)).unwrap().len().div_ceil(4096) * 4096;
    files.paths().map(size).sum()
}

/// Runs the program on disks of these sizes, with its data set in `DISK/data`, and compares the final data set with
/// `expected`. Returns how often the disk was full, or `None` if no small disk can be mounted.
fn fill(
    sizes: &[u64],
    before: Option<&Path>,
    expected: &Tree,
    arguments: impl Fn(&Path) -> Vec<String>,
) -> Option<usize> {
    let root = tempfile::tempdir().unwrap();
    let mut full = 0;
    for (number, &bytes) in sizes.iter().enumerate() {
        let (disk, out) = (root.path().join("disk"), root.path().join(number.to_string()));
        fs::create_dir(&out).unwrap();
        let mut words = vec![
            out.clone(),
            before.unwrap_or(&out).to_owned(),
            Program::Preprocess.path().to_owned(),
        ];
        words.extend(arguments(&disk.join("data")).into_iter().map(Into::into));
        let words: Vec<&Path> = words.iter().map(AsRef::as_ref).collect();
        let output = on_a_small_disk(&disk, bytes, SCRIPT, &words)?;
        let log = |file: &str| fs::read_to_string(out.join(file)).unwrap_or_default();
        assert!(output.status.success(), "{bytes}: {output:?} {}", log("again"));
        match log("code").trim() {
            // Within a few blocks, the file system decides whether there is enough space.
            "0" => {}
            "1" => {
                full += 1;
                let message = log("stderr");
                assert!(
                    message.contains("No space left on device") && message.contains("has space left"),
                    "{bytes}: {message}"
                );
                let indexes: Vec<&str> = log("between")
                    .leak()
                    .lines()
                    .filter(|path| path.ends_with("dataset.json"))
                    .collect();
                assert_eq!(indexes.is_empty(), before.is_none(), "{bytes}: {indexes:?}");
            }
            other => panic!("{bytes}: exit {other}: {}", log("stderr")),
        }
        let found = Tree::read(&out.join("data")).unwrap();
        assert_eq!(found.differences(expected), [""; 0], "{bytes}");
        fs::remove_dir_all(&out).unwrap();
    }
    println!("the disk was full {full} of {} times", sizes.len());
    Some(full)
}

#[test]
fn build_completes_when_rerun_after_the_disk_was_full() {
    let collection = Collection::many(48);
    let expected = BuiltDataset::empty();
    Program::Preprocess
        .command(collection.build_arguments(&expected.path()))
        .args(SHORT)
        .assert()
        .success();
    let all = blocks(&expected.path());
    let rounds = rounds(6) as u64;
    // Half of the sizes end within the shards, half within the small files written at the end.
    let mut sizes: Vec<u64> = (1..=rounds.div_ceil(2)).map(|k| all * k / (rounds / 2 + 2)).collect();
    sizes.extend((0..rounds / 2).map(|k| all - 4096 * (1 + 3 * k).min(all / 8192)));
    let arguments = |out: &Path| {
        let words = collection.build_arguments(out).into_iter();
        words.chain(SHORT.map(str::to_owned)).collect()
    };
    let full = fill(&sizes, None, &Tree::read(&expected.path()).unwrap(), arguments);
    assert!(full.is_none_or(|full| full > sizes.len() / 2), "{full:?}");
}

#[test]
fn full_disk_keeps_the_current_split() {
    let before = BuiltDataset::small().copy();
    before.split("--name first").success();
    let after = before.copy();
    after.split("--name second --seed 2").success();
    let all = blocks(&before.path());
    let sizes: Vec<u64> = (0..rounds(4) as u64).map(|k| all + 4096 * (k % 12)).collect();
    let arguments = |data: &Path| {
        let data = data.display().to_string();
        ["split", &data, "--name", "second", "--seed", "2"]
            .map(str::to_owned)
            .to_vec()
    };
    fill(
        &sizes,
        Some(&before.path()),
        &Tree::read(&after.path()).unwrap(),
        arguments,
    );
}
