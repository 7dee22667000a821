//! Decodes the answers of the scripts.

use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult, Value};

use crate::domain::{Epoch, EventId};
use crate::store::{AddError, Added, Announcement, Claim, Reading, StoreError};

/// Makes an error of an answer that is one. An error within an array is that of one item, and stays.
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

/// The items of an answer, of which there must be as many as were asked for.
pub(super) fn items(reply: Value, asked: usize) -> RedisResult<Vec<Value>> {
    match reply {
        Value::Array(items) if items.len() == asked => Ok(items),
        _ => Err(unexpected()),
    }
}

/// An item of `add.lua`'s answer.
pub(super) fn added(item: &Value) -> RedisResult<Result<Added, AddError>> {
    Ok(match item {
        Value::Int(value) => Ok(Added { value: *value, ..Added::default() }),
        Value::Nil => Err(AddError::OutOfRange),
        Value::ServerError(error) => Err(AddError::Unavailable(StoreError::new(error.clone()))),
        Value::Array(parts) => match parts.as_slice() {
            [] => Err(AddError::WouldBeNew),
            [Value::Int(value)] => Ok(Added { value: *value, replayed: true, ..Added::default() }),
            [Value::Int(amount), _] => Err(AddError::KeyReused(*amount)),
            [Value::Int(value), _, _] => Ok(Added { value: *value, created: true, ..Added::default() }),
            parts => {
                let claimed = announcement(&parts[..parts.len().min(4)])?;
                let (value, created) = (claimed.value, parts.len() > 4);
                Ok(Added { value, created, claimed: Some(claimed), replayed: false })
            }
        },
        _ => return Err(unexpected()),
    })
}

/// An item of `claim.lua`'s answer.
pub(super) fn claim(item: &Value) -> RedisResult<Claim> {
    Ok(match refused(item)? {
        Value::Int(0) => Claim::Nothing,
        Value::Int(ms) => Claim::Wait(Duration::from_millis(ms.unsigned_abs())),
        Value::Array(parts) => Claim::Announce(announcement(parts)?),
        _ => return Err(unexpected()),
    })
}

/// An item of `read.lua`'s answer.
pub(super) fn reading(item: &Value) -> RedisResult<Reading> {
    let Value::Array(parts) = refused(item)? else { return Err(unexpected()) };
    let [value, epoch, revision, published] = parts.as_slice() else { return Err(unexpected()) };
    if *epoch == Value::Nil {
        return Ok(Reading::default());
    }
    let epoch = Epoch::new(number(epoch)?);
    Ok(Reading {
        value: number(value)?,
        id: EventId { epoch, revision: number(revision)? },
        published: match published {
            Value::Nil => EventId::default(),
            published => EventId { epoch, revision: number(published)? },
        },
    })
}

/// Makes an error of an item that is one: its key holds no topic.
fn refused(item: &Value) -> RedisResult<&Value> {
    match item {
        Value::ServerError(error) => Err(error.clone().into()),
        item => Ok(item),
    }
}

fn announcement(parts: &[Value]) -> RedisResult<Announcement> {
    let [value, epoch, id, prev] = parts else { return Err(unexpected()) };
    let epoch = Epoch::new(number(epoch)?);
    let prev = match former(prev) {
        Some(prev) => prev,
        None => match number(prev)? {
            0 => EventId::default(),
            revision => EventId { epoch, revision },
        },
    };
    Ok(Announcement { value: number(value)?, id: EventId { epoch, revision: number(id)? }, prev })
}

/// An id of another epoch, which Redis keeps as `epoch-revision`.
fn former(prev: &Value) -> Option<EventId> {
    let Value::BulkString(text) = prev else { return None };
    let (epoch, revision) = std::str::from_utf8(text).ok()?.split_once('-')?;
    Some(EventId { epoch: Epoch::new(epoch.parse().ok()?), revision: revision.parse().ok()? })
}

/// A whole number, which Redis keeps as text and Lua as a number.
fn number<T: TryFrom<i64> + std::str::FromStr>(value: &Value) -> RedisResult<T> {
    match value {
        Value::Int(number) => T::try_from(*number).map_err(|_| unexpected()),
        Value::BulkString(text) => {
            std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(unexpected)
        }
        _ => Err(unexpected()),
    }
}

/// The error for an answer that no script of this version gives.
pub(super) fn unexpected() -> RedisError {
    RedisError::from((ErrorKind::UnexpectedReturnType, "a script's answer is not as expected"))
}
