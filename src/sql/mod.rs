//! Answers one statement in SQL, which can read entities and nothing else.
//!
//! A statement is prepared twice. First on empty tables, so that the authorizer of SQLite tells which tables and columns it reads
//! ([`discovery`]); then on tables with only these columns, and with only the keys that the statement can need ([`key_range`]). Each
//! time the database is a new one in memory that can reach no file, no other table and no function that is not listed
//! ([`sandbox`], [`authorizer`]). The statement runs on a thread of its own, and is stopped when its time is over or its client has
//! gone ([`watch`]).

mod answer;
mod authorizer;
mod cell;
mod discovery;
mod error;
mod functions;
mod key_range;
mod parameters;
mod query;
mod run;
mod runner;
mod sandbox;
mod statement;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod unknown_field;
mod wanted;
mod watch;

pub use answer::Answer;
pub use cell::Cell;
pub use error::SqlError;
pub use parameters::Parameters;
pub use query::{Query, QueryError, TableSource, no_entities};
pub use runner::Runner;
pub use table::{MOST_BYTES, MOST_ENTITIES, Table};
pub use wanted::{Fields, KeyRange, WantedTable};
