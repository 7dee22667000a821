//! Several topics that a client reads together.

use smol_str::SmolStr;

use super::Topic;

/// Up to 20 different topics, each with the name by which the client calls it, in ascending order of the names' bytes, so that
/// each set has one order. A hold carries at most 20 channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSet {
    names: Vec<SmolStr>,
    topics: Vec<Topic>,
}

/// There are more than [`TopicSet::MAX_LEN`] different topics: this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetTooLarge(pub usize);

impl TopicSet {
    /// The greatest number of topics.
    pub const MAX_LEN: usize = 20;

    /// The set of these topics with their names. Equal names must belong to equal topics.
    pub fn of(mut named: Vec<(SmolStr, Topic)>) -> Result<Self, SetTooLarge> {
        named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        named.dedup_by(|(a, _), (b, _)| a == b);
        if named.len() > Self::MAX_LEN {
            return Err(SetTooLarge(named.len()));
        }
        let (names, topics) = named.into_iter().unzip();
        Ok(TopicSet { names, topics })
    }

    /// The topics.
    pub fn topics(&self) -> &[Topic] {
        &self.topics
    }

    /// The names by which the client calls the topics, in the order of the topics.
    pub fn names(&self) -> &[SmolStr] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ids: &[String]) -> Result<TopicSet, SetTooLarge> {
        let named =
            |id: &String| (SmolStr::new(id), Topic::counter(&id.parse().expect("the id of a counter")));
        TopicSet::of(ids.iter().map(named).collect())
    }

    #[test]
    fn a_set_has_one_order() {
        for text in ["1,2,b", "b,2,1", "2,1,2,b,1"] {
            let ids: Vec<String> = text.split(',').map(str::to_owned).collect();
            let set = set(&ids).expect("a set");
            assert_eq!(set.names(), ["1", "2", "b"]);
            let topics: Vec<&str> = set.topics().iter().map(Topic::name).collect();
            assert_eq!(topics, ["counter-1", "counter-2", "counter-b"]);
        }
    }

    #[test]
    fn a_set_has_at_most_20_different_topics() {
        let ids = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>();
        assert_eq!(set(&ids(20)).map(|set| set.topics().len()), Ok(20));
        assert_eq!(set(&[ids(20), ids(20)].concat()).map(|set| set.topics().len()), Ok(20));
        assert_eq!(set(&ids(21)), Err(SetTooLarge(21)));
    }

    proptest! {
        #[test]
        fn the_order_in_which_topics_are_named_makes_no_difference(mut ids in proptest::collection::vec("[ab~]{1,2}", 0..8)) {
            let one = set(&ids);
            ids.reverse();
            prop_assert_eq!(one, set(&ids));
        }
    }
}
