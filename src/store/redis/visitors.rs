//! The visitors of sites, and the salt by which they are recognised for a day.

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{Cmd, RedisError, RedisResult, Value};

use super::history::pairs;
use super::keys::{self, KeyWriter};
use super::runner::ScriptRunner;
use super::{RedisStore, reply, script};
use crate::domain::{Point, Topic, Unit};
use crate::store::{DailySalt, SALT_LEN, StoreError, Uniques, Visitors};

/// The field with the number of the day whose visitors are in the sketch.
const DAY: &str = "d";
/// The field with the sum of the days before.
const OVER: &str = "a";

#[async_trait]
impl Visitors for RedisStore {
    async fn daily_salt(&self) -> Result<DailySalt, StoreError> {
        daily_salt(&self.0).await.map_err(StoreError::new)
    }

    async fn uniques(&self, site: &Topic) -> Result<Uniques, StoreError> {
        uniques(&self.0, site).await.map_err(StoreError::new)
    }
}

/// See [`Visitors::daily_salt`].
async fn daily_salt(runner: &ScriptRunner) -> RedisResult<DailySalt> {
    let mut new = [0; SALT_LEN];
    getrandom::fill(&mut new).map_err(|error| RedisError::from(std::io::Error::other(error.to_string())))?;
    let write = |command: &mut Cmd| {
        command.arg(keys::salt()).arg(URL_SAFE_NO_PAD.encode(new));
    };
    let reply = runner.run(0, &script::SALT, 1, write).await?;
    let [now, Value::BulkString(text)] = &reply::items(reply, 2)?[..] else {
        return Err(reply::unexpected());
    };
    let secret = URL_SAFE_NO_PAD.decode(text).ok().and_then(|secret| secret.try_into().ok());
    let secret = secret.ok_or_else(reply::unexpected)?;
    let now: i64 = reply::number(now)?;
    let day = Unit::Day.number(now);
    let left = Duration::from_millis(((day + 1) * Unit::Day.millis() - now).unsigned_abs());
    Ok(DailySalt { day, secret, left })
}

/// See [`Visitors::uniques`].
async fn uniques(runner: &ScriptRunner, site: &Topic) -> RedisResult<Uniques> {
    let write = |command: &mut Cmd| KeyWriter::default().visitors(command, site);
    let reply = runner.run(site.bucket(), &script::UNIQUES, 2, write).await?;
    let [now, fields, counted] = &reply::items(reply, 3)?[..] else { return Err(reply::unexpected()) };
    let mut counted = Point { number: 0, value: reply::number(counted)? };
    let (mut over, mut days) = (0, Vec::new());
    for (field, value) in pairs(fields)? {
        let value = value.parse().map_err(|_| reply::unexpected())?;
        match (field.as_str(), field.parse()) {
            (DAY, _) => counted.number = value,
            (OVER, _) => over = value,
            (_, Ok(number)) => days.push(Point { number, value }),
            _ => {}
        }
    }
    let day = Unit::Day.number(reply::number(now)?);
    Ok(Uniques::new(day, counted, over, days, runner.retention.days))
}
