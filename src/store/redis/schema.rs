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

/// The newest version that this program knows.
pub(super) const VERSION: u64 = 2;

/// How long a node of a Cluster that did not answer is not asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Checks that this program may work with the data in Redis. Once the check has passed, Redis is not asked again.
#[derive(Default)]
pub(super) struct SchemaCheck {
    fits: AtomicBool,
    /// When the node of a Cluster that knows the version was asked last, and did not answer.
    unanswered: Mutex<Option<Instant>>,
}

impl SchemaCheck {
    /// Refuses a Redis that a newer version has written. Must be called before anything is read or written.
    pub(super) async fn check(&self, topology: &Topology) -> RedisResult<()> {
        if self.fits.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.unanswered().is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return Ok(());
        }
        match version(topology).await {
            Ok(Some(version)) if version > VERSION => return Err(newer(version)),
            Ok(_) => self.fits.store(true, Ordering::Relaxed),
            Err(error) if topology.is_one() => return Err(error),
            // The other nodes of the Cluster may answer. Their topics must not wait for this node.
            Err(_) => *self.unanswered() = Some(Instant::now()),
        }
        Ok(())
    }

    fn unanswered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
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
