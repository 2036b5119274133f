//! Parses a program's command line. A mistake in it is printed, and with `--json` is the last line of standard output too.

use super::outcome::Failure;
use clap::Parser;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Parses the arguments that this program was called with. Help, the version and usage errors are printed here; the error
/// is the exit code to end with.
pub fn parse<Cli: Parser>() -> Result<Cli, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    Cli::try_parse_from(&arguments).map_err(|error| {
        // There is no other place to complain.
        let _ = error.print();
        if wants_json(&arguments) && error.use_stderr() {
            let message = usage_message(&error.render().to_string());
            let _ = writeln!(io::stdout(), "{}", Failure::Usage.json(&message));
        }
        u8::try_from(error.exit_code()).unwrap_or(Failure::Usage.code()).into()
    })
}

/// Whether the arguments have `--json`. Asked of the arguments themselves, because those of a usage error do not parse.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json")
}

/// The message in what a parser of command lines prints for people: on one line, without `error: `, without the usage and
/// the hint at `--help` after it.
fn usage_message(printed: &str) -> String {
    let paragraphs = printed.trim().split("\n\n");
    let message = paragraphs
        .take_while(|paragraph| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information"));
    let sentences: Vec<String> = message
        .map(|paragraph| paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "))
        .map(|sentence| sentence.trim().to_owned())
        .collect();
    let message = sentences.join("; ");
    message.strip_prefix("error: ").unwrap_or(&message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for_anywhere_before_the_separator() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, expected) in [
            ("preprocess --json verify d", true),
            ("preprocess verify d --louder --json", true),
            ("train predict --run r -- --json", false),
            ("train predict --run --json-lines", false),
            ("preprocess", false),
        ] {
            assert_eq!(wants_json(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn usage_messages_are_one_line_without_the_usage() {
        for (printed, expected) in [
            (
                "error: the following required arguments were not provided:\n  --audio <DIR>\n  --out <DATASET>\n\nUsage: \
                 preprocess build --audio <DIR>\n\nFor more information, try '--help'.\n",
                "the following required arguments were not provided: --audio <DIR> --out <DATASET>",
            ),
            (
                "error: unexpected argument '--audi' found\n\n  tip: a similar argument exists: '--audio'\n\nUsage: \
                 preprocess build\n\nFor more information, try '--help'.\n",
                "unexpected argument '--audi' found; tip: a similar argument exists: '--audio'",
            ),
            (
                "error: invalid value '0' for '--jobs <N>': number would be zero\n\nFor more information, try '--help'.\n",
                "invalid value '0' for '--jobs <N>': number would be zero",
            ),
        ] {
            assert_eq!(usage_message(printed), expected);
        }
    }
}
