//! The history of a topic: reads what claims have written.

use std::collections::HashMap;

use redis::{RedisResult, Value};

use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{Point, Topic, Unit};
use crate::store::{History, history};

/// See [`Catalog::history`](crate::store::Catalog::history).
pub(super) async fn read(
    runner: &ScriptRunner,
    topic: &Topic,
    unit: Unit,
    last: u16,
) -> RedisResult<History> {
    let write = |command: &mut redis::Cmd| KeyWriter::default().history(command, topic);
    let reply = runner.run(topic.bucket(), &script::HISTORY, 1, write).await?;
    let [now, fields] = &reply::items(reply, 2)?[..] else { return Err(reply::unexpected()) };
    let prefix = match unit {
        Unit::Hour => 'h',
        Unit::Day => 'd',
    };
    let mut points = Vec::new();
    for (field, value) in pairs(fields)? {
        if let Some(number) = field.strip_prefix(prefix).and_then(|number| number.parse().ok()) {
            points.push(Point { number, value: value.parse().map_err(|_| reply::unexpected())? });
        }
    }
    let now = reply::number(now)?;
    Ok(History { now, points: history::last(points, unit.number(now), last) })
}

/// The fields of a hash, which come as a map with RESP3, and as a list from a script.
fn pairs(fields: &Value) -> RedisResult<HashMap<String, String>> {
    redis::from_redis_value_ref(fields).map_err(|_| reply::unexpected())
}
