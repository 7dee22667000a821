//! The command line: which command, with which flags.

use std::ffi::OsString;
use std::path::PathBuf;

use livecounter::nearest::nearest;

/// What `--help` prints.
const HELP: &str = "\
livecounter: counters that everybody can watch changing

Usage: livecounter [serve] [--config FILE] [--listen ADDRESS:PORT]
       livecounter check [--config FILE] [--listen ADDRESS:PORT]
       livecounter prune --before DATE [--dry-run | --yes] [--config FILE]
       livecounter --help | --version

  serve  runs the service (the default)
  check  says whether the settings can be used, and which way the service would run with them;
         exit status 0 or 2. It opens no file and connects to nothing
  prune  counts the counters that have not changed since a day (2026-01-31), and with --yes removes
         them: from Redis beside running origins, from a file that no process has open

Without any setting it serves http://127.0.0.1:8000/ from the file livecounter.db in this directory.
Settings: a TOML file, then the environment (LIVECOUNTER__SECTION__KEY; PORT, REDIS_URL, GRIP_URL,
GRIP_VERIFY_KEY, FASTLY_API_KEY, FASTLY_SERVICE_ID, RUST_LOG), then the flags. See docs/configuration.md.
";

const COMMANDS: [&str; 3] = ["serve", "check", "prune"];
const FLAGS: [&str; 7] = ["--config", "--listen", "--before", "--dry-run", "--yes", "--help", "--version"];

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Run the service.
    Serve(Flags),
    /// Say whether it could run.
    Check(Flags),
    /// Remove what has not changed for long.
    Prune(Flags, Prune),
    /// Print a text to standard output.
    Print(String),
}

/// Where settings come from, besides the environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// The TOML file.
    pub(crate) config: Option<PathBuf>,
    /// The address to listen on.
    pub(crate) listen: Option<String>,
}

/// What is to be removed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prune {
    /// What has not changed since this day.
    pub(crate) before: String,
    /// Else it is only counted.
    pub(crate) remove: bool,
}

/// The command line is none; the text points to `--help`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} See livecounter --help")]
pub(crate) struct UsageError(String);

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        UsageError(format!("{error}."))
    }
}

/// Reads the command line; its first word is the program's own name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    use lexopt::prelude::{Long, Short, Value, ValueExt};
    let mut parser = lexopt::Parser::from_iter(arguments);
    let (mut command, mut flags) = (None, Flags::default());
    let (mut before, mut sure) = (None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if command.is_none() => command = Some(known_command(&word.to_string_lossy())?),
            Value(word) => return Err(UsageError(format!("unexpected word {word:?}."))),
            Long("config") => once(&mut flags.config, parser.value()?.into(), "--config")?,
            Long("listen") => once(&mut flags.listen, parser.value()?.string()?, "--listen")?,
            Long("before") => once(&mut before, parser.value()?.string()?, "--before")?,
            Long("dry-run") => once(&mut sure, false, "--dry-run or --yes")?,
            Long("yes") => once(&mut sure, true, "--dry-run or --yes")?,
            Long("help") | Short('h') => return Ok(Command::Print(HELP.into())),
            Long("version") | Short('V') => {
                return Ok(Command::Print(concat!("livecounter ", env!("CARGO_PKG_VERSION"), "\n").into()));
            }
            Long(name) => return Err(unknown("option", &format!("--{name}"), &FLAGS)),
            Short(letter) => return Err(unknown("option", &format!("-{letter}"), &[])),
        }
    }
    if command == Some("prune") {
        let before = before.ok_or_else(|| UsageError("prune needs --before DATE.".into()))?;
        return Ok(Command::Prune(flags, Prune { before, remove: sure == Some(true) }));
    }
    if before.is_some() || sure.is_some() {
        return Err(UsageError("--before, --dry-run and --yes belong to prune.".into()));
    }
    Ok(match command {
        Some("check") => Command::Check(flags),
        _ => Command::Serve(flags),
    })
}

fn known_command(word: &str) -> Result<&'static str, UsageError> {
    COMMANDS.into_iter().find(|known| *known == word).ok_or_else(|| unknown("command", word, &COMMANDS))
}

fn once<T>(slot: &mut Option<T>, value: T, name: &str) -> Result<(), UsageError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(UsageError(format!("{name} is given twice."))),
    }
}

fn unknown(kind: &str, word: &str, known: &[&str]) -> UsageError {
    let hint = nearest(word, known.iter().copied());
    UsageError(match hint {
        Some(name) => format!("there is no {kind} {word:?}; did you mean {name}?"),
        None => format!("there is no {kind} {word:?}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Command, String> {
        let words = std::iter::once(&"livecounter").chain(words).map(OsString::from);
        parse(words).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_stand_before_and_behind_the_command() {
        let flags = || Flags { config: Some("a.toml".into()), listen: Some("[::1]:1".into()) };
        for words in [
            &["--config", "a.toml", "--listen", "[::1]:1"][..],
            &["serve", "--config=a.toml", "--listen=[::1]:1"],
            &["--listen=[::1]:1", "serve", "--config", "a.toml"],
        ] {
            assert_eq!(parsed(words), Ok(Command::Serve(flags())), "{words:?}");
        }
        assert_eq!(parsed(&["check"]), Ok(Command::Check(Flags::default())));
        assert_eq!(parsed(&["--config", "a.toml", "check", "--listen=[::1]:1"]), Ok(Command::Check(flags())));
        assert_eq!(parsed(&["check", "--help"]), Ok(Command::Print(HELP.into())));
    }

    #[test]
    fn pruning_removes_nothing_unless_it_is_said_twice() {
        let prune =
            |remove| Ok(Command::Prune(Flags::default(), Prune { before: "2026-01-31".into(), remove }));
        for (words, expected) in [
            (&["prune", "--before", "2026-01-31"][..], prune(false)),
            (&["prune", "--before=2026-01-31", "--dry-run"], prune(false)),
            (&["--yes", "prune", "--before=2026-01-31"], prune(true)),
        ] {
            assert_eq!(parsed(words), expected, "{words:?}");
        }
        for (words, expected) in [
            (&["prune"][..], "prune needs --before DATE."),
            (&["prune", "--before=2026-01-31", "--dry-run", "--yes"], "--dry-run or --yes is given twice."),
            (&["serve", "--yes"], "--before, --dry-run and --yes belong to prune."),
        ] {
            assert_eq!(parsed(words), Err(format!("{expected} See livecounter --help")), "{words:?}");
        }
    }

    #[test]
    fn what_is_not_known_names_the_nearest_and_points_to_help() {
        for (words, expected) in [
            (&["chekc"][..], "there is no command \"chekc\"; did you mean check?"),
            (&["Serve"], "there is no command \"Serve\"; did you mean serve?"),
            (&["dance"], "there is no command \"dance\"."),
            (&["serve", "check"], "unexpected word \"check\"."),
            (&["--lisen", "[::1]:1"], "there is no option \"--lisen\"; did you mean --listen?"),
            (&["--frobnicate"], "there is no option \"--frobnicate\"."),
            (&["-x"], "there is no option \"-x\"."),
            (&["--config"], "missing argument for option '--config'."),
            (&["--config=a", "--config=b"], "--config is given twice."),
        ] {
            assert_eq!(parsed(words), Err(format!("{expected} See livecounter --help")), "{words:?}");
        }
    }
}
