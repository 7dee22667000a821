//! Why a text holds no commands, and where.

use winnow::error::{ContextError, StrContext, StrContextValue};

use super::syntax::Position;

/// A text that is not written in the language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", .at.line, .at.column)]
pub struct SyntaxError {
    /// Where the error is.
    pub at: Position,
    /// What is wrong, or what was expected.
    pub message: String,
}

impl SyntaxError {
    /// The error that stands at `offset`, in bytes, of `text`.
    pub(super) fn at_offset(text: &str, offset: usize, message: String) -> Self {
        SyntaxError { at: position(text, offset), message }
    }

    /// The error that the parser found at `offset`.
    pub(super) fn of(text: &str, offset: usize, error: &ContextError) -> Self {
        let message = match error.cause() {
            Some(cause) => cause.to_string(),
            None => format!("expected {}, found {}", expected(error), found(&text[offset..])),
        };
        SyntaxError::at_offset(text, offset, message)
    }
}

/// The line and the column of the character at `offset`, in bytes.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = &text[..offset];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    Position { line: 1 + before.matches('\n').count(), column: 1 + before[line..].chars().count() }
}

fn expected(error: &ContextError) -> String {
    let mut words: Vec<String> = Vec::new();
    for context in error.context() {
        if let StrContext::Expected(value) = context {
            let word = match value {
                StrContextValue::Description(text) => (*text).to_owned(),
                other => other.to_string(),
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    if words.is_empty() { "the end of the command".to_owned() } else { words.join(" or ") }
}

/// What stands at the beginning of the text, for a person.
fn found(rest: &str) -> String {
    match rest.chars().next() {
        None => "the end of the text".to_owned(),
        Some('\n' | '\r') => "the end of the line".to_owned(),
        Some(_) => {
            let word = rest.split([' ', '\t', '\n', '\r']).next().unwrap_or_default();
            let shown: String = word.chars().take(20).collect();
            format!("{shown:?}")
        }
    }
}
