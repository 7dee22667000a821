//! Changes topics: one call of a script for all changes of a batch, and a second call for those with an idempotency key if the
//! connection breaks before the answer. Ones that are added to counters in the direct form need no script.

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value};

use super::batch::{self, CHUNK};
use super::direct::Form;
use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{direct, reply, script};
use crate::domain::{Epoch, Kind, LIMIT, Retention};
use crate::store::{
    Change, GRACE, LONGEST_LEASE, Once, Replay, Sum, Visit, Write, WriteError, Written, bounds, change,
    random,
};

/// A change on its way to Redis.
#[derive(Clone, Copy)]
struct WriteItem<'a> {
    write: &'a Write,
    /// The index of the item's answer.
    position: usize,
    least: i64,
    greatest: i64,
    plain: bool,
}

/// Changes topics; the answers are in the order of `writes`.
pub(super) async fn write(runner: &ScriptRunner, writes: &[Write]) -> Vec<Result<Written, WriteError>> {
    let groups = runner.topology.groups(writes.iter().map(|write| &write.topic));
    if let [group] = groups.as_slice() {
        return write_group(runner, writes, group).await;
    }
    let answers = join_all(groups.iter().map(|group| write_group(runner, writes, group))).await;
    batch::ungroup(&groups, answers)
}

/// Applies the items of `group`, all of which one call may touch; the answers are in the order of the group.
async fn write_group(
    runner: &ScriptRunner,
    writes: &[Write],
    group: &[usize],
) -> Vec<Result<Written, WriteError>> {
    let mut answers: Vec<_> = group.iter().map(|_| Err(WriteError::OutOfRange)).collect();
    let mut items = Vec::with_capacity(group.len());
    for (position, &index) in group.iter().enumerate() {
        let write = &writes[index];
        let (bounds, addition) = match &write.change {
            Change::Add(sum) => (bounds::of(sum), true),
            Change::Set(value) => (Some(-LIMIT..=LIMIT).filter(|range| range.contains(value)), false),
            Change::Delete => (Some(-LIMIT..=LIMIT), false),
            Change::Merge(_) | Change::Append(_) => {
                answers[position] = Err(change::misfit().into());
                continue;
            }
        };
        if let Some(bounds) = bounds {
            let alone = write.claim.is_none() && write.once.is_none() && write.visit.is_none();
            let plain = addition && alone && bounds::are_trivial(&bounds);
            items.push(WriteItem { write, position, least: *bounds.start(), greatest: *bounds.end(), plain });
        }
    }
    for chunk in items.chunks(CHUNK) {
        write_chunk(runner, chunk, &mut answers).await;
    }
    answers
}

async fn write_chunk(
    runner: &ScriptRunner,
    items: &[WriteItem<'_>],
    answers: &mut [Result<Written, WriteError>],
) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    if runner.adds_directly() {
        for item in items {
            match direct_ones(runner, item) {
                Some(sum) => ones.push((*item, sum)),
                None => others.push(*item),
            }
        }
    }
    // Changes of one topic stay in their order.
    let is_apart =
        |(one, _): &(WriteItem<'_>, i64)| others.iter().all(|other| one.write.topic != other.write.topic);
    if ones.is_empty() || !ones.iter().all(is_apart) {
        return write_by_script(runner, items, answers).await;
    }
    let additions = ones.iter().map(|(item, sum)| (&item.write.topic, *sum));
    let (added, ()) =
        tokio::join!(direct::add(&runner.topology, additions), write_by_script(runner, &others, answers));
    let mut left = Vec::new();
    for ((item, _), added) in ones.into_iter().zip(added) {
        match added {
            Ok(Some(value)) => answers[item.position] = Ok(Written { value, ..Written::default() }),
            Ok(None) => {
                // With the script it gets the direct form again.
                runner.direct.note(&item.write.topic, Some(Form::Marked));
                left.push(item);
            }
            Err(error) => {
                answers[item.position] = Err(WriteError::Unavailable(script::failure(error)));
            }
        }
    }
    write_by_script(runner, &left, answers).await;
}

/// How many ones the item adds to a counter of which this process takes it that it has the direct form. `None` for any other item.
fn direct_ones(runner: &ScriptRunner, item: &WriteItem<'_>) -> Option<i64> {
    let Change::Add(sum) = &item.write.change else { return None };
    let are_ones = item.plain && sum.total == i64::from(sum.changes);
    (are_ones && runner.direct.form(&item.write.topic) == Some(Form::Direct)).then_some(sum.total)
}

async fn write_by_script(
    runner: &ScriptRunner,
    items: &[WriteItem<'_>],
    answers: &mut [Result<Written, WriteError>],
) {
    let Err(error) = send(runner, items, answers).await else { return };
    let failure = script::failure(error.clone());
    for item in items {
        answers[item.position] = Err(WriteError::Unavailable(failure.clone()));
    }
    // Redis may have applied the items or not. An item with a key can be sent again, because the script does not apply such an
    // item twice.
    let keyed: Vec<_> = items.iter().copied().filter(|item| item.write.once.is_some()).collect();
    if !keyed.is_empty() && script::is_cut(&error) {
        // If the second call fails as well, the answers of the first one stay.
        let _ = send(runner, &keyed, answers).await;
        for item in keyed {
            if let Ok(added) = &mut answers[item.position] {
                // The key was probably used by the first of the two calls: so the change still has to be announced.
                added.replayed = false;
            }
        }
    }
}

async fn send(
    runner: &ScriptRunner,
    items: &[WriteItem<'_>],
    answers: &mut [Result<Written, WriteError>],
) -> RedisResult<()> {
    let Some(first) = items.first() else { return Ok(()) };
    let (bucket, epoch) = (first.write.topic.bucket(), random::epoch()?);
    // Whether it may bring counters into the direct form is known then.
    runner.schema.check(&runner.topology).await?;
    let are_plain = items.iter().all(|item| item.plain);
    let reply = match are_plain {
        true => add_plainly(runner, bucket, items, epoch).await?,
        false => write_any(runner, bucket, items, epoch).await?,
    };
    let replies = reply::items(reply, items.len())?;
    let tells_forms = are_plain && runner.adds_directly();
    for (item, reply) in items.iter().zip(&replies) {
        answers[item.position] = reply::written(&item.write.change, reply)?;
        if tells_forms && item.write.topic.kind() == Some(Kind::Counter) {
            let form = if reply::is_direct(reply) { Form::Direct } else { Form::Marked };
            runner.direct.note(&item.write.topic, answers[item.position].is_ok().then_some(form));
        }
    }
    Ok(())
}

/// Calls `write.lua`.
async fn write_any(
    runner: &ScriptRunner,
    bucket: u16,
    items: &[WriteItem<'_>],
    epoch: Epoch,
) -> RedisResult<Value> {
    let retention = runner.retention;
    let histories = items.iter().filter(|item| writes_history(item, retention)).count();
    let records = items.iter().filter(|item| item.write.once.is_some()).count();
    let visits = items.iter().filter(|item| item.write.visit.is_some()).count();
    let keys = 2 * items.len() + histories + records + 2 * visits;
    runner.run_change(bucket, &script::WRITE, keys, |command| append(command, items, epoch, retention)).await
}

/// Calls `add_plain.lua`.
async fn add_plainly(
    runner: &ScriptRunner,
    bucket: u16,
    items: &[WriteItem<'_>],
    epoch: Epoch,
) -> RedisResult<Value> {
    let is_one = runner.topology.is_one();
    let keys = if is_one { items.len() } else { 2 * items.len() };
    let directs = to_be_direct(runner, items);
    let append = |command: &mut Cmd| append_plain(command, items, epoch, is_one, &directs);
    runner.run_change(bucket, &script::ADD_PLAIN, keys, append).await
}

/// `1` for each item whose counter is to get the direct form and `0` for each other item; empty if there is none.
fn to_be_direct(runner: &ScriptRunner, items: &[WriteItem<'_>]) -> String {
    let changes_again = |item: &WriteItem<'_>| runner.direct.form(&item.write.topic).is_some();
    if !runner.adds_directly() || !items.iter().any(changes_again) {
        return String::new();
    }
    items.iter().map(|item| if changes_again(item) { '1' } else { '0' }).collect()
}

/// `1` for each item that may create its topic and `0` for each other item; empty if all items may create their topics.
fn creators(items: &[WriteItem<'_>]) -> String {
    if items.iter().all(|item| item.write.may_create) {
        return String::new();
    }
    items.iter().map(|item| if item.write.may_create { '1' } else { '0' }).collect()
}

/// Whether the item is claimed and a history is kept. If so, the key of its history is among the keys of the call.
fn writes_history(item: &WriteItem<'_>, retention: Retention) -> bool {
    item.write.claim.is_some() && retention.keeps_any()
}

/// Appends the keys and arguments that `add_plain.lua` lists. Where one server has all buckets, its outbox parts are not among the
/// keys: a key costs Redis a tenth of an addition, and few additions need their outbox part.
fn append_plain(command: &mut Cmd, items: &[WriteItem<'_>], epoch: Epoch, is_one: bool, directs: &str) {
    let mut keys = KeyWriter::default();
    for WriteItem { write, .. } in items {
        match is_one {
            true => keys.topic(command, &write.topic),
            false => keys.topic_and_outbox(command, &write.topic),
        }
    }
    append_terms(command, items, epoch);
    let digit = |item: &WriteItem<'_>| char::from_digit(item.write.topic.outbox_part().into(), 10);
    let parts: String = items.iter().filter(|_| is_one).filter_map(digit).collect();
    command.arg(parts).arg(directs);
    let is_one = |change: &Change| matches!(change, Change::Add(sum) if *sum == Sum::from(1));
    if items.iter().any(|WriteItem { write, .. }| !is_one(&write.change)) {
        items.iter().for_each(|item| append_change(command, &item.write.change));
    }
}

/// Appends the keys and arguments that `write.lua` lists.
fn append(command: &mut Cmd, items: &[WriteItem<'_>], epoch: Epoch, retention: Retention) {
    let mut keys = KeyWriter::default();
    for item @ WriteItem { write, .. } in items {
        keys.topic_and_outbox(command, &write.topic);
        if writes_history(item, retention) {
            keys.history(command, &write.topic);
        }
        if let Some(once) = &write.once {
            keys.record(command, &write.topic, &once.key);
        }
        if write.visit.is_some() {
            keys.visitors(command, &write.topic);
        }
    }
    append_terms(command, items, epoch);
    command.arg(retention.hours).arg(retention.days);
    let has_visits = items.iter().any(|item| item.write.visit.is_some());
    command.arg(if has_visits { "v" } else { "" });
    for WriteItem { write, least, greatest, .. } in items {
        append_change(command, &write.change);
        command.arg(*least).arg(*greatest);
        match write.claim {
            Some(lease) => command.arg(lease.as_millis() as u64),
            None => command.arg(""),
        };
        match &write.once {
            Some(Once { lifetime, replay: Replay::FirstAnswer, .. }) => {
                command.arg(lifetime.as_millis() as u64)
            }
            Some(Once { lifetime, replay: Replay::Present, .. }) => {
                command.arg(format!("*{}", lifetime.as_millis()))
            }
            None => command.arg(""),
        };
        match write.visit {
            Some(visit) => _ = command.arg(visit_argument(visit)),
            None if has_visits => _ = command.arg(""),
            None => {}
        }
    }
}

/// A visit, as `visiting.lua` takes it.
pub(super) fn visit_argument(Visit { day, visitor }: Visit) -> String {
    format!("{day} {visitor:016x}")
}

/// Appends the arguments that `writing.lua` lists.
fn append_terms(command: &mut Cmd, items: &[WriteItem<'_>], epoch: Epoch) {
    command.arg(epoch.get()).arg(GRACE.as_millis() as u64).arg(LONGEST_LEASE.as_millis() as u64);
    command.arg(creators(items));
}

fn append_change(command: &mut Cmd, change: &Change) {
    match change {
        Change::Add(sum) => command.arg(sum.total).arg(sum.changes),
        Change::Set(value) => command.arg(format!("={value}")).arg(1),
        Change::Delete => command.arg("x").arg(1),
        // These are refused before.
        Change::Merge(_) | Change::Append(_) => command.arg(0).arg(0),
    };
}
