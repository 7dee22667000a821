//! The history of a topic: reads what claims have written.

use std::collections::HashMap;

use redis::{RedisResult, Value};

use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{BEFORE_ALL, Point, Topic, Unit};
use crate::store::{History, history};

/// See [`Catalog::history`](crate::store::Catalog::history).
pub(super) async fn read(
    runner: &ScriptRunner,
    topic: &Topic,
    unit: Unit,
    last: u16,
) -> RedisResult<History> {
    let write = |command: &mut redis::Cmd| {
        let mut keys = KeyWriter::default();
        keys.history(command, topic);
        keys.topic(command, topic);
    };
    let reply = runner.run(topic.bucket(), &script::HISTORY, 2, write).await?;
    let [now, fields, open] = &reply::items(reply, 3)?[..] else { return Err(reply::unexpected()) };
    let open = OpenHour::parse(open)?;
    let mut points = Vec::new();
    if open.as_ref().is_none_or(|open| !open.is_first) {
        let prefix = match unit {
            Unit::Hour => 'h',
            Unit::Day => 'd',
        };
        for (field, value) in pairs(fields)? {
            if let Some(number) = field.strip_prefix(prefix).and_then(|number| number.parse().ok()) {
                points.push(Point { number, value: value.parse().map_err(|_| reply::unexpected())? });
            }
        }
    } else {
        points.push(BEFORE_ALL);
    }
    if let Some(open) = open.filter(|_| runner.retention.of(unit) > 0) {
        let number = unit.number(open.number * Unit::Hour.millis());
        points.retain(|point| point.number != number);
        points.push(Point { number, value: open.value });
    }
    let now = reply::number(now)?;
    Ok(History { now, points: history::last(points, unit.number(now), last) })
}

/// The hour of the last claim, which is not in the history yet: see `recording.lua`.
struct OpenHour {
    number: i64,
    value: i64,
    /// Nothing of the topic is in the history yet, and its value before this hour was 0.
    is_first: bool,
}

impl OpenHour {
    /// Parses the field `h` of a topic; `None` if the field is empty.
    fn parse(field: &Value) -> RedisResult<Option<Self>> {
        let Value::BulkString(text) = field else { return Err(reply::unexpected()) };
        let text = std::str::from_utf8(text).map_err(|_| reply::unexpected())?;
        let Some(sign) = text.find([':', 'n']) else { return Ok(None) };
        let number = |text: &str| text.parse().map_err(|_| reply::unexpected());
        Ok(Some(OpenHour {
            number: number(&text[..sign])?,
            value: number(&text[sign + 1..])?,
            is_first: text[sign..].starts_with('n'),
        }))
    }
}

/// The fields of a hash, which come as a map with RESP3, and as a list from a script.
pub(super) fn pairs(fields: &Value) -> RedisResult<HashMap<String, String>> {
    redis::from_redis_value_ref(fields).map_err(|_| reply::unexpected())
}
