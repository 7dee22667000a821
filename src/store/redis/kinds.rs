//! Sorts the topics of a batch by what they hold, since each kind has scripts of its own.

use crate::domain::{Kind, Topic};

/// The indices of the items of a batch, by what their topics hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ByKind {
    pub(super) numbers: Vec<usize>,
    pub(super) documents: Vec<usize>,
    pub(super) feeds: Vec<usize>,
}

impl ByKind {
    /// Sorts topics; `None` if all of them hold numbers, as nearly always.
    pub(super) fn of<'a>(topics: impl Iterator<Item = &'a Topic> + Clone) -> Option<Self> {
        if topics.clone().all(Topic::holds_number) {
            return None;
        }
        let mut sorted = ByKind::default();
        for (index, topic) in topics.enumerate() {
            match topic.kind() {
                Some(Kind::Entity) => sorted.documents.push(index),
                Some(Kind::Feed) => sorted.feeds.push(index),
                _ => sorted.numbers.push(index),
            }
        }
        Some(sorted)
    }

    /// The items with these indices.
    pub(super) fn pick<T: Clone>(items: &[T], indices: &[usize]) -> Vec<T> {
        indices.iter().map(|&index| items[index].clone()).collect()
    }

    /// Puts the answers for numbers, documents and feeds into the order of the items.
    pub(super) fn ordered<T>(self, numbers: Vec<T>, documents: Vec<T>, feeds: Vec<T>) -> Vec<T> {
        let indices = [self.numbers, self.documents, self.feeds];
        super::batch::ungroup(&indices, vec![numbers, documents, feeds])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_sorted_and_their_answers_come_in_the_first_order() {
        let names = ["feed-a", "counter-1", "entity-a/b", "counter-2", "entities"];
        let topics = names.map(|name| name.parse::<Topic>().expect("a topic"));
        assert_eq!(ByKind::of(topics[3..].iter()), None);
        let sorted = ByKind::of(topics.iter()).expect("kinds");
        assert_eq!(ByKind::pick(&names, &sorted.numbers), ["counter-1", "counter-2", "entities"]);
        assert_eq!((&sorted.documents, &sorted.feeds), (&vec![2], &vec![0]));
        assert_eq!(sorted.ordered(vec![1, 3, 4], vec![2], vec![0]), [0, 1, 2, 3, 4]);
    }
}
