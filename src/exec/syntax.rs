//! The syntax tree of commands.

use std::time::Duration;

use crate::domain::{EntityKey, FieldChanges, JsonText, Route};

/// One command, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Where the command begins.
    pub at: Position,
    /// What the command does.
    pub action: Action,
}

/// A place in the text, counted from 1. A column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers the fields of an entity: `read`, `get`, or the route and the key alone.
    Read(Route, EntityKey),
    /// Changes fields of an entity: `incr`, `write` or `save` with a key, `update` or `patch`.
    Merge {
        /// The route of the entity.
        route: Route,
        /// The key of the entity.
        key: EntityKey,
        /// What changes.
        fields: FieldChanges,
        /// How long the entity lives from now on, if a time is given.
        keep: Option<Duration>,
        /// Whether the entity must exist: `update` and `patch`.
        existing: bool,
    },
    /// Appends an event to the feed of a route: `write` or `save` without a key.
    Append(Route, JsonText),
    /// Deletes an entity: `remove` or `delete`.
    Remove(Route, EntityKey),
    /// Answers the entities of a route: `list`, or the route alone.
    List {
        /// The route.
        route: Route,
        /// How many entities to answer at most, if a number is given.
        top: Option<u32>,
    },
    /// Answers the entities of a route that fulfil conditions: `find` or `query`.
    Find(Find),
    /// Answers a query in SQL.
    Sql(String),
}

/// Which entities `find` answers, in which order, and which of their fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// The route of the entities.
    pub route: Route,
    /// What an entity must fulfil, all of it.
    pub conditions: Vec<Condition>,
    /// The fields to answer; all of them if empty.
    pub pick: Vec<String>,
    /// The field by which to sort, and whether the greatest value comes first. Without it, entities come in the order of their keys.
    pub sort: Option<(String, bool)>,
    /// How many entities to answer at most, if a number is given.
    pub top: Option<u32>,
}

/// A comparison of a field with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The name of the field; `key` is the key of the entity if no field has that name.
    pub field: String,
    /// How to compare.
    pub comparison: Comparison,
    /// The value: a text, a number, `true`, `false` or `null`.
    pub value: JsonText,
}

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}
