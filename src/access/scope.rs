//! The scopes of keys and tickets.

use std::fmt;
use std::str::FromStr;

use super::needed::Needed;
use super::prefix::{ParsePrefixError, Prefix};
use super::verb::Verb;
use crate::nearest::nearest;

/// One thing that a key or a ticket allows: `read:`, `write:` or `manage:` with a [`Prefix`] behind it, `sql` or `admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Allows the verb for all names that begin with the prefix.
    On(Verb, Prefix),
    /// Allows queries in SQL.
    Sql,
    /// Allows everything.
    Admin,
}

/// The reason for refusing a text as a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseScopeError {
    /// The text is empty.
    #[error(
        "a scope must not be empty: write read:, write: or manage: with a prefix behind it, sql or admin"
    )]
    Empty,
    /// The text does not begin with the word of a scope.
    #[error(
        "there is no scope {0:?}; there are read:, write: and manage: with a prefix behind them, sql and admin{hint}",
        hint = meant(.1)
    )]
    Unknown(String, Option<&'static str>),
    /// The text is `read`, `write` or `manage` without a colon.
    #[error("the scope {0} needs a colon: {0}: for all, or {0}:counters/shop- for what begins so")]
    Colon(&'static str),
    /// The text has a colon behind `sql` or `admin`.
    #[error("the scope {0} has no prefix: write {0} alone")]
    Alone(&'static str),
    /// The text behind the colon is no prefix.
    #[error("of the scope {word}, {1}", word = .0.word())]
    Prefix(Verb, #[source] ParsePrefixError),
}

/// The number of characters of an unknown scope that an error quotes at most.
const LONGEST_SHOWN: usize = 40;

fn meant(nearest: &Option<&'static str>) -> String {
    nearest.map(|word| format!("; did you mean {word}?")).unwrap_or_default()
}

impl Scope {
    /// Returns whether this scope allows what a request needs.
    pub fn covers(&self, needed: &Needed<'_>) -> bool {
        match (self, needed) {
            (Scope::Admin, _) | (Scope::Sql, Needed::Sql) => true,
            (Scope::On(verb, prefix), Needed::One(wanted, space, name)) => {
                verb.includes(*wanted) && prefix.covers_name(*space, name)
            }
            (Scope::On(verb, prefix), Needed::Beginning(wanted, space, begin)) => {
                verb.includes(*wanted) && prefix.covers_prefix(*space, begin)
            }
            _ => false,
        }
    }
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, ParseScopeError> {
        if text.is_empty() {
            return Err(ParseScopeError::Empty);
        }
        let (word, prefix) = match text.split_once(':') {
            Some((word, prefix)) => (word, Some(prefix)),
            None => (text, None),
        };
        match (word, prefix) {
            ("sql", None) => return Ok(Scope::Sql),
            ("admin", None) => return Ok(Scope::Admin),
            ("sql", Some(_)) => return Err(ParseScopeError::Alone("sql")),
            ("admin", Some(_)) => return Err(ParseScopeError::Alone("admin")),
            _ => {}
        }
        let Some(verb) = Verb::ALL.into_iter().find(|verb| verb.word() == word) else {
            let known = Verb::ALL.map(Verb::word).into_iter().chain(["sql", "admin"]);
            let shown = text.chars().take(LONGEST_SHOWN).collect();
            return Err(ParseScopeError::Unknown(shown, nearest(word, known)));
        };
        let prefix = prefix.ok_or(ParseScopeError::Colon(verb.word()))?;
        prefix
            .parse()
            .map(|prefix| Scope::On(verb, prefix))
            .map_err(|error| ParseScopeError::Prefix(verb, error))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::On(verb, prefix) => write!(f, "{}:{prefix}", verb.word()),
            Scope::Sql => f.write_str("sql"),
            Scope::Admin => f.write_str("admin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Space;
    use proptest::prelude::*;

    fn scope(text: &str) -> Scope {
        text.parse().expect("a scope")
    }

    fn problem(text: &str) -> String {
        text.parse::<Scope>().expect_err("a refusal").to_string()
    }

    #[test]
    fn a_scope_is_written_as_it_was_read() {
        for text in [
            "read:",
            "write:",
            "manage:",
            "sql",
            "admin",
            "write:counters/shop-",
            "manage:counters/1/",
            "read:pages/example.org/blog/",
            "read:sites/[2001:db8::1]:8080/",
            "write:routes/orders%20x/",
        ] {
            assert_eq!(scope(text).to_string(), text);
        }
    }

    #[test]
    fn what_each_scope_allows() {
        let read = Needed::One(Verb::Read, Space::Counters, "1");
        let write = Needed::One(Verb::Write, Space::Counters, "1");
        let manage = Needed::One(Verb::Manage, Space::Counters, "1");
        let list = Needed::Beginning(Verb::Read, Space::Counters, "");
        for (text, expected) in [
            //                      read   write  manage list   sql    admin
            ("read:", [true, false, false, true, false, false]),
            ("write:", [false, true, false, false, false, false]),
            ("manage:", [true, true, true, true, false, false]),
            ("sql", [false, false, false, false, true, false]),
            ("admin", [true, true, true, true, true, true]),
            ("write:counters/1/", [false, true, false, false, false, false]),
            ("manage:counters/1", [true, true, true, false, false, false]),
            ("manage:counters/2", [false, false, false, false, false, false]),
            ("manage:sites/", [false, false, false, false, false, false]),
        ] {
            let scope = scope(text);
            let allowed = [&read, &write, &manage, &list, &Needed::Sql, &Needed::Admin]
                .map(|needed| scope.covers(needed));
            assert_eq!(allowed, expected, "{text}");
        }
    }

    #[test]
    fn the_mistake_in_a_scope_is_named() {
        for (text, expected) in [
            (
                "",
                "a scope must not be empty: write read:, write: or manage: with a prefix behind it, sql or admin",
            ),
            (
                "wirte:counters/",
                "there is no scope \"wirte:counters/\"; there are read:, write: and manage: with a prefix behind them, \
                 sql and admin; did you mean write?",
            ),
            (
                "Write:",
                "there is no scope \"Write:\"; there are read:, write: and manage: with a prefix behind them, sql and \
                 admin; did you mean write?",
            ),
            (
                "counters/1",
                "there is no scope \"counters/1\"; there are read:, write: and manage: with a prefix behind them, sql \
                 and admin",
            ),
            (
                "write",
                "the scope write needs a colon: write: for all, or write:counters/shop- for what begins so",
            ),
            ("admin:", "the scope admin has no prefix: write admin alone"),
            ("sql:select", "the scope sql has no prefix: write sql alone"),
            (
                "read:counter/1",
                "of the scope read, the prefix \"counter/1\" must be empty or begin with counters/, sites/, pages/ or \
                 routes/; did you mean counters/?",
            ),
        ] {
            assert_eq!(problem(text), expected, "{text:?}");
        }
        for text in
            [" read:", "read: ", "read:\n", "read :", "read:counters/.*", "*", "sql ", "\0", "read:read:"]
        {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
        let long = problem(&"x".repeat(10_000));
        assert!(long.len() < 200, "{long}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(read:|write:|admin)?\\PC{0,40}") {
            if let Ok(scope) = text.parse::<Scope>() {
                prop_assert_eq!(scope.to_string(), text);
            }
        }

        #[test]
        fn no_scope_of_one_counter_covers_another(one in "[a-z0-9.~_-]{1,8}", other in "[a-z0-9.~_-]{1,8}") {
            let needed = Needed::One(Verb::Write, Space::Counters, &other);
            prop_assert_eq!(scope(&format!("write:counters/{one}/")).covers(&needed), one == other);
        }
    }
}
