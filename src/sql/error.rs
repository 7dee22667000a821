//! Why a statement is refused.

use std::time::Duration;

/// Why a statement is refused or stopped. The text is for the client that has sent the statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// There is no statement.
    #[error("there is no statement; send one SELECT, like SELECT key FROM \"analytics/daily\"")]
    Empty,
    /// The statement is longer than this many bytes.
    #[error("a statement has at most {0} bytes")]
    TooLong(usize),
    /// There are several statements.
    #[error("there is more than one statement; send one")]
    Several,
    /// The statement does not begin with a word with which a query begins.
    #[error(
        "a statement must begin with SELECT, WITH or VALUES: tables can only be read here; commands, such as incr and write, go to \
         POST /exec"
    )]
    NoQuery,
    /// SQLite cannot read the statement.
    #[error("{message}, at line {line}, column {column}{hint}", hint = quotes(.message))]
    Syntax {
        /// What SQLite says.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
    },
    /// SQLite refuses the statement, or fails while it runs.
    #[error("{0}")]
    Refused(String),
    /// The statement uses what this service does not offer.
    #[error("{0}")]
    Forbidden(String),
    /// The statement names too many tables.
    #[error("a statement reads at most {0} tables")]
    TooManyTables(usize),
    /// No entity of the tables has this field.
    #[error("there is no field {field:?}{hint}")]
    UnknownField {
        /// The field as the statement names it.
        field: String,
        /// The nearest field, or all fields if they are few.
        hint: String,
    },
    /// Two fields have names that SQL cannot tell apart.
    #[error(
        "the fields {0:?} and {1:?} differ only in capitals, which SQL cannot tell apart; read payload instead"
    )]
    SameName(String, String),
    /// The statement names two routes that SQL cannot tell apart.
    #[error(
        "the routes {0:?} and {1:?} differ only in capitals, which SQL cannot tell apart; spell a route as it is, and ask of each of \
         the two in a statement of its own"
    )]
    SameTable(String, String),
    /// The parameters do not fit the statement.
    #[error("{0}")]
    Parameters(String),
    /// A table has too much for one statement.
    #[error("{0}")]
    TooMuch(String),
    /// The statement has run for this long.
    #[error("the statement was stopped after {0:?}; bound key (WHERE key >= …), or join and sort less")]
    OutOfTime(Duration),
    /// The client has closed its connection.
    #[error("the statement was stopped because its client has gone")]
    Abandoned,
    /// The machine cannot run the statement now.
    #[error("{0}")]
    Failed(String),
}

/// Says how to write the name of a route, if SQLite has stopped at the slash of one.
fn quotes(message: &str) -> &'static str {
    let is_slash = message.starts_with("near \"/\"");
    if is_slash { "; the name of a route stands in double quotes, like \"analytics/daily\"" } else { "" }
}

impl SqlError {
    /// Whether the same statement may be answered later.
    pub fn is_of_the_service(&self) -> bool {
        matches!(self, SqlError::Failed(_) | SqlError::Abandoned)
    }

    /// What SQLite has said about the statement.
    pub(super) fn of_sqlite(&self) -> Option<&str> {
        match self {
            SqlError::Syntax { message, .. } => Some(message),
            SqlError::Refused(message) => Some(message),
            _ => None,
        }
    }
}
