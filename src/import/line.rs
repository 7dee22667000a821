//! A line of the input: a counter with a value, or the reason why the line cannot be used.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::domain::{CounterId, FieldChanges, PageAddress, Topic};

/// What a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A counter.
    Counter(CounterId),
    /// A page. What is added to a page is added to its site, too, unless the input has a line for the site.
    Page(PageAddress),
    /// A site: the address of the page at its root.
    Site(PageAddress),
    /// An entity, and the fields to set.
    Entity(Topic, Arc<FieldChanges>),
}

/// A counter, a page, a site or an entity that the input names, with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLine {
    /// The number of the line, counted from 1.
    pub line: u64,
    /// The counter, the page, the site or the entity.
    pub target: Target,
    /// The value to set or to add, within ±[`LIMIT`](crate::domain::LIMIT); 0 for an entity.
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
            Target::Entity(topic, _) => topic.clone(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Counter(id) => write!(f, "counter {id}"),
            Target::Page(address) => write!(f, "page {}", address.as_str()),
            Target::Site(address) => write!(f, "site {}", address.site()),
            Target::Entity(topic, _) => match topic.entity_name() {
                Some((route, key)) => write!(f, "entity {route}/{key}"),
                None => f.write_str("entity"),
            },
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
