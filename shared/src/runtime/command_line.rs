//! Parses a program's command line. Prints usage errors, with `--json` also as JSON on standard output.

use super::outcome::Failure;
use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, CommandFactory, Parser};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The help heading of the options that every command has.
pub const GLOBAL_OPTIONS: &str = "Global options";

/// Parses the arguments of this process. Prints help, `version` and usage errors; the error is the exit code.
pub fn parse<Cli: Parser>(version: &'static str) -> Result<Cli, ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    parse_from(command::<Cli>().version(version), &arguments).map_err(|error| {
        // A failure to print cannot be reported anywhere else.
        let _ = error.print();
        if has_json_flag(&arguments) && error.use_stderr() {
            let message = usage_message(&error.render().to_string());
            let _ = writeln!(io::stdout(), "{}", Failure::Usage.json(&message));
        }
        u8::try_from(error.exit_code()).unwrap_or(Failure::Usage.code()).into()
    })
}

fn parse_from<Cli: Parser>(mut command: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// The command of a program. `-h` and `--help` both print one line per option, with the global options last.
pub fn command<Cli: CommandFactory>() -> Command {
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .help("Print help")
        .action(ArgAction::HelpShort);
    let version = Arg::new("version")
        .short('V')
        .long("version")
        .help("Print version")
        .action(ArgAction::Version);
    Cli::command()
        .propagate_version(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args([help, version].map(|argument| argument.global(true).help_heading(GLOBAL_OPTIONS)))
        .mut_subcommands(|subcommand| subcommand.mut_args(with_inline_values))
}

/// Appends the names of the possible values to an argument's help. clap's own list takes a line per value.
fn with_inline_values(argument: Arg) -> Arg {
    let names: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(PossibleValue::get_name)
        .map(str::to_owned)
        .collect();
    let is_flag = names == ["true", "false"];
    if names.is_empty() || is_flag || argument.is_hide_possible_values_set() {
        return argument.hide_possible_values(true);
    }
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let (text, default) = help.split_at(help.find(" [default: ").unwrap_or(help.len()));
    let help = format!("{text}: {}{default}", names.join(", "));
    argument.help(help).hide_possible_values(true)
}

/// Whether the arguments have `--json`. Reads them directly, because arguments with a usage error do not parse.
fn has_json_flag(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json")
}

/// The message of a printed usage error: on one line, without `error: `, the usage and the hint at `--help`.
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
    fn json_flag_after_the_separator_is_ignored() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, expected) in [
            ("preprocess --json verify d", true),
            ("preprocess verify d --louder --json", true),
            ("train predict --run r -- --json", false),
            ("train predict --run --json-lines", false),
            ("preprocess", false),
        ] {
            assert_eq!(has_json_flag(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn usage_message_is_one_line_without_usage_and_hint() {
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

    #[derive(Parser)]
    #[command(name = "program", version)]
    struct Cli {
        #[command(subcommand)]
        command: Commands,
        /// Hide progress
        #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
        quiet: bool,
    }

    #[derive(clap::Subcommand)]
    enum Commands {
        /// Draw a shape
        Draw {
            /// Shape to draw [default: circle]
            #[arg(long, value_name = "NAME")]
            shape: Option<Shape>,
        },
    }

    #[derive(Clone, clap::ValueEnum)]
    enum Shape {
        /// Has no corners
        Circle,
        /// Has four corners
        Square,
    }

    #[test]
    fn help_has_one_line_per_option_and_global_options_last() {
        command::<Cli>().debug_assert();
        let help = |words: &[&str]| {
            let words: Vec<OsString> = ["program"].iter().chain(words).map(OsString::from).collect();
            parse_from::<Cli>(command::<Cli>(), &words).err().unwrap().to_string()
        };
        let expected = "Draw a shape\n\nUsage: program draw [OPTIONS]\n\nOptions:\n      --shape <NAME>  Shape to draw: circle, \
                        square [default: circle]\n\nGlobal options:\n      --quiet    Hide progress\n  -h, --help     Print \
                        help\n  -V, --version  Print version\n";
        for words in [["draw", "--help"], ["draw", "-h"], ["help", "draw"]] {
            assert_eq!(help(&words), expected, "{words:?}");
        }
        assert_eq!(help(&["draw", "--version"]).lines().count(), 1);
        let words = ["program", "--quiet", "draw", "--shape", "square"].map(OsString::from);
        let parsed = parse_from::<Cli>(command::<Cli>(), &words);
        let Cli { command, quiet } = parsed.unwrap();
        let Commands::Draw { shape } = command;
        assert!(quiet && matches!(shape, Some(Shape::Square)));
    }
}
