//! A line of the input: a counter with a value, or the reason why the line cannot be used.

use std::fmt;
use std::io;

use crate::domain::{CounterId, PageAddress, Topic};

/// What a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A counter.
    Counter(CounterId),
    /// A page. What is added to a page is added to its site, too, unless the input has a line for the site.
    Page(PageAddress),
    /// A site: the address of the page at its root.
    Site(PageAddress),
}

/// A counter, a page or a site that the input names, with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLine {
    /// The number of the line, counted from 1.
    pub line: u64,
    /// The counter, the page or the site.
    pub target: Target,
    /// The value to set or to add, within ±[`LIMIT`](crate::domain::LIMIT).
    pub value: i64,
    /// The name of the counter in the input, if the id was made from it: two names may make the same id.
    pub name: Option<String>,
}

impl Target {
    /// The topic that has the value.
    pub fn topic(&self) -> Topic {
        match self {
            Target::Counter(id) => Topic::counter(id),
            Target::Page(address) => Topic::page(address),
            Target::Site(address) => Topic::site(address),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Counter(id) => write!(f, "counter {id}"),
            Target::Page(address) => write!(f, "page {}", address.as_str()),
            Target::Site(address) => write!(f, "site {}", address.site()),
        }
    }
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
