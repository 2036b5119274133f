//! Tests with malicious files, built byte by byte.

use super::crafted::{Archive, Entry, legacy_file, state_dict, zip_file};
use super::*;

const EVIL: &[u8] = b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.";

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Archive::default();
    for (name, bytes) in entries {
        archive.add(name, bytes);
    }
    archive.finish()
}

#[test]
fn weights_are_accepted_in_both_formats() {
    let entries = [Entry::new("conv.weight", &[2, 3])];
    check(&zip_file(&entries)).unwrap();
    check(&legacy_file(&state_dict(&entries), &entries)).unwrap();
    check(&state_dict(&entries)).unwrap();
}

#[test]
fn code_is_refused_in_every_format() {
    let refused = |bytes: &[u8]| check(bytes).unwrap_err().to_string();
    let good = state_dict(&[]);
    for bytes in [
        archive(&[("model/data.pkl", EVIL)]),
        // A second pickle in the same archive.
        archive(&[("model/data.pkl", &good), ("model/inner/data.pkl", EVIL)]),
        archive(&[("data.pkl", EVIL)]),
        legacy_file(EVIL, &[]),
        EVIL.to_vec(),
    ] {
        let message = refused(&bytes);
        assert!(
            message.contains("`posix.system`") && message.contains("nothing was run"),
            "{message}"
        );
    }
}

#[test]
fn entries_outside_the_archive_or_with_wrong_sizes_are_refused() {
    let good = state_dict(&[]);
    for name in [
        "../data/0",
        "model/../../x",
        "/etc/cron.d/x",
        "..\\x",
        "C:\\x",
        "model/data/..\\..\\0",
    ] {
        let refusal = check(&archive(&[("model/data.pkl", &good), (name, b"x")])).unwrap_err();
        assert!(matches!(refusal, Refusal::Path(_)), "{name}: {refusal}");
    }
    let mut bomb = Archive::default();
    bomb.add("model/data.pkl", &good);
    bomb.add_promising("model/data/0", b"x", u64::MAX / 8);
    let refusal = check(&bomb.finish()).unwrap_err();
    assert!(
        matches!(refusal, Refusal::Size { promised, .. } if promised == u64::MAX / 8),
        "{refusal}"
    );
    let mut packed = Archive::default();
    packed.add_deflated("model/data.pkl", &[0; 1000]);
    let refusal = check(&packed.finish()).unwrap_err();
    assert!(matches!(refusal, Refusal::Size { .. }), "{refusal}");
}

#[test]
fn truncated_archives_and_tar_files_are_refused() {
    let archive = zip_file(&[Entry::new("conv.weight", &[2, 3])]);
    for length in 0..archive.len() {
        assert!(check(&archive[..length]).is_err(), "{length} bytes");
    }
    let mut tar = vec![0; 600];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(matches!(check(&tar), Err(Refusal::Tar)));
}
