//! Several counters that a client reads together.

use std::fmt;
use std::str::FromStr;

use super::{CounterId, ParseCounterIdError};

/// 2 to 20 different counters, in ascending order of their ids' bytes, so that each set has one spelling. A hold carries
/// at most 20 channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterSet(Vec<CounterId>);

/// Why a text is no [`CounterSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCounterSetError {
    /// The id at this position of the list, from 1, is none.
    #[error("{1} (number {0} of the list)")]
    BadId(usize, ParseCounterIdError),
    /// All ids of the list are the same.
    #[error("a list names at least 2 different counters; one counter is read by its own address")]
    TooFew,
    /// More than [`CounterSet::MAX_LEN`] different counters.
    #[error("a list names at most 20 counters, this one names {0}")]
    TooMany(usize),
}

impl CounterSet {
    /// The greatest number of counters.
    pub const MAX_LEN: usize = 20;

    /// Whether a text is meant to be a list: a counter's id has no comma.
    pub fn is_list(text: &str) -> bool {
        text.contains(',')
    }

    /// The counters whose ids stand between these separators.
    pub fn parse(text: &str, separator: char) -> Result<Self, ParseCounterSetError> {
        // A list of 10 kB is not worth an id for each of its commas.
        let named = text.split(separator).count();
        if named > 10 * Self::MAX_LEN {
            return Err(ParseCounterSetError::TooMany(named));
        }
        let parse = |(index, id): (usize, &str)| {
            id.parse::<CounterId>().map_err(|error| ParseCounterSetError::BadId(index + 1, error))
        };
        let mut ids: Vec<_> = text.split(separator).enumerate().map(parse).collect::<Result<_, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        match ids.len() {
            0 | 1 => Err(ParseCounterSetError::TooFew),
            2..=Self::MAX_LEN => Ok(CounterSet(ids)),
            more => Err(ParseCounterSetError::TooMany(more)),
        }
    }

    /// The counters.
    pub fn ids(&self) -> &[CounterId] {
        &self.0
    }

    /// The ids with this separator between them.
    pub fn join(&self, separator: &str) -> String {
        self.0.iter().map(CounterId::as_str).collect::<Vec<_>>().join(separator)
    }
}

impl FromStr for CounterSet {
    type Err = ParseCounterSetError;

    /// The counters of a list with commas.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        CounterSet::parse(text, ',')
    }
}

/// The one spelling of the set: ascending, with commas.
impl fmt::Display for CounterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_set_has_one_spelling() {
        for text in ["1,2,b", "b,2,1", "2,1,2,b,1"] {
            let set: CounterSet = text.parse().expect("a list");
            assert_eq!((set.to_string(), set.join("+")), ("1,2,b".to_owned(), "1+2+b".to_owned()));
            assert_eq!(CounterSet::parse(&set.join("+"), '+'), Ok(set));
        }
    }

    #[test]
    fn the_mistake_in_a_list_is_named() {
        let parse = |text: &str| text.parse::<CounterSet>();
        assert_eq!(parse("1,"), Err(ParseCounterSetError::BadId(2, ParseCounterIdError::Empty)));
        assert_eq!(parse(",1"), Err(ParseCounterSetError::BadId(1, ParseCounterIdError::Empty)));
        assert_eq!(parse("1,a b"), Err(ParseCounterSetError::BadId(2, ParseCounterIdError::BadCharacter(1))));
        assert_eq!(parse("1,1"), Err(ParseCounterSetError::TooFew));
        let list = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(parse(&list(20)).map(|set| set.ids().len()), Ok(20));
        assert_eq!(parse(&list(21)), Err(ParseCounterSetError::TooMany(21)));
        assert_eq!(parse(&",".repeat(10_000)), Err(ParseCounterSetError::TooMany(10_001)));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}|[a1,.+]{0,80}") {
            if let Ok(set) = text.parse::<CounterSet>() {
                prop_assert!(set.ids().is_sorted() && (2..=20).contains(&set.ids().len()));
            }
        }
    }
}
