//! `preprocess` on a disk that fills up: a sentence, nothing half written under a final name, and a rerun that completes.

use crate::parts::SHORT;
use crate::rounds;
use std::fs;
use std::path::Path;
use tests::harness::{BuiltDataset, Collection, Program, Tree, on_a_small_disk};

/// Runs `$@` in `$1` with too little room and then with enough, and leaves what there was in between and at the end.
/// `$2` is where to, `$3` what lies on the disk before, `$4` is the program.
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

/// Bytes of all files, as blocks of a tmpfs.
fn blocks(tree: &Path) -> u64 {
    let sizes = Tree::read(tree).unwrap();
    let of = |path: &str| fs::metadata(tree.join(path)).unwrap().len().div_ceil(4096) * 4096;
    sizes.paths().map(of).sum()
}

/// Runs the program, whose data set lies in `DISK/data`, on disks with so little room, and holds what came of it against
/// `expected`. How often the disk was full; none where that cannot be tried.
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
            // The last few blocks decide whether there is room, and they are a file system's own.
            "0" => {}
            "1" => {
                full += 1;
                let sentence = log("stderr");
                assert!(
                    sentence.contains("No space left on device") && sentence.contains("has space left"),
                    "{bytes}: {sentence}"
                );
                let half: Vec<&str> = log("between")
                    .leak()
                    .lines()
                    .filter(|path| path.ends_with("dataset.json"))
                    .collect();
                assert_eq!(half.is_empty(), before.is_none(), "{bytes}: {half:?}");
            }
            other => panic!("{bytes}: exit {other}: {}", log("stderr")),
        }
        let found = Tree::read(&out.join("data")).unwrap();
        assert_eq!(found.differences(expected), [""; 0], "{bytes}");
        fs::remove_dir_all(&out).unwrap();
    }
    println!("full {full} times of {}", sizes.len());
    Some(full)
}

#[test]
fn a_disk_that_fills_up_during_a_build_costs_nothing_but_the_time() {
    let collection = Collection::many(48);
    let whole = BuiltDataset::empty();
    Program::Preprocess
        .command(collection.build_arguments(&whole.path()))
        .args(SHORT)
        .assert()
        .success();
    let all = blocks(&whole.path());
    let rounds = rounds(6) as u64;
    // Half of the places are in the shards, half in the small files that come at the end.
    let mut sizes: Vec<u64> = (1..=rounds.div_ceil(2)).map(|k| all * k / (rounds / 2 + 2)).collect();
    sizes.extend((0..rounds / 2).map(|k| all - 4096 * (1 + 3 * k).min(all / 8192)));
    let arguments = |out: &Path| {
        let words = collection.build_arguments(out).into_iter();
        words.chain(SHORT.map(str::to_owned)).collect()
    };
    let full = fill(&sizes, None, &Tree::read(&whole.path()).unwrap(), arguments);
    assert!(full.is_none_or(|full| full > sizes.len() / 2), "{full:?}");
}

#[test]
fn a_disk_that_is_full_keeps_the_current_split() {
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
