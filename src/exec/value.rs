//! Values: JSON whose objects may leave out the quotes of names and the commas.

use winnow::combinator::{alt, cut_err, opt, peek, preceded};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use super::lexical::{Input, blank, fault, field_name, quoted, space, wanted};
use crate::domain::{JsonText, ParseJsonError};

/// How deep arrays and objects may be nested. Without a bound, a short text could use up the stack.
const MAX_DEPTH: usize = 32;

/// The members of an object, with the names decoded, in their order.
pub(super) type Members = Vec<(String, JsonText)>;

/// A value nested too deep.
#[derive(Debug, thiserror::Error)]
#[error("arrays and objects may be nested {MAX_DEPTH} deep")]
struct TooDeep;

/// What a value that is neither an array nor an object looks like.
const SCALAR: &str = "a value: a text in double quotes, a number, true, false or null";
/// How many characters of a word an error shows.
const SHOWN: usize = 40;

/// What is no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadValue {
    /// A word without quotes that is no number.
    #[error("expected {SCALAR}, found {0:?}")]
    Word(String),
    /// JSON that cannot be used, with the reason.
    #[error("{0}")]
    Json(String),
}

impl BadValue {
    fn of(text: &str, error: &ParseJsonError) -> Self {
        match error.reason() {
            reason if text.starts_with('"') || reason == "number out of range" => {
                BadValue::Json(reason.to_owned())
            }
            _ => BadValue::Word(text.chars().take(SHOWN).collect()),
        }
    }
}

/// A text, a number, `true`, `false` or `null`.
pub(super) fn scalar(input: &mut Input<'_>) -> ModalResult<JsonText> {
    let plain = take_while(1.., |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    alt((quoted, plain))
        .try_map(|text: &str| JsonText::parse(text.as_bytes()).map_err(|error| BadValue::of(text, &error)))
        .context(wanted(SCALAR))
        .parse_next(input)
}

/// The members of an object in braces, with the names decoded.
pub(super) fn braces(input: &mut Input<'_>) -> ModalResult<Members> {
    peek('{').parse_next(input)?;
    cut_err(members(0)).parse_next(input)
}

/// Members without braces, up to the end of the line.
pub(super) fn bare_members(input: &mut Input<'_>) -> ModalResult<Members> {
    let mut members = Vec::new();
    loop {
        space.parse_next(input)?;
        if opt(peek(one_of(['\n', ';']))).parse_next(input)?.is_some() || input.is_empty() {
            return Ok(members);
        }
        let name = cut_err(field_name.context(wanted("the name of a field"))).parse_next(input)?;
        (space, cut_err(':'.context(wanted("a colon behind the name of the field"))), space)
            .parse_next(input)?;
        members.push((name, cut_err(value(0)).parse_next(input)?));
        (space, opt(',')).parse_next(input)?;
    }
}

fn members<'s>(depth: usize) -> impl FnMut(&mut Input<'s>) -> ModalResult<Members> {
    move |input| {
        ('{', blank).parse_next(input)?;
        let mut members = Vec::new();
        while opt('}').parse_next(input)?.is_none() {
            let name =
                field_name.context(wanted("the name of a field")).context(wanted("}")).parse_next(input)?;
            (blank, ':'.context(wanted("a colon behind the name of the field")), blank).parse_next(input)?;
            members.push((name, value(depth).parse_next(input)?));
            (blank, opt((',', blank))).parse_next(input)?;
        }
        Ok(members)
    }
}

fn value<'s>(depth: usize) -> impl FnMut(&mut Input<'s>) -> ModalResult<JsonText> {
    move |input| {
        let nested = opt(peek(one_of(['{', '[']))).parse_next(input)?;
        match nested {
            Some(_) if depth == MAX_DEPTH => fault(input, TooDeep),
            Some('{') => members(depth + 1).try_map(|members: Members| object(&members)).parse_next(input),
            Some(_) => array(depth + 1).parse_next(input),
            None => scalar.parse_next(input),
        }
    }
}

fn array<'s>(depth: usize) -> impl FnMut(&mut Input<'s>) -> ModalResult<JsonText> {
    move |input| {
        ('[', blank).parse_next(input)?;
        let mut text = String::from("[");
        while opt(']').parse_next(input)?.is_none() {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(value(depth).context(wanted("]")).parse_next(input)?.as_str());
            preceded(blank, opt((',', blank))).parse_next(input)?;
        }
        text.push(']');
        Ok(JsonText::of_stored(text))
    }
}

/// An object of these members. Two members of one name are refused.
pub(super) fn object(members: &[(String, JsonText)]) -> Result<JsonText, BadValue> {
    JsonText::parse(text_of(members).as_bytes()).map_err(|error| BadValue::Json(error.reason().to_owned()))
}

fn text_of(members: &[(String, JsonText)]) -> String {
    let mut text = String::from("{");
    for (name, value) in members {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(value.as_str());
    }
    text.push('}');
    text
}
