//! The command that continues stopped work, quoted for a shell.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The default of `--device`.
pub const DEFAULT_DEVICE: &str = "auto";

/// Continues the run or set of runs in `run`. `device` is the value of `--device`; the run keeps all other settings.
pub fn resume_fit(run: &Path, device: &str) -> String {
    format!("train fit --run {} --resume{}", quoted(run), flag("--device", device))
}

/// Continues the sweep in `sweep` on the same devices, with the same number of parallel trials.
pub fn resume_sweep(sweep: &Path, devices: &str, jobs_per_device: usize) -> String {
    let devices = flag("--devices", devices);
    let jobs = match jobs_per_device {
        1 => String::new(),
        jobs => format!(" --jobs-per-device {jobs}"),
    };
    format!("train sweep --sweep {} --resume{devices}{jobs}", quoted(sweep))
}

fn flag(name: &str, device: &str) -> String {
    if device == DEFAULT_DEVICE {
        String::new()
    } else {
        format!(" {name} {}", quoted(Path::new(device)))
    }
}

/// Quotes a path as one shell word: unchanged, in single quotes, or in the `$'…'` of bash and zsh if it is not UTF-8 or
/// has control characters.
fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,=@%+".contains(byte);
    match path.to_str() {
        Some(text) if !text.is_empty() && bytes.iter().all(is_plain) => text.to_owned(),
        Some(text) if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let mut word = String::from("$'");
            for byte in bytes {
                if is_plain(byte) || *byte == b' ' {
                    word.push(char::from(*byte));
                } else {
                    write!(word, "\\x{byte:02x}").expect("writing into a string cannot fail");
                }
            }
            word + "'"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::process::Command;

    #[test]
    fn bash_reads_a_quoted_path_unchanged() {
        for path in [
            "runs/crnn",
            "my runs/it's",
            "a$HOME`id`\"\\*?",
            "~/x",
            "",
            "Grüße",
            "-x",
            "two\nlines\t",
        ] {
            let command = format!("printf %s {}", quoted(Path::new(path)));
            let output = Command::new("bash").args(["-c", &command]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), path, "{command}");
        }
        let latin1 = OsStr::from_bytes(b"gr\xfc\xdfe 1");
        let command = format!("printf %s {}", quoted(Path::new(latin1)));
        let output = Command::new("bash").args(["-c", &command]).output().unwrap();
        assert_eq!(output.stdout, latin1.as_bytes(), "{command}");
    }

    #[test]
    fn resume_command_repeats_devices_and_jobs_unless_default() {
        let run = Path::new("runs/crnn");
        assert_eq!(resume_fit(run, "auto"), "train fit --run runs/crnn --resume");
        assert_eq!(
            resume_fit(run, "cpu,cpu"),
            "train fit --run runs/crnn --resume --device cpu,cpu"
        );
        assert_eq!(resume_sweep(run, "auto", 1), "train sweep --sweep runs/crnn --resume");
        assert_eq!(
            resume_sweep(run, "0,1", 2),
            "train sweep --sweep runs/crnn --resume --devices 0,1 --jobs-per-device 2"
        );
    }
}
