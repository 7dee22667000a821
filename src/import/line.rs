//! A line of the input: a counter with a value, or the reason why the line cannot be used.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::domain::{CounterId, FieldChanges, JsonText, PageAddress, Past, Topic};

/// The latest time in a line, in milliseconds since 1970: answers have no room for a year of five digits.
pub(super) const LATEST: u64 = 253_402_207_200_000;

/// What a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A counter.
    Counter(CounterId),
    /// A page. What is added to a page is added to its site, too, unless the input has a line for the site.
    Page(PageAddress),
    /// A site: the address of the page at its root.
    Site(PageAddress),
    /// An entity, the fields to set, and when its life ends, in milliseconds since 1970.
    Entity(Topic, Arc<FieldChanges>, Option<u64>),
    /// An event of a feed.
    Event(PastEvent),
}

/// An event that another store had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEvent {
    /// The feed.
    pub feed: Topic,
    /// When the other store took the event, in milliseconds since 1970.
    pub at: u64,
    /// What a client has sent.
    pub data: JsonText,
}

/// A counter, a page, a site, an entity or an event that the input names, with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportLine {
    /// The number of the line, counted from 1.
    pub line: u64,
    /// The counter, the page, the site, the entity or the event.
    pub target: Target,
    /// The value to set or to add, within ±[`LIMIT`](crate::domain::LIMIT); 0 for an entity and an event.
    pub value: i64,
    /// The values of a counter, a page or a site in hours and days; empty if the line has none.
    pub past: Past,
    /// The name of the counter in the input, if the id was made from it: two names may make the same id.
    pub name: Option<String>,
}

impl Target {
    /// Whether this is an event of a feed.
    pub fn is_event(&self) -> bool {
        matches!(self, Target::Event(_))
    }

    /// The topic that has the value.
    pub fn topic(&self) -> Topic {
        match self {
            Target::Counter(id) => Topic::counter(id),
            Target::Page(address) => Topic::page(address),
            Target::Site(address) => Topic::site(address),
            Target::Entity(topic, ..) => topic.clone(),
            Target::Event(event) => event.feed.clone(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Counter(id) => write!(f, "counter {id}"),
            Target::Page(address) => write!(f, "page {}", address.as_str()),
            Target::Site(address) => write!(f, "site {}", address.site()),
            Target::Entity(topic, ..) => match topic.entity_name() {
                Some((route, key)) => write!(f, "entity {route}/{key}"),
                None => f.write_str("entity"),
            },
            Target::Event(event) => match event.feed.feed_route() {
                Some(route) => write!(f, "event of {route}"),
                None => f.write_str("event"),
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
    Form(String),
}
