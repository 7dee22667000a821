//! A line of the input: a counter with a value, or the reason why the line cannot be used.

use std::fmt;
use std::io;

use crate::domain::CounterId;

/// A counter that the input names, with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLine {
    /// The number of the line, counted from 1.
    pub line: u64,
    /// The counter.
    pub id: CounterId,
    /// The value to set or to add, within ±[`LIMIT`](crate::domain::LIMIT).
    pub value: i64,
    /// The name of the counter in the input, if the id was made from it: two names may make the same id.
    pub name: Option<String>,
}

/// The reason why a line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The number of the line, counted from 1.
    pub line: u64,
    /// What is wrong with the line.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// The reason why the input cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system returned an error.
    #[error("cannot read the input")]
    Input(#[from] io::Error),
    /// The input has another form, so no line of it can be used.
    #[error("{0}")]
    Form(&'static str),
}
