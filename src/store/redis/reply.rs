//! Decodes the answers of the scripts.

use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::packed;
use crate::domain::{Epoch, EventId, Topic};
use crate::store::{
    Announcement, Body, Change, Claim, KeyUse, Reading, Stamp, StoreError, WriteError, Written,
};

/// Returns an error if the answer is an error. An error within an array concerns one item, and stays in the array.
pub(super) fn refuse_error(value: Value) -> RedisResult<Value> {
    match value {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}

/// The sum of the numbers that the calls have returned.
pub(super) fn sum(replies: Vec<RedisResult<Value>>) -> RedisResult<u64> {
    replies.into_iter().try_fold(0, |sum, reply| match reply? {
        Value::Int(some) => Ok(sum + some.unsigned_abs()),
        _ => Err(unexpected()),
    })
}

/// The items of an answer. An answer with another number of items than `asked` is an error.
pub(super) fn items(reply: Value, asked: usize) -> RedisResult<Vec<Value>> {
    let items = match reply {
        Value::Array(items) => items,
        Value::BulkString(packed) => packed::items(&packed).ok_or_else(unexpected)?,
        _ => return Err(unexpected()),
    };
    if items.len() == asked { Ok(items) } else { Err(unexpected()) }
}

/// Decodes an item of the answer of `write.lua` or `add_plain.lua` to this change.
pub(super) fn written(change: &Change, item: &Value) -> RedisResult<Result<Written, WriteError>> {
    let deleted = matches!(change, Change::Delete);
    let value_or_removed = |number: &i64| match deleted {
        true => Written { removed: *number != 0, ..Written::default() },
        false => Written { value: *number, ..Written::default() },
    };
    Ok(match item {
        Value::Int(number) => Ok(value_or_removed(number)),
        Value::Nil => Err(WriteError::OutOfRange),
        Value::ServerError(error) => Err(WriteError::Unavailable(StoreError::new(error.clone()))),
        Value::Array(parts) => match parts.as_slice() {
            [] => Err(WriteError::WouldBeNew),
            [Value::Int(number)] => Ok(Written { replayed: true, ..value_or_removed(number) }),
            [first, _] => Err(WriteError::KeyReused(key_use(first)?)),
            [Value::Int(value), created, _] => {
                Ok(Written { value: *value, created: *created == Value::Int(1), ..Written::default() })
            }
            parts => {
                let mut claimed = announcement(&parts[..parts.len().min(4)], number_body)?;
                let (value, created) = (claimed.value(), parts.len() > 4);
                if deleted {
                    claimed.body = Body::Gone;
                }
                Ok(Written { value, created, removed: deleted, claimed: Some(claimed), ..Written::default() })
            }
        },
        _ => return Err(unexpected()),
    })
}

/// Whether an item of the answer of `add_plain.lua` says that the counter has the direct form now.
pub(super) fn is_direct(item: &Value) -> bool {
    matches!(item, Value::Array(parts) if parts.get(2) == Some(&Value::Int(1)))
}

/// Decodes the first use of an idempotency key, as `write.lua` writes it.
fn key_use(first: &Value) -> RedisResult<KeyUse> {
    let Value::BulkString(text) = first else { return Err(unexpected()) };
    let text = std::str::from_utf8(text).map_err(|_| unexpected())?;
    let number = |text: &str| text.parse().map_err(|_| unexpected());
    match text.strip_prefix('=') {
        Some(value) => number(value).map(KeyUse::Set),
        None if text == "x" => Ok(KeyUse::Delete),
        None => number(text).map(KeyUse::Add),
    }
}

/// Decodes an item of the answer of `claim.lua`. The second part says whether `count.lua` must count the topic.
pub(super) fn claim(item: &Value) -> RedisResult<(Claim, bool)> {
    claim_of(item, number_body)
}

/// Decodes a claim like [`claim`]. `decode` decodes what is in the place of the value.
pub(super) fn claim_of(item: &Value, decode: fn(&Value) -> RedisResult<Body>) -> RedisResult<(Claim, bool)> {
    Ok(match refused(item)? {
        Value::Int(0) => (Claim::Nothing, false),
        Value::Int(ms) => (Claim::Wait(Duration::from_millis(ms.unsigned_abs())), false),
        Value::Array(parts) => {
            let marks = parts.get(4).map_or(Ok(0), number::<i64>)?;
            let parts = if marks & 1 == 0 { &parts[..parts.len().min(4)] } else { parts };
            (Claim::Announce(announcement(parts, decode)?), marks & 2 != 0)
        }
        _ => return Err(unexpected()),
    })
}

/// Decodes an item of the answer of `read.lua`.
pub(super) fn reading(item: &Value) -> RedisResult<Reading> {
    reading_of(item, number_body)
}

/// Decodes a state like [`reading`]. `decode` decodes what is in the place of the value.
pub(super) fn reading_of(item: &Value, decode: fn(&Value) -> RedisResult<Body>) -> RedisResult<Reading> {
    let Value::Array(parts) = refused(item)? else { return Err(unexpected()) };
    let [value, epoch, revision, published, gone @ ..] = parts.as_slice() else { return Err(unexpected()) };
    if *epoch == Value::Nil {
        return Ok(Reading::default());
    }
    let epoch = Epoch::new(number(epoch)?);
    Ok(Reading {
        body: body(value, gone, decode)?,
        id: EventId { epoch, revision: number(revision)? },
        published: match published {
            Value::Nil => EventId::default(),
            published => EventId { epoch, revision: number(published)? },
        },
    })
}

/// The text of a value.
pub(super) fn text(value: &Value) -> RedisResult<&str> {
    let Value::BulkString(text) = value else { return Err(unexpected()) };
    std::str::from_utf8(text).map_err(|_| unexpected())
}

/// Returns an error if the item is an error: the key of the item holds no topic.
fn refused(item: &Value) -> RedisResult<&Value> {
    match item {
        Value::ServerError(error) => Err(error.clone().into()),
        item => Ok(item),
    }
}

fn announcement(parts: &[Value], decode: fn(&Value) -> RedisResult<Body>) -> RedisResult<Announcement> {
    let [value, epoch, id, prev, gone @ ..] = parts else { return Err(unexpected()) };
    let epoch = Epoch::new(number(epoch)?);
    let prev = match former(prev) {
        Some(prev) => prev,
        None => match number(prev)? {
            0 => EventId::default(),
            revision => EventId { epoch, revision },
        },
    };
    Ok(Announcement { body: body(value, gone, decode)?, id: EventId { epoch, revision: number(id)? }, prev })
}

/// The body of a topic. The topic is deleted if `gone` has a part.
fn body(value: &Value, gone: &[Value], decode: fn(&Value) -> RedisResult<Body>) -> RedisResult<Body> {
    if gone.is_empty() { decode(value) } else { Ok(Body::Gone) }
}

/// The body of a topic that holds a number.
fn number_body(value: &Value) -> RedisResult<Body> {
    number(value).map(Body::Number)
}

/// Topics by their names. A member that is no name was written by another program, and is left out.
pub(super) fn topics(reply: Value) -> RedisResult<Vec<Topic>> {
    let Value::Array(names) = reply else { return Err(unexpected()) };
    let topic = |name: Value| match name {
        Value::BulkString(name) => std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok()),
        _ => None,
    };
    Ok(names.into_iter().filter_map(topic).collect())
}

/// An id of another epoch, which Redis keeps as `epoch-revision`.
fn former(prev: &Value) -> Option<EventId> {
    let Value::BulkString(text) = prev else { return None };
    let (epoch, revision) = std::str::from_utf8(text).ok()?.split_once('-')?;
    Some(EventId { epoch: Epoch::new(epoch.parse().ok()?), revision: revision.parse().ok()? })
}

/// A whole number, which Redis keeps as text and Lua as a number.
pub(super) fn number<T: TryFrom<i64> + std::str::FromStr>(value: &Value) -> RedisResult<T> {
    match value {
        Value::Int(number) => T::try_from(*number).map_err(|_| unexpected()),
        Value::BulkString(text) => {
            std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(unexpected)
        }
        _ => Err(unexpected()),
    }
}

/// The id of a change, and the time in ms at which it was made.
pub(super) fn stamp(epoch: &Value, revision: &Value, at: &Value) -> RedisResult<Stamp> {
    let id = EventId { epoch: Epoch::new(number(epoch)?), revision: number(revision)? };
    Ok(Stamp { id, at: number(at)? })
}

/// The error for an answer that no script of this version gives.
pub(super) fn unexpected() -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "a script's answer is not as expected"))
}
