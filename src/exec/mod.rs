//! The command language of `/exec`: its syntax tree and its parser. This module knows neither HTTP nor the store.
//!
//! docs/drops.md is the reference of the language.

mod error;
mod find;
mod lexical;
mod parse;
mod selection;
mod syntax;
mod value;

pub use error::SyntaxError;
pub use parse::{MAX_COMMANDS, MAX_LEN, parse};
pub use selection::Entity;
pub use syntax::{Action, Command, Comparison, Condition, Find, Position};
