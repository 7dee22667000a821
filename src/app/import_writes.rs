//! The changes of topics that the lines of an input ask for.

use std::io::{BufReader, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::try_join_all;

use super::import_record::ImportRecord;
use crate::domain::{FieldChanges, Topic};
use crate::import::{BadLine, CheckedInput, CounterLines, ImportLine, ReadError, Target};
use crate::store::{Change, Store, StoreError, Write};

/// How many lines one call to the store takes.
const BATCH: usize = 500;

/// The next lines, or a line that cannot be used; `None` at the end.
pub(super) fn next_batch<R: Read>(
    lines: &mut CounterLines<BufReader<R>>,
) -> Result<Option<Result<Vec<ImportLine>, BadLine>>, ReadError> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH {
        match lines.read_next()? {
            Some(Ok(line)) => batch.push(line),
            Some(Err(bad)) => return Ok(Some(Err(bad))),
            None => break,
        }
    }
    Ok(Some(batch).filter(|batch| !batch.is_empty()).map(Ok))
}

/// The changes of a line: of what the line names, and of the site of a page if the input has no line for that site. With a record every change has an
/// idempotency key.
pub(super) fn writes<'a>(
    line: &'a ImportLine,
    checked: &CheckedInput,
    record: Option<&ImportRecord>,
) -> Vec<(&'a ImportLine, Write)> {
    let mut topics = vec![line.target.topic()];
    if let Target::Page(address) = &line.target {
        topics.extend(Some(Topic::site(address)).filter(|site| !checked.names_site(site)));
    }
    if let Target::Entity(topic, fields, ends) = &line.target {
        let write = Write::merge(topic.clone(), FieldChanges::clone(fields));
        return vec![(line, Write { ends: *ends, ..write })];
    }
    if let Target::Event(event) = &line.target {
        return vec![(line, Write::append_past(event.feed.clone(), event.data.clone(), event.at))];
    }
    let write = |topic| match record {
        Some(record) => Write::add(topic, line.value, Some(record.key(line.line))),
        None => Write::new(topic, Change::Set(line.value)),
    };
    topics.into_iter().map(|topic| (line, write(topic))).collect()
}

/// Removes the entities whose lives are over, and returns how many.
pub(super) fn leave_out_ended(batch: &mut Vec<ImportLine>) -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = batch.len();
    batch.retain(|line| match line.target {
        Target::Entity(_, _, Some(ends)) => u128::from(ends) > since.as_millis(),
        _ => true,
    });
    (before - batch.len()) as u64
}

/// Keeps the addresses of the pages, which the names of their topics do not tell.
pub(super) async fn keep_addresses(store: &dyn Store, batch: &[ImportLine]) -> Result<(), StoreError> {
    let kept = batch.iter().filter_map(|line| match &line.target {
        Target::Page(address) => {
            Some(async move { store.keep_address(&Topic::page(address), address.as_str()).await })
        }
        Target::Counter(_) | Target::Site(_) | Target::Entity(..) | Target::Event(_) => None,
    });
    try_join_all(kept).await.map(|_| ())
}
