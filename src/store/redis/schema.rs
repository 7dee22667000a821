//! The version of the data in Redis, and whether this program may work with that data. The version is that of the oldest program
//! that may.
//!
//! Version 1 kept no version, counted no topics and, of some topics, kept no time of the last claim. Origins of both versions
//! may work beside each other: a claim by a newer origin adds what the older ones leave out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::call::Call;
use super::topology::Topology;
use super::{keys, reply};

/// The newest version that this program knows. From this version on counters may have the direct form, which no version before knows.
pub(super) const VERSION: u64 = 4;
/// The version whose programs may work beside this one, as long as the data is of that version.
pub(super) const BESIDE: u64 = 2;

/// How often the version is asked for while no process has migrated yet.
const AWAIT_EVERY: Duration = Duration::from_millis(50);
/// How long a node of a Cluster that did not answer is not asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often a version that may still be raised is asked for.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Checks that this program may work with the data in Redis. Once the data is of the newest version, Redis is not asked again.
#[derive(Default)]
pub(super) struct SchemaCheck {
    is_newest: AtomicBool,
    /// Until when Redis is not asked for the version.
    pause_ends: Mutex<Option<Instant>>,
}

impl SchemaCheck {
    /// Refuses a Redis that a newer version has written. Must be called before anything is read or written.
    pub(super) async fn check(&self, topology: &Topology) -> RedisResult<()> {
        if self.is_newest() || self.pause_ends().is_some_and(|end| Instant::now() < end) {
            return Ok(());
        }
        match version(topology).await {
            Ok(Some(version)) if version > VERSION => return Err(newer(version)),
            Ok(version) => self.learn(version),
            Err(error) if topology.is_one() => return Err(error),
            // The other nodes of the Cluster may answer. Their topics must not wait for this node.
            Err(_) => self.pause(ASK_EVERY),
        }
        Ok(())
    }

    /// Notes the version of the data.
    pub(super) fn learn(&self, version: Option<u64>) {
        self.is_newest.store(version == Some(VERSION), Ordering::Relaxed);
        self.pause(if version.is_some() { LOOK_EVERY } else { AWAIT_EVERY });
    }

    /// Whether no program of a version before works with the data any more.
    pub(super) fn is_newest(&self) -> bool {
        self.is_newest.load(Ordering::Relaxed)
    }

    fn pause(&self, time: Duration) {
        *self.pause_ends() = Some(Instant::now() + time);
    }

    fn pause_ends(&self) -> MutexGuard<'_, Option<Instant>> {
        self.pause_ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version of the data in Redis; `None` before the first migration.
pub(super) async fn version(topology: &Topology) -> RedisResult<Option<u64>> {
    let mut command = redis::cmd("GET");
    command.arg(keys::schema());
    match topology.send(0, Call::of(&command)).await? {
        Value::Nil => Ok(None),
        Value::BulkString(text) => {
            let version = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            version.map(Some).ok_or_else(reply::unexpected)
        }
        _ => Err(reply::unexpected()),
    }
}

/// The error for a Redis that a newer version has written.
pub(super) fn newer(version: u64) -> RedisError {
    let detail = format!("its schema is {version}, this version knows up to {VERSION}");
    RedisError::from((ErrorKind::Extension, "Redis was written by a newer version of livecounter", detail))
}
