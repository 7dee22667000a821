//! Splits batches by what their topics hold, as each kind has scripts of its own. The answers are in the order of the items.

use futures_util::future::join;

use super::runner::ScriptRunner;
use super::{feeds, write};
use crate::domain::{Kind, Topic};
use crate::store::{Write, WriteError, Written};

/// Changes topics of all kinds.
pub(super) async fn write_all(runner: &ScriptRunner, writes: &[Write]) -> Vec<Result<Written, WriteError>> {
    if writes.iter().all(|write| write.topic.holds_number()) {
        return write::write(runner, writes).await;
    }
    let (of_feeds, others) = split(writes.iter().map(|write| &write.topic));
    let feeds: Vec<&Write> = of_feeds.iter().map(|&index| &writes[index]).collect();
    let rest: Vec<Write> = others.iter().map(|&index| writes[index].clone()).collect();
    let (feeds, rest) = join(feeds::write(runner, &feeds), write::write(runner, &rest)).await;
    in_order(of_feeds.into_iter().zip(feeds), others.into_iter().zip(rest))
}

/// The indexes of feeds, and those of the other topics.
pub(super) fn split<'a>(topics: impl Iterator<Item = &'a Topic>) -> (Vec<usize>, Vec<usize>) {
    let indexes = topics.enumerate().map(|(index, topic)| (index, topic.kind() == Some(Kind::Feed)));
    let (feeds, others): (Vec<_>, Vec<_>) = indexes.partition(|(_, is_feed)| *is_feed);
    let index = |list: Vec<(usize, bool)>| list.into_iter().map(|(index, _)| index).collect();
    (index(feeds), index(others))
}

/// The answers in the order of their indexes.
pub(super) fn in_order<T>(
    some: impl Iterator<Item = (usize, T)>,
    others: impl Iterator<Item = (usize, T)>,
) -> Vec<T> {
    let mut all: Vec<(usize, T)> = some.chain(others).collect();
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, answer)| answer).collect()
}
