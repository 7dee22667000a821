//! The smallest parts of the language: spaces, comments, words, names of fields, routes and keys.

use winnow::ascii::dec_uint;
use winnow::combinator::{alt, cut_err, opt, peek, preceded, repeat};
use winnow::error::{ContextError, ErrMode, FromExternalError, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{literal, one_of, take_till, take_while};

use crate::domain::{EntityKey, JsonText, ParseAmountError, Route, parse_value};

/// What is left of the text.
pub(super) type Input<'s> = LocatingSlice<&'s str>;

/// A description of what a parser expects, for errors.
pub(super) fn wanted(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

fn comment(input: &mut Input<'_>) -> ModalResult<()> {
    (literal("--"), take_till(0.., '\n')).void().parse_next(input)
}

/// Skips spaces and comments up to the end of the line.
pub(super) fn space(input: &mut Input<'_>) -> ModalResult<()> {
    (take_while(0.., [' ', '\t', '\r']), opt(comment)).void().parse_next(input)
}

/// Skips spaces, comments and ends of lines.
pub(super) fn blank(input: &mut Input<'_>) -> ModalResult<()> {
    repeat(0.., alt((take_while(1.., [' ', '\t', '\r', '\n']).void(), comment))).parse_next(input)
}

/// Skips what stands between two commands: ends of lines and semicolons.
pub(super) fn between_commands(input: &mut Input<'_>) -> ModalResult<()> {
    repeat(0.., alt((take_while(1.., [' ', '\t', '\r', '\n', ';']).void(), comment))).parse_next(input)
}

/// The end of a command: the end of the line or of the text, or a semicolon. Nothing of it is consumed.
pub(super) fn end_of_command(input: &mut Input<'_>) -> ModalResult<()> {
    space.parse_next(input)?;
    peek(alt((one_of(['\n', ';']).void(), winnow::combinator::eof.void()))).parse_next(input)
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '~' | ':')
}

/// A word: letters, digits and the characters that routes may have.
pub(super) fn word<'s>(input: &mut Input<'s>) -> ModalResult<&'s str> {
    take_while(1.., |c| is_of_word(c) && c != ':').parse_next(input)
}

/// This word, in small or capital letters.
pub(super) fn keyword<'s>(name: &'static str) -> impl Parser<Input<'s>, (), ErrMode<ContextError>> {
    word.verify(move |found: &str| found.eq_ignore_ascii_case(name)).void()
}

/// A route, which must come.
pub(super) fn route(input: &mut Input<'_>) -> ModalResult<Route> {
    space.parse_next(input)?;
    cut_err(word.try_map(str::parse::<Route>).context(wanted("a route such as analytics/daily")))
        .parse_next(input)
}

/// `@` and a key, if they come.
pub(super) fn optional_key(input: &mut Input<'_>) -> ModalResult<Option<EntityKey>> {
    space.parse_next(input)?;
    let key = take_while(1.., is_of_word).try_map(str::parse::<EntityKey>);
    opt(preceded('@', cut_err(key.context(wanted("a key behind the @"))))).parse_next(input)
}

/// `@` and a key, which must come.
pub(super) fn key(input: &mut Input<'_>) -> ModalResult<EntityKey> {
    match optional_key.parse_next(input)? {
        Some(key) => Ok(key),
        None => cut_err(winnow::combinator::fail.context(wanted("@ and a key, as in @2026-02-10")))
            .parse_next(input),
    }
}

/// The name of a field: a word, or a text in quotes.
pub(super) fn field_name(input: &mut Input<'_>) -> ModalResult<String> {
    let bare = take_while(1.., |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '$'));
    alt((bare.map(str::to_owned), quoted_name)).parse_next(input)
}

/// A full stop and the name of a field, as in `.page_views`.
pub(super) fn dotted_name(input: &mut Input<'_>) -> ModalResult<String> {
    preceded('.', cut_err(field_name.context(wanted("the name of a field behind the full stop"))))
        .parse_next(input)
}

fn quoted_name(input: &mut Input<'_>) -> ModalResult<String> {
    let decoded = |text: &str| serde_json::from_str::<String>(text);
    peek('"').parse_next(input)?;
    cut_err(quoted.try_map(decoded).context(wanted("a text in double quotes"))).parse_next(input)
}

/// A JSON text with its quotes.
pub(super) fn quoted<'s>(input: &mut Input<'s>) -> ModalResult<&'s str> {
    let piece = alt((
        take_till(1.., ['"', '\\', '\n']).void(),
        ('\\', winnow::token::any.verify(|c| *c != '\n')).void(),
    ));
    ('"', repeat::<_, _, (), _, _>(0.., piece), '"').take().parse_next(input)
}

/// What cannot be added.
#[derive(Debug, thiserror::Error)]
enum BadAmount {
    #[error("{0} is not a whole number")]
    NotWhole(String),
    #[error("{0} is not within ±9007199254740991")]
    TooLarge(String),
}

impl BadAmount {
    fn of(text: &str, error: ParseAmountError) -> Self {
        let shown = text.chars().take(40).collect();
        match error {
            ParseAmountError::TooLarge => BadAmount::TooLarge(shown),
            _ => BadAmount::NotWhole(shown),
        }
    }
}

/// A whole number with its sign, if one comes.
pub(super) fn optional_amount(input: &mut Input<'_>) -> ModalResult<Option<JsonText>> {
    space.parse_next(input)?;
    let number = take_while(1.., |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let number = number
        .try_map(|text: &str| parse_value(text).map(JsonText::number).map_err(|e| BadAmount::of(text, e)));
    if opt(peek(one_of(('0'..='9', '+', '-')))).parse_next(input)?.is_none() {
        return Ok(None);
    }
    cut_err(number.context(wanted("a whole number"))).map(Some).parse_next(input)
}

/// A positive whole number, which must come.
pub(super) fn count(input: &mut Input<'_>) -> ModalResult<u32> {
    space.parse_next(input)?;
    cut_err(dec_uint.verify(|count| *count > 0).context(wanted("a whole number from 1 on"))).parse_next(input)
}

/// An error that no other alternative can avoid.
pub(super) fn fault<T>(
    input: &Input<'_>,
    error: impl std::error::Error + Send + Sync + 'static,
) -> ModalResult<T> {
    Err(ErrMode::Cut(ContextError::from_external_error(input, error)))
}
