//! Describes a mistake in the words of a command line in one line; clap's own errors have several lines.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use livecounter::nearest::nearest;

/// The words are no command line of this program. The message ends with a reference to `--help`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} See livecounter --help")]
pub(super) struct UsageError(String);

impl UsageError {
    /// Converts the error that clap returned when it parsed `words` as `line`.
    pub(super) fn of(error: &clap::Error, line: &clap::Command, words: &[OsString]) -> Self {
        let context = |kind| error.get(kind).map(words_of).unwrap_or_default();
        let argument = context(ContextKind::InvalidArg);
        let value = context(ContextKind::InvalidValue);
        UsageError(match error.kind() {
            ErrorKind::InvalidSubcommand => {
                let word = context(ContextKind::InvalidSubcommand).concat();
                // If the command has commands of its own, as `key` has, the message suggests one of those.
                let outer = line.find_subcommand(command_of(words, line));
                unknown(
                    "command",
                    &word,
                    &command_names(outer.filter(|it| it.has_subcommands()).unwrap_or(line)),
                )
            }
            ErrorKind::UnknownArgument => unknown_argument(&argument.concat(), line),
            ErrorKind::ArgumentConflict => conflict(&argument, &context(ContextKind::PriorArg)),
            ErrorKind::MissingRequiredArgument => {
                let needed = argument.join(" and ").replace(['<', '>'], "").replace('|', " or ");
                format!("{} needs {needed}.", command_of(words, line))
            }
            ErrorKind::InvalidValue if value.concat().is_empty() && is_flag(&argument) => {
                format!("missing argument for option '{}'.", names(&argument).concat())
            }
            ErrorKind::InvalidValue => {
                let kind = argument.concat();
                unknown(kind.trim_matches(['<', '>']), &value.concat(), &context(ContextKind::ValidValue))
            }
            ErrorKind::MissingSubcommand => {
                format!("{} needs a command of its own: see its --help.", command_of(words, line))
            }
            ErrorKind::TooManyValues => format!("{} takes no value.", names(&argument).concat()),
            // The reason says what is wrong. The value may be long, or have characters that a terminal obeys.
            ErrorKind::ValueValidation => {
                let reason = error.source().map(ToString::to_string).unwrap_or_default();
                sentence(&format!("{}: {reason}", names(&argument).concat()))
            }
            ErrorKind::InvalidUtf8 => "a word is not UTF-8 text.".to_owned(),
            _ => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                sentence(first.trim_start_matches("error: "))
            }
        })
    }

    /// Refuses a flag that is given twice.
    pub(super) fn given_twice(name: &str) -> Self {
        UsageError(format!("{name} is given twice."))
    }

    /// Refuses `--config` and `--listen` before a command that needs no settings.
    pub(super) fn takes_no_settings() -> Self {
        UsageError("this command takes neither --config nor --listen.".to_owned())
    }
}

/// Returns the text with a full stop, unless it is a question.
fn sentence(text: &str) -> String {
    if text.ends_with('?') { text.to_owned() } else { format!("{text}.") }
}

/// Returns the texts of one value in the context of an error.
fn words_of(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(texts) => texts.clone(),
        _ => Vec::new(),
    }
}

/// Returns only the name of each argument: `--config` for `--config <FILE>`.
fn names(arguments: &[String]) -> Vec<&str> {
    arguments.iter().filter_map(|argument| argument.split_whitespace().next()).collect()
}

fn is_flag(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| argument.starts_with('-'))
}

fn conflict(arguments: &[String], others: &[String]) -> String {
    let (arguments, others) = (names(arguments).join(", "), names(others).join(", "));
    if arguments == others {
        return UsageError::given_twice(&arguments).0;
    }
    format!("{arguments} and {others} exclude each other.")
}

fn unknown_argument(word: &str, line: &clap::Command) -> String {
    if !word.starts_with('-') {
        return format!("unexpected word {word:?}.");
    }
    let has = |command: &&clap::Command| flag_names(command).iter().any(|flag| flag == word);
    let commands: Vec<&str> = line.get_subcommands().filter(has).map(clap::Command::get_name).collect();
    if !commands.is_empty() {
        return format!("{word} belongs to {} and stands behind that word.", commands.join(" or "));
    }
    let known: Vec<String> =
        std::iter::once(line).chain(line.get_subcommands()).flat_map(flag_names).collect();
    unknown("option", word, &known)
}

fn command_names(line: &clap::Command) -> Vec<String> {
    line.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

fn flag_names(command: &clap::Command) -> Vec<String> {
    let built_in = ["--help", "--version"].into_iter().map(str::to_owned);
    let own = command.get_arguments().filter_map(|argument| argument.get_long());
    own.map(|name| format!("--{name}")).chain(built_in).collect()
}

/// Returns the name of the command in `words`, even if other words are wrong.
fn command_of(words: &[OsString], line: &clap::Command) -> String {
    let matches = line.clone().ignore_errors(true).try_get_matches_from(words).ok();
    matches.and_then(|matches| matches.subcommand_name().map(str::to_owned)).unwrap_or_default()
}

fn unknown(kind: &str, word: &str, known: &[String]) -> String {
    match nearest(word, known.iter().map(String::as_str)) {
        Some(name) => format!("there is no {kind} {word:?}; did you mean {name}?"),
        None => format!("there is no {kind} {word:?}."),
    }
}
