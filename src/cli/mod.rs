//! The command line. Each command has a file with its flags and its work. The function [`parse`] only reads the words.

mod check;
mod completions;
mod export;
mod flags;
mod import;
mod key;
mod prune;
mod reload;
mod serve;
mod task;
mod ticket;
mod usage;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use check::Check;
use completions::Completions;
use export::Export;
use flags::Flags;
use import::Import;
use key::Key;
use prune::Prune;
use serve::Serve;
use ticket::Ticket;
use usage::UsageError;
use verify::Verify;

/// The text that `--help` prints behind the commands and the options.
const SETTINGS: &str = "\
Without settings, livecounter serves http://127.0.0.1:8000/ from the file livecounter.db in the working directory.
Settings: a TOML file, then the environment (LIVECOUNTER__SECTION__KEY; PORT, REDIS_URL, GRIP_URL,
GRIP_VERIFY_KEY, FASTLY_API_KEY, FASTLY_SERVICE_ID, RUST_LOG), then the flags. See docs/configuration.md.";

/// livecounter: shared counters with live updates over HTTP
#[derive(Debug, Parser)]
#[command(name = "livecounter", version, after_help = SETTINGS)]
#[command(override_usage = "livecounter [serve] [--config FILE] [--listen ADDRESS:PORT]\n       \
                            livecounter COMMAND [OPTIONS]\n       livecounter COMMAND --help")]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

/// The commands, each with its own words.
#[derive(Debug, PartialEq, Eq, Subcommand)]
enum Command {
    Serve(Serve),
    Check(Check),
    Export(Export),
    Import(Import),
    Prune(Prune),
    Key(Key),
    Ticket(Ticket),
    Verify(Verify),
    Completions(Completions),
}

impl Command {
    /// Returns the flags for the settings if this command needs the settings.
    fn flags(&mut self) -> Option<&mut Flags> {
        match self {
            Command::Serve(serve) => Some(&mut serve.flags),
            Command::Check(check) => Some(&mut check.flags),
            Command::Export(export) => Some(&mut export.flags),
            Command::Import(import) => Some(&mut import.flags),
            Command::Prune(prune) => Some(&mut prune.flags),
            Command::Ticket(ticket) => Some(&mut ticket.flags),
            Command::Key(_) | Command::Verify(_) | Command::Completions(_) => None,
        }
    }
}

/// The task that the words of the command line name.
#[derive(Debug, PartialEq, Eq)]
enum Invocation {
    /// Run a command.
    Run(Command),
    /// Print the text of `--help` or `--version`.
    Print(String),
}

/// Reads the command line, and runs the command or prints the text.
pub(crate) fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(words) {
        Ok(Invocation::Run(Command::Serve(serve))) => serve.run(),
        Ok(Invocation::Run(Command::Check(check))) => check.run(),
        Ok(Invocation::Run(Command::Export(export))) => export.run(),
        Ok(Invocation::Run(Command::Import(import))) => import.run(),
        Ok(Invocation::Run(Command::Prune(prune))) => prune.run(),
        Ok(Invocation::Run(Command::Key(key))) => key.run(),
        Ok(Invocation::Run(Command::Ticket(ticket))) => ticket.run(),
        Ok(Invocation::Run(Command::Verify(verify))) => verify.run(),
        Ok(Invocation::Run(Command::Completions(completions))) => completions.run(&mut Line::command()),
        Ok(Invocation::Print(text)) => {
            task::print(&text);
            ExitCode::SUCCESS
        }
        Err(problem) => task::refuse(&problem.to_string()),
    }
}

/// Reads the words of the command line; the first is the program's own name.
fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let words: Vec<OsString> = words.into_iter().collect();
    let line = match Line::try_parse_from(&words) {
        Ok(line) => line,
        Err(error) if !error.use_stderr() => return Ok(Invocation::Print(error.to_string())),
        Err(error) => return Err(UsageError::of(&error, &Line::command(), &words)),
    };
    let mut command = line.command.unwrap_or(Command::Serve(Serve::default()));
    match command.flags() {
        Some(flags) => flags.add(line.flags)?,
        None if line.flags != Flags::default() => return Err(UsageError::takes_no_settings()),
        None => {}
    }
    Ok(Invocation::Run(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Invocation, String> {
        let words = std::iter::once(&"livecounter").chain(words).map(OsString::from);
        parse(words).map_err(|error| error.to_string())
    }

    fn help(words: &[&str]) -> String {
        match parsed(words) {
            Ok(Invocation::Print(text)) => text,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn flags_stand_before_and_behind_the_command() {
        let flags = || Flags { config: Some("a.toml".into()), listen: Some("[::1]:1".into()) };
        let run = |command| Ok(Invocation::Run(command));
        for words in [
            &["--config", "a.toml", "--listen", "[::1]:1"][..],
            &["serve", "--config=a.toml", "--listen=[::1]:1"],
            &["--listen=[::1]:1", "serve", "--config", "a.toml"],
        ] {
            assert_eq!(parsed(words), run(Command::Serve(Serve { flags: flags() })), "{words:?}");
        }
        assert_eq!(parsed(&["check"]), run(Command::Check(Check::default())));
        let both = parsed(&["--config", "a.toml", "check", "--listen=[::1]:1"]);
        assert_eq!(both, run(Command::Check(Check { flags: flags(), public: false })));
        let public = parsed(&["--config", "a.toml", "check", "--public", "--listen=[::1]:1"]);
        assert_eq!(public, run(Command::Check(Check { flags: flags(), public: true })));
    }

    #[test]
    fn every_command_has_a_help_of_its_own() {
        let all = help(&["--help"]);
        for command in Line::command().get_subcommands().map(clap::Command::get_name) {
            let text = help(&[command, "--help"]);
            assert!(text.contains(&format!("Usage: livecounter {command}")), "{text}");
            assert!(all.contains(&format!("\n  {command}")), "{all}");
            assert_eq!(text.matches("Default").count(), 0, "{text}");
        }
        assert!(!help(&["prune", "-h"]).contains("--listen"));
        assert_eq!(help(&["-V"]), help(&["--version"]));
        assert_eq!(help(&["help"]), all);
        assert_eq!(help(&["help", "key", "new"]), help(&["key", "new", "--help"]));
    }

    #[test]
    fn pruning_removes_nothing_without_yes() {
        for (words, removes) in [
            (&["prune", "--before", "2026-01-31"][..], false),
            (&["prune", "--before=2026-01-31", "--dry-run"], false),
            (&["prune", "--before=2026-01-31", "--yes"], true),
        ] {
            let Ok(Invocation::Run(Command::Prune(prune))) = parsed(words) else { panic!("{words:?}") };
            assert_eq!((prune.before.as_str(), prune.yes), ("2026-01-31", removes), "{words:?}");
        }
        for (words, expected) in [
            (&["prune"][..], "prune needs --before DATE."),
            (&["--config", "serve", "prune", "--yes"], "prune needs --before DATE."),
            (
                &["prune", "--before=2026-01-31", "--dry-run", "--yes"],
                "--dry-run and --yes exclude each other.",
            ),
            (&["prune", "--before=2026-01-31", "--yes", "--yes"], "--yes is given twice."),
            (&["serve", "--yes"], "--yes belongs to prune and stands behind that word."),
            (
                &["--yes", "prune", "--before=2026-01-31"],
                "--yes belongs to prune and stands behind that word.",
            ),
        ] {
            assert_eq!(parsed(words), Err(format!("{expected} See livecounter --help")), "{words:?}");
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_nearest_and_points_to_help() {
        for (words, expected) in [
            (&["chekc"][..], "there is no command \"chekc\"; did you mean check?"),
            (&["Serve"], "there is no command \"Serve\"; did you mean serve?"),
            (&["dance"], "there is no command \"dance\"."),
            (&["serve", "check"], "unexpected word \"check\"."),
            (&["--lisen", "[::1]:1"], "there is no option \"--lisen\"; did you mean --listen?"),
            (&["--lisen=[::1]:1"], "there is no option \"--lisen\"; did you mean --listen?"),
            (&["check", "--pubilc"], "there is no option \"--pubilc\"; did you mean --public?"),
            (&["check", "--public=yes"], "--public takes no value."),
            (&["--public"], "--public belongs to check and stands behind that word."),
            (&["prune", "--yse"], "there is no option \"--yse\"; did you mean --yes?"),
            (&["--frobnicate"], "there is no option \"--frobnicate\"."),
            (&["-x"], "there is no option \"-x\"."),
            (&["--config"], "missing argument for option '--config'."),
            (&["--config=a", "--config=b"], "--config is given twice."),
            (&["--config=a", "serve", "--config=b"], "--config is given twice."),
            (&["prune", "--yes=1"], "--yes takes no value."),
            (&["completions", "bsh"], "there is no SHELL \"bsh\"; did you mean bash?"),
            (&["completions"], "completions needs SHELL."),
            (&["key", "nwe"], "there is no command \"nwe\"; did you mean new?"),
            (&["key"], "key needs a command of its own: see its --help."),
            (&["key", "new", "shop"], "key needs --scope SCOPE."),
            (
                &["key", "new", "shop", "--scope", "wirte:"],
                "--scope: there is no scope \"wirte:\"; there are read:, write: and \
                 manage: with a prefix behind them, sql and admin; did you mean write?",
            ),
            (
                &["key", "new", "shop", "--scope", "\u{1b}[2J\n:"],
                "--scope: there is no scope \"\\u{1b}[2J\\n:\"; there are read:, write: and manage: with a prefix behind them, \
                 sql and admin.",
            ),
            (&["ticket"], "ticket needs --scope SCOPE."),
            (
                &["ticket", "--scope=read:", "--for=2h"],
                "--for: must be whole seconds from 1s to 1h, such as 10m.",
            ),
            (&["verify"], "verify needs URL."),
            (&["vreify", "http://h/"], "there is no command \"vreify\"; did you mean verify?"),
            (
                &["verify", "http://h/", "--read-olny"],
                "there is no option \"--read-olny\"; did you mean --read-only?",
            ),
            (
                &["--read-only", "verify", "http://h/"],
                "--read-only belongs to verify and stands behind that word.",
            ),
            (
                &["verify", "http://h/", "--timeout=2m"],
                "--timeout: must be a time from 1s to 1m, such as 5s.",
            ),
            (&["--config=a", "verify", "http://h/"], "this command takes neither --config nor --listen."),
            (&["--config=a", "completions", "zsh"], "this command takes neither --config nor --listen."),
        ] {
            assert_eq!(parsed(words), Err(format!("{expected} See livecounter --help")), "{words:?}");
        }
    }
}
