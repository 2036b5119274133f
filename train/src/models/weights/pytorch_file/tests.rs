//! Files that nobody should be sent, made byte by byte.

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
fn weights_pass_in_both_formats() {
    let entries = [Entry::new("conv.weight", &[2, 3])];
    check(&zip_file(&entries)).unwrap();
    check(&legacy_file(&state_dict(&entries), &entries)).unwrap();
    check(&state_dict(&entries)).unwrap();
}

#[test]
fn code_is_named_wherever_it_hides() {
    let refused = |bytes: &[u8]| check(bytes).unwrap_err().to_string();
    let good = state_dict(&[]);
    for bytes in [
        archive(&[("model/data.pkl", EVIL)]),
        // Beside the one that is read first.
        archive(&[("model/data.pkl", &good), ("model/inner/data.pkl", EVIL)]),
        archive(&[("data.pkl", EVIL)]),
        legacy_file(EVIL, &[]),
        EVIL.to_vec(),
    ] {
        let said = refused(&bytes);
        assert!(
            said.contains("`posix.system`") && said.contains("nothing was run"),
            "{said}"
        );
    }
}

#[test]
fn entries_stay_in_the_archive_and_are_what_they_promise() {
    let good = state_dict(&[]);
    for name in [
        "../data/0",
        "model/../../x",
        "/etc/cron.d/x",
        "..\\x",
        "C:\\x",
        "model/data/..\\..\\0",
    ] {
        let said = check(&archive(&[("model/data.pkl", &good), (name, b"x")])).unwrap_err();
        assert!(matches!(said, Refusal::Path(_)), "{name}: {said}");
    }
    let mut bomb = Archive::default();
    bomb.add("model/data.pkl", &good);
    bomb.add_promising("model/data/0", b"x", u64::MAX / 8);
    let said = check(&bomb.finish()).unwrap_err();
    assert!(
        matches!(said, Refusal::Size { promised, .. } if promised == u64::MAX / 8),
        "{said}"
    );
    let mut packed = Archive::default();
    packed.add_deflated("model/data.pkl", &[0; 1000]);
    let said = check(&packed.finish()).unwrap_err();
    assert!(matches!(said, Refusal::Size { .. }), "{said}");
}

#[test]
fn what_ends_early_is_refused_at_every_length() {
    let whole = zip_file(&[Entry::new("conv.weight", &[2, 3])]);
    for length in 0..whole.len() {
        assert!(check(&whole[..length]).is_err(), "{length} bytes");
    }
    let mut tar = vec![0; 600];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(matches!(check(&tar), Err(Refusal::Tar)));
}
