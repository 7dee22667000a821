//! The permission that a request needs.

use std::fmt;

use super::prefix::Space;
use super::verb::Verb;

/// The permission that a request needs. A [`Scope`](super::Scope) covers it or does not; its text is the least scope that covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed<'a> {
    /// The request uses the one thing of this name.
    One(Verb, Space, &'a str),
    /// The request uses all things whose names begin with this text; an empty text means all things of the space.
    Beginning(Verb, Space, &'a str),
    /// The request runs a query in SQL.
    Sql,
    /// The request does what only an administrator may do.
    Admin,
}

impl fmt::Display for Needed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needed::One(verb, space, name) => {
                let slash = if name.ends_with('/') { "" } else { "/" };
                write!(f, "{}:{}/{name}{slash}", verb.word(), space.word())
            }
            Needed::Beginning(verb, space, begin) => write!(f, "{}:{}/{begin}", verb.word(), space.word()),
            Needed::Sql => f.write_str("sql"),
            Needed::Admin => f.write_str("admin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scope;
    use proptest::prelude::*;

    #[test]
    fn a_need_is_written_as_the_least_scope_that_covers_it() {
        for (needed, expected) in [
            (Needed::One(Verb::Write, Space::Counters, "1"), "write:counters/1/"),
            (Needed::One(Verb::Manage, Space::Pages, "example.org/"), "manage:pages/example.org/"),
            (Needed::Beginning(Verb::Read, Space::Counters, "shop-"), "read:counters/shop-"),
            (Needed::Beginning(Verb::Read, Space::Counters, ""), "read:counters/"),
            (Needed::Sql, "sql"),
            (Needed::Admin, "admin"),
        ] {
            assert_eq!(needed.to_string(), expected);
            assert!(expected.parse::<Scope>().expect("a scope").covers(&needed), "{expected}");
        }
    }

    proptest! {
        #[test]
        fn the_scope_that_is_named_covers_it(name in "[A-Za-z0-9._~-]{1,64}") {
            for needed in [
                Needed::One(Verb::Manage, Space::Counters, &name),
                Needed::Beginning(Verb::Read, Space::Counters, &name),
            ] {
                prop_assert!(needed.to_string().parse::<Scope>().expect("a scope").covers(&needed));
            }
        }
    }
}
