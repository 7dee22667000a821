//! What a request needs before it is done.

use std::fmt;

use super::prefix::Space;
use super::verb::Verb;

/// What a request needs; a [`Scope`](super::Scope) covers it or does not. Written as the least scope that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed<'a> {
    /// To do something with the one thing of this name.
    One(Verb, Space, &'a str),
    /// To do something with all things whose names begin with this text; an empty text means all of the space.
    Beginning(Verb, Space, &'a str),
    /// To ask in SQL.
    Sql,
    /// What only an administrator may do.
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
    fn what_is_needed_is_written_as_the_least_scope_that_covers_it() {
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
