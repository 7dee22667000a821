//! The parser of commands.

use std::time::Duration;

use winnow::combinator::{cut_err, delimited, not, opt, preceded};
use winnow::error::{ContextError, ErrMode};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{take_till, take_while};

use super::error::{SyntaxError, position};
use super::find::find;
use super::lexical::{
    Input, between_commands, count, dotted_name, end_of_command, fault, key, keyword, optional_amount,
    optional_key, route, space, wanted, word,
};
use super::syntax::{Action, Command};
use super::value::{Members, bare_members, braces, object};
use crate::domain::{FieldChanges, JsonText};
use crate::nearest::nearest;

/// The most bytes that a text of commands may have.
pub const MAX_LEN: usize = 64 * 1024;

/// The most commands that a text may have.
pub const MAX_COMMANDS: usize = 100;

/// The longest life that a command can give, in seconds: ten years.
const MAX_KEEP: u32 = 315_360_000;

/// The words with which commands begin.
const NAMES: [&str; 13] = [
    "incr", "read", "get", "write", "save", "update", "patch", "remove", "delete", "find", "query", "list",
    "sql",
];

/// A first word that is no command, where more follows than a key.
#[derive(Debug, thiserror::Error)]
#[error("there is no command {0:?}{hint}; the commands are {names}", hint = meant(.0), names = NAMES.join(", "))]
struct UnknownCommand(String);

/// How many characters of a word an error shows.
const SHOWN: usize = 40;

/// The words with which statements in SQL begin.
const SQL: [&str; 3] = ["select", "with", "values"];

fn meant(word: &str) -> String {
    if SQL.iter().any(|begin| begin.eq_ignore_ascii_case(word)) {
        return ": SQL stands between backticks behind sql, as in sql `SELECT key FROM \"analytics/daily\"`, or goes \
                to POST /sql as it is"
            .to_owned();
    }
    nearest(word, NAMES).map(|name| format!(": did you mean {name}?")).unwrap_or_default()
}

/// The commands of a text, in their order: at least one, at most [`MAX_COMMANDS`]. A byte order mark before them is left out.
pub fn parse(text: &str) -> Result<Vec<Command>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_LEN {
        return Err(SyntaxError::at_offset(
            text,
            0,
            format!("a text of commands has at most {MAX_LEN} bytes"),
        ));
    }
    let mut input = LocatingSlice::new(text);
    let mut commands = Vec::new();
    loop {
        let fault = |input: &Input<'_>, error: ErrMode<ContextError>| {
            let inner = error.into_inner().unwrap_or_default();
            SyntaxError::of(text, input.current_token_start(), &inner)
        };
        between_commands.parse_next(&mut input).map_err(|error| fault(&input, error))?;
        let start = input.current_token_start();
        if input.is_empty() {
            break;
        }
        if commands.len() == MAX_COMMANDS {
            let message = format!("a text has at most {MAX_COMMANDS} commands");
            return Err(SyntaxError::at_offset(text, start, message));
        }
        let action = command.parse_next(&mut input).map_err(|error| fault(&input, error))?;
        end_of_command.parse_next(&mut input).map_err(|error| fault(&input, error))?;
        commands.push(Command { at: position(text, start), action });
    }
    if commands.is_empty() {
        let message = format!("there is no command; the commands are {}", NAMES.join(", "));
        return Err(SyntaxError::at_offset(text, 0, message));
    }
    Ok(commands)
}

fn command(input: &mut Input<'_>) -> ModalResult<Action> {
    let start = input.checkpoint();
    let name = cut_err(word.context(wanted("a command"))).parse_next(input)?;
    match name.to_ascii_lowercase().as_str() {
        "incr" => incr(input),
        "read" | "get" => Ok(Action::Read(route.parse_next(input)?, key.parse_next(input)?)),
        "write" | "save" => write(input),
        "update" | "patch" => update(input),
        "remove" | "delete" => Ok(Action::Remove(route.parse_next(input)?, key.parse_next(input)?)),
        "find" | "query" => find.map(Action::Find).parse_next(input),
        "list" => list(input),
        "sql" => sql(input),
        _ => {
            input.reset(&start);
            alone(name, input)
        }
    }
}

/// `ROUTE` or `ROUTE @KEY`. If more follows, the first word was meant as a command.
fn alone(word: &str, input: &mut Input<'_>) -> ModalResult<Action> {
    let start = input.checkpoint();
    match (route, optional_key, end_of_command).parse_next(input) {
        Ok((route, Some(key), ())) => Ok(Action::Read(route, key)),
        Ok((route, None, ())) => Ok(Action::List { route, top: None }),
        Err(ErrMode::Cut(error)) => Err(ErrMode::Cut(error)),
        Err(_) => {
            input.reset(&start);
            fault(input, UnknownCommand(word.chars().take(SHOWN).collect()))
        }
    }
}

fn incr(input: &mut Input<'_>) -> ModalResult<Action> {
    let (route, key) = (route.parse_next(input)?, key.parse_next(input)?);
    let mut members = Vec::new();
    loop {
        space.parse_next(input)?;
        let name = if members.is_empty() {
            let expected = wanted("a full stop and the name of a field, as in .page_views");
            Some(cut_err(dotted_name.context(expected)).parse_next(input)?)
        } else {
            opt(dotted_name).parse_next(input)?
        };
        let Some(name) = name else { break };
        let amount = optional_amount.parse_next(input)?.unwrap_or_else(|| JsonText::number(1));
        members.push((format!("+{name}"), amount));
    }
    let fields = changes(input, members)?;
    Ok(Action::Merge { route, key, fields, keep: None, existing: false })
}

fn write(input: &mut Input<'_>) -> ModalResult<Action> {
    let (route, key) = (route.parse_next(input)?, optional_key.parse_next(input)?);
    let (members, keep) = fields(input)?;
    match key {
        Some(key) => {
            Ok(Action::Merge { route, key, fields: changes(input, members)?, keep, existing: false })
        }
        None if keep.is_some() => fault(input, KeepOfEvent),
        None => match object(&members) {
            Ok(event) => Ok(Action::Append(route, event)),
            Err(error) => fault(input, error),
        },
    }
}

/// A life for an event.
#[derive(Debug, thiserror::Error)]
#[error("an event has no life of its own: keep is for entities, which have a key")]
struct KeepOfEvent;

fn update(input: &mut Input<'_>) -> ModalResult<Action> {
    let (route, key) = (route.parse_next(input)?, key.parse_next(input)?);
    let (members, keep) = fields(input)?;
    Ok(Action::Merge { route, key, fields: changes(input, members)?, keep, existing: true })
}

/// Fields in braces, or without braces up to the end of the line; a life may stand before them, or behind the braces.
fn fields(input: &mut Input<'_>) -> ModalResult<(Members, Option<Duration>)> {
    let before = opt(keep).parse_next(input)?;
    space.parse_next(input)?;
    match opt(braces).parse_next(input)? {
        Some(members) => {
            let behind = opt(keep).parse_next(input)?;
            Ok((members, before.or(behind)))
        }
        None => {
            let fields = bare_members.verify(|members: &Vec<_>| !members.is_empty());
            let expected = wanted("fields, as in { path: \"/drop\" } or path: \"/drop\"");
            Ok((cut_err(fields.context(expected)).parse_next(input)?, before))
        }
    }
}

/// `keep` and a number of seconds. `keep:` is a field.
fn keep(input: &mut Input<'_>) -> ModalResult<Duration> {
    preceded(space, keyword("keep")).parse_next(input)?;
    space.parse_next(input)?;
    not(':').parse_next(input)?;
    // Letters belong to the number, too, so that 1d is no number of seconds.
    let digits = take_while(1.., |c: char| c.is_ascii_alphanumeric());
    let seconds = digits.parse_to().verify(|seconds| (1..=MAX_KEEP).contains(seconds));
    let expected = wanted("a whole number of seconds from 1 to 315360000");
    cut_err(seconds.context(expected))
        .map(|seconds: u32| Duration::from_secs(seconds.into()))
        .parse_next(input)
}

fn changes(input: &mut Input<'_>, members: Members) -> ModalResult<FieldChanges> {
    // Names differ in a payload of JSON, which the parser of JSON checks.
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return fault(input, Twice(pair[0].chars().take(SHOWN).collect()));
    }
    FieldChanges::of_members(members).or_else(|error| fault(input, error))
}

/// The same field twice in one command.
#[derive(Debug, thiserror::Error)]
#[error("the field {0:?} comes twice")]
struct Twice(String);

fn list(input: &mut Input<'_>) -> ModalResult<Action> {
    let route = route.parse_next(input)?;
    let top = opt(preceded((space, keyword("top")), count)).parse_next(input)?;
    Ok(Action::List { route, top })
}

fn sql(input: &mut Input<'_>) -> ModalResult<Action> {
    space.parse_next(input)?;
    let query = delimited('`', take_till(1.., '`'), '`');
    cut_err(query.context(wanted("a query between backticks")))
        .map(|query: &str| Action::Sql(query.to_owned()))
        .parse_next(input)
}

#[cfg(test)]
mod tests;
