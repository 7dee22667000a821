//! The functions of SQL that compare two texts, in the place of SQLite's own.
//!
//! A call of SQLite's `trim` can take half a second, and one of `instr` some 30 ms. SQLite looks at the time only where a statement jumps back, and a
//! statement without a loop can make thousands of calls. So each call here looks first whether the statement has to stop, and takes no
//! more time than its texts are long, `LIKE` and `GLOB` no more than text and pattern multiplied.

mod pattern;
mod text;

use std::borrow::Cow;
use std::collections::HashSet;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result, ffi};

use self::pattern::{Pattern, PatternError};
use self::text::text;
use super::watch::Watch;

/// Defines the functions for a connection. `longest` is the most bytes of a text that they make.
pub(super) fn define(connection: &Connection, watch: &Watch, longest: usize) -> Result<()> {
    let function = |name: &str, arguments: i32, call: fn(&Call<'_>) -> Result<Value>| {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        let watch = watch.clone();
        connection.create_scalar_function(name, arguments, flags, move |context| {
            if watch.is_over() {
                return Err(failure(ffi::SQLITE_INTERRUPT));
            }
            call(&Call { context, longest })
        })
    };
    function("instr", 2, instr)?;
    function("replace", 3, replace)?;
    for arguments in [1, 2] {
        function("trim", arguments, |call| trim(call, true, true))?;
        function("ltrim", arguments, |call| trim(call, true, false))?;
        function("rtrim", arguments, |call| trim(call, false, true))?;
    }
    function("like", 2, like)?;
    function("like", 3, like)?;
    function("glob", 2, glob)
}

/// A call of a function.
struct Call<'a> {
    context: &'a Context<'a>,
    longest: usize,
}

impl Call<'_> {
    /// An argument as a text; `None` for `NULL`.
    fn text(&self, number: usize) -> Option<Cow<'_, str>> {
        text(self.context.get_raw(number))
    }
}

fn failure(code: i32) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), None)
}

/// The place of the second text in the first, from 1; 0 if it is not there.
fn instr(call: &Call<'_>) -> Result<Value> {
    if let (ValueRef::Blob(bytes), ValueRef::Blob(part)) = (call.context.get_raw(0), call.context.get_raw(1))
    {
        // Bytes come only from a cast: as hexadecimal digits they are compared by the same search.
        let [bytes, part] =
            [bytes, part].map(|bytes| bytes.iter().map(|byte| char::from(*byte)).collect::<String>());
        return Ok(place(&bytes, &part));
    }
    let (Some(text), Some(part)) = (call.text(0), call.text(1)) else { return Ok(Value::Null) };
    Ok(place(&text, &part))
}

fn place(text: &str, part: &str) -> Value {
    let place = text.find(part).map_or(0, |at| text[..at].chars().count() + 1);
    Value::Integer(i64::try_from(place).unwrap_or(i64::MAX))
}

/// The first text with the third one in each place of the second.
fn replace(call: &Call<'_>) -> Result<Value> {
    let (Some(text), Some(old)) = (call.text(0), call.text(1)) else { return Ok(Value::Null) };
    if old.is_empty() {
        return Ok(Value::Text(text.into_owned()));
    }
    let Some(new) = call.text(2) else { return Ok(Value::Null) };
    let length = text.len() + text.matches(&*old).count() * new.len().saturating_sub(old.len());
    if length > call.longest {
        return Err(failure(ffi::SQLITE_TOOBIG));
    }
    Ok(Value::Text(text.replace(&*old, &new)))
}

/// The text without the characters of the second text, or without spaces, at its beginning and at its end.
fn trim(call: &Call<'_>, beginning: bool, end: bool) -> Result<Value> {
    let characters = if call.context.len() == 2 { call.text(1) } else { Some(Cow::Borrowed(" ")) };
    let (Some(text), Some(characters)) = (call.text(0), characters) else { return Ok(Value::Null) };
    let characters: HashSet<char> = characters.chars().collect();
    let is_trimmed = |c: char| characters.contains(&c);
    let mut trimmed = &*text;
    if beginning {
        trimmed = trimmed.trim_start_matches(is_trimmed);
    }
    if end {
        trimmed = trimmed.trim_end_matches(is_trimmed);
    }
    Ok(Value::Text(trimmed.to_owned()))
}

/// `text LIKE pattern`, which is `like(pattern, text)`, and with a character that takes the meaning from the next one.
fn like(call: &Call<'_>) -> Result<Value> {
    let escape = match call.context.len() {
        3 => match call.text(2) {
            Some(escape) => Some(pattern::escape(&escape).map_err(refusal)?),
            None => return Ok(Value::Null),
        },
        _ => None,
    };
    matches(call, |text| Pattern::like(text, escape))
}

/// `text GLOB pattern`, which is `glob(pattern, text)`.
fn glob(call: &Call<'_>) -> Result<Value> {
    matches(call, Pattern::glob)
}

fn matches(
    call: &Call<'_>,
    read: impl Fn(&str) -> std::result::Result<Pattern, PatternError>,
) -> Result<Value> {
    let (Some(pattern), Some(text)) = (call.text(0), call.text(1)) else { return Ok(Value::Null) };
    Ok(Value::Integer(i64::from(read(&pattern).map_err(refusal)?.fits(&text))))
}

fn refusal(error: PatternError) -> Error {
    Error::UserFunctionError(Box::new(error))
}

#[cfg(test)]
mod tests;
