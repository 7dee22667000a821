//! Splits batches by what their topics hold, since each kind has scripts of its own. The answers are in the order of the items.

use super::runner::ScriptRunner;
use super::{changes, documents, feeds, numbers, write};
use crate::domain::{Epoch, Kind, Topic};
use crate::store::feeds::reading_of;
use crate::store::{Claim, ClaimTerms, Reading, StoreError, Write, WriteError, Written};

/// Changes topics of all kinds.
pub(super) async fn write(runner: &ScriptRunner, writes: &[Write]) -> Vec<Result<Written, WriteError>> {
    let Some(sorted) = ByKind::of(writes.iter().map(|write| &write.topic)) else {
        return write::write(runner, writes).await;
    };
    let of_numbers = ByKind::pick(writes, &sorted.numbers);
    let of_documents = ByKind::pick(writes, &sorted.documents);
    let of_feeds: Vec<&Write> = sorted.feeds.iter().map(|&index| &writes[index]).collect();
    let (numbers, documents, feeds) = tokio::join!(
        write::write(runner, &of_numbers),
        documents::write(runner, &of_documents),
        changes::write(runner, &of_feeds)
    );
    sorted.ordered(numbers, documents, feeds)
}

/// The states of topics of all kinds.
pub(super) async fn read(runner: &ScriptRunner, topics: &[Topic]) -> Vec<Result<Reading, StoreError>> {
    let Some(sorted) = ByKind::of(topics.iter()) else { return numbers::read(runner, topics).await };
    let of_numbers = ByKind::pick(topics, &sorted.numbers);
    let of_documents = ByKind::pick(topics, &sorted.documents);
    let of_feeds = ByKind::pick(topics, &sorted.feeds);
    // The state of a feed is read like that of a number; its events are read by `after` and `before`.
    let (numbers, documents, states) = tokio::join!(
        numbers::read(runner, &of_numbers),
        documents::read(runner, &of_documents),
        numbers::read(runner, &of_feeds)
    );
    let of_feed = |(feed, state): (&Topic, Result<Reading, _>)| state.map(|state| reading_of(feed, state));
    let feeds = of_feeds.iter().zip(states).map(of_feed).collect();
    sorted.ordered(numbers, documents, feeds)
}

/// Claims the changes of topics of all kinds. The second part of an answer says whether `count.lua` must count the topic.
pub(super) async fn claim(
    runner: &ScriptRunner,
    topics: &[Topic],
    terms: ClaimTerms,
    epoch: Epoch,
) -> Vec<Result<(Claim, bool), StoreError>> {
    let Some(sorted) = ByKind::of(topics.iter()) else {
        return numbers::claim(runner, topics, terms, epoch).await;
    };
    let of_numbers = ByKind::pick(topics, &sorted.numbers);
    let of_documents = ByKind::pick(topics, &sorted.documents);
    let of_feeds = ByKind::pick(topics, &sorted.feeds);
    let (numbers, documents, feeds) = tokio::join!(
        numbers::claim(runner, &of_numbers, terms, epoch),
        documents::claim(runner, &of_documents, terms, epoch),
        feeds::claim(runner, &of_feeds, terms)
    );
    sorted.ordered(numbers, documents, feeds)
}

/// The indices of the items of a batch, by what their topics hold.
#[derive(Debug, Default, PartialEq, Eq)]
struct ByKind {
    numbers: Vec<usize>,
    documents: Vec<usize>,
    feeds: Vec<usize>,
}

impl ByKind {
    /// Sorts topics; `None` if all of them hold numbers, as nearly always.
    fn of<'a>(topics: impl Iterator<Item = &'a Topic> + Clone) -> Option<Self> {
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
    fn pick<T: Clone>(items: &[T], indices: &[usize]) -> Vec<T> {
        indices.iter().map(|&index| items[index].clone()).collect()
    }

    /// Puts the answers for numbers, documents and feeds into the order of the items.
    fn ordered<T>(self, numbers: Vec<T>, documents: Vec<T>, feeds: Vec<T>) -> Vec<T> {
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
