//! Brings the topics that an older version has written to the present version, while origins are running.
//!
//! Version 1 counted no topics, version 2 kept no names. Origins of version 2 may start beside origins of version 3: so the key
//! `schema`, by which an origin refuses a Redis that a newer version has written, stays 2 for one release, and the key `migrated`
//! names the version to which the topics were brought. A topic that an origin of an older version creates after that is completed
//! when a newer origin next claims the topic, or by the next migration: a migration runs at each start of an origin that finds
//! fewer names than topics.

use std::time::Duration;

use redis::{RedisResult, Value};

use super::batch::count_topics_by;
use super::call::Call;
use super::runner::ScriptRunner;
use super::schema::{BESIDE, VERSION, newer, version};
use super::topics::{self, Walk};
use super::{keys, names, script};
use crate::store::StoreError;

/// The version to which this program brings topics.
const MIGRATED: u64 = 3;
/// How long a migrating process may be silent before another process takes over from it.
const SILENCE: Duration = Duration::from_secs(10);
/// How often a waiting process asks whether the migration is complete.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause between two steps. Each step takes Redis about a millisecond.
const STEP_PAUSE: Duration = Duration::from_millis(3);

/// See [`RedisStore::migrate`](super::RedisStore::migrate).
pub(super) async fn migrate(runner: &ScriptRunner) -> Result<u64, StoreError> {
    loop {
        let found = version(&runner.topology).await.map_err(StoreError::new)?;
        match found {
            Some(version) if version > VERSION => return Err(StoreError::new(newer(version))),
            Some(_) if is_complete(runner).await.map_err(StoreError::new)? => {
                runner.schema.learn(found);
                return Ok(0);
            }
            _ if hold(runner, true).await.map_err(StoreError::new)? => {
                return take_over(runner).await.map_err(StoreError::new);
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Whether all topics are counted and named.
async fn is_complete(runner: &ScriptRunner) -> RedisResult<bool> {
    let mut command = redis::cmd("GET");
    command.arg(keys::migrated());
    let migrated = runner.topology.send(0, Call::of(&command)).await?;
    let is_present = migrated == Value::BulkString(MIGRATED.to_string().into_bytes());
    Ok(is_present && names::count(runner).await? >= topics::count(runner).await?)
}

async fn take_over(runner: &ScriptRunner) -> RedisResult<u64> {
    let mut taken = 0;
    let mut walk = Walk::start(runner).await?;
    while let Some(topics) = walk.next().await? {
        taken += count_topics_by(runner, &script::COUNT, &topics, &["1"]).await?;
        hold(runner, false).await?;
        tokio::time::sleep(STEP_PAUSE).await;
    }
    let mut command = redis::cmd("SET");
    command.arg(keys::migrated()).arg(MIGRATED);
    runner.topology.send(0, Call::of(&command)).await?;
    let mut command = redis::cmd("SET");
    // Where no topic was left to complete, no program of a version before has been at work: origins of this version may have begun already. NX: a
    // newer version may have written its own version meanwhile, and that must stay.
    command.arg(keys::schema()).arg(if taken == 0 { VERSION } else { BESIDE }).arg("NX");
    runner.topology.send(0, Call::of(&command)).await?;
    runner.schema.learn(version(&runner.topology).await?);
    let mut command = redis::cmd("DEL");
    command.arg(keys::migrating());
    runner.topology.send(0, Call::of(&command)).await?;
    Ok(taken)
}

/// Takes the key that only the migrating process holds, or, where this is not the `first` time, goes on holding it. Returns
/// whether this process holds the key.
async fn hold(runner: &ScriptRunner, first: bool) -> RedisResult<bool> {
    let mut command = redis::cmd("SET");
    command.arg(keys::migrating()).arg(1).arg("PX").arg(SILENCE.as_millis() as u64);
    if first {
        command.arg("NX");
    }
    Ok(runner.topology.send(0, Call::of(&command)).await? != Value::Nil)
}
