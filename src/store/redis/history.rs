//! The history of a topic: reads what claims have written.

use std::collections::HashMap;

use futures_util::future::try_join_all;
use redis::{Cmd, RedisResult, Value};

use super::keys::KeyWriter;
use super::runner::ScriptRunner;
use super::{reply, script};
use crate::domain::{BEFORE_ALL, Past, Point, Topic, Unit};
use crate::store::{History, history};

/// See [`Catalog::history`](crate::store::Catalog::history).
pub(super) async fn read(
    runner: &ScriptRunner,
    topic: &Topic,
    unit: Unit,
    last: u16,
) -> RedisResult<History> {
    let kept = KeptHistory::read(runner, topic).await?;
    let points = kept.points(runner, unit)?;
    Ok(History { now: kept.now, points: history::last(points, unit.number(kept.now), last) })
}

/// See [`Catalog::pasts`](crate::store::Catalog::pasts). All calls are on their way at the same time.
pub(super) async fn pasts(runner: &ScriptRunner, topics: &[Topic]) -> RedisResult<Vec<Past>> {
    try_join_all(topics.iter().map(async |topic| {
        let kept = KeptHistory::read(runner, topic).await?;
        let (hours, days) = (kept.points(runner, Unit::Hour)?, kept.points(runner, Unit::Day)?);
        let [hour, day] = [Unit::Hour, Unit::Day].map(|unit| unit.number(kept.now));
        Ok(Past { hours: history::all(hours, hour), days: history::all(days, day) })
    }))
    .await
}

/// See [`Catalog::restore_pasts`](crate::store::Catalog::restore_pasts). All calls are on their way at the same time.
pub(super) async fn restore(
    runner: &ScriptRunner,
    pasts: &[(Topic, Past)],
    only_new: bool,
) -> RedisResult<Vec<bool>> {
    try_join_all(pasts.iter().map(async |(topic, past)| {
        let past = past.kept_by(runner.retention);
        if past.is_empty() {
            return Ok(false);
        }
        let write = |command: &mut Cmd| {
            let mut keys = KeyWriter::default();
            keys.history(command, topic);
            keys.topic(command, topic);
            command.arg(i32::from(only_new)).arg(past.hours.len());
            for point in past.hours.iter().chain(&past.days) {
                command.arg(point.number).arg(point.value);
            }
        };
        let reply = runner.run_change(topic.bucket(), &script::RESTORE_PAST, 2, write).await?;
        reply::number::<u64>(&reply).map(|restored| restored > 0)
    }))
    .await
}

/// What Redis has of the past of a topic.
struct KeptHistory {
    now: i64,
    fields: HashMap<String, String>,
    open: Option<OpenHour>,
}

impl KeptHistory {
    async fn read(runner: &ScriptRunner, topic: &Topic) -> RedisResult<Self> {
        let write = |command: &mut Cmd| {
            let mut keys = KeyWriter::default();
            keys.history(command, topic);
            keys.topic(command, topic);
        };
        let reply = runner.run(topic.bucket(), &script::HISTORY, 2, write).await?;
        let [now, fields, open] = &reply::items(reply, 3)?[..] else { return Err(reply::unexpected()) };
        Ok(KeptHistory { now: reply::number(now)?, fields: pairs(fields)?, open: OpenHour::parse(open)? })
    }

    /// All points in this unit, in any order.
    fn points(&self, runner: &ScriptRunner, unit: Unit) -> RedisResult<Vec<Point>> {
        let mut points = Vec::new();
        if self.open.as_ref().is_none_or(|open| !open.is_first) {
            let prefix = match unit {
                Unit::Hour => 'h',
                Unit::Day => 'd',
            };
            for (field, value) in &self.fields {
                if let Some(number) = field.strip_prefix(prefix).and_then(|number| number.parse().ok()) {
                    points.push(Point { number, value: value.parse().map_err(|_| reply::unexpected())? });
                }
            }
        } else {
            points.push(BEFORE_ALL);
        }
        if let Some(open) = self.open.as_ref().filter(|_| runner.retention.of(unit) > 0) {
            let number = unit.number(open.number * Unit::Hour.millis());
            points.retain(|point| point.number != number);
            points.push(Point { number, value: open.value });
        }
        Ok(points)
    }
}

/// The hour of the last claim, which is not in the history yet: see `recording.lua`.
struct OpenHour {
    number: i64,
    value: i64,
    /// Nothing of the topic is in the history yet, and its value before this hour was 0.
    is_first: bool,
}

impl OpenHour {
    /// Parses the field `h` of a topic; `None` if no hour is open: the field is empty, or says that a past was imported.
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
