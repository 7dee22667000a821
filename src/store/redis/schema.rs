//! The version of what is kept in Redis, and how what an older version wrote is brought to it beside running origins.
//!
//! Version 1 kept no version, counted no topics and, of some, kept no time of the last claim. Origins of both versions
//! may work beside each other: what the older ones leave out, a claim by a newer one adds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, RedisResult, Value};

use super::address::Topology;
use super::call::Call;
use super::{RedisStore, keys, reply, script};
use crate::store::StoreError;

/// What this version writes.
const VERSION: u64 = 2;
/// How long a process that migrates may be silent before another takes its place, and how often others look.
const SILENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two steps of a migration, of about a millisecond each.
const STEP_PAUSE: Duration = Duration::from_millis(3);

/// Whether this connection may work with what is there; not asked again once it may.
#[derive(Default)]
pub(super) struct SchemaCheck {
    fits: AtomicBool,
    /// When the node of a Cluster that knows was asked last, and did not answer.
    unanswered: Mutex<Option<Instant>>,
}

impl SchemaCheck {
    fn was_unanswered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RedisStore {
    /// Refuses a Redis that a newer version has written. To be called before anything is read or written.
    pub(super) async fn check_schema(&self) -> RedisResult<()> {
        if self.schema.fits.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.schema.was_unanswered().is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(());
        }
        match self.version().await {
            Ok(Some(version)) if version > VERSION => return Err(newer(version)),
            Ok(_) => self.schema.fits.store(true, Ordering::Relaxed),
            Err(error) if matches!(self.topology, Topology::One(_)) => return Err(error),
            // Of a Cluster other nodes may be there, whose topics must not wait for this one.
            Err(_) => *self.schema.was_unanswered() = Some(Instant::now()),
        }
        Ok(())
    }

    async fn version(&self) -> RedisResult<Option<u64>> {
        let mut command = redis::cmd("GET");
        command.arg(keys::schema());
        match self.topology.send(0, Call::of(&command)).await? {
            Value::Nil => Ok(None),
            Value::BulkString(text) => {
                let version = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                version.map(Some).ok_or_else(reply::unexpected)
            }
            _ => Err(reply::unexpected()),
        }
    }

    /// Brings what an older version wrote to this one, unless it is there already or another process does so: then waits
    /// for that. Returns how many topics were taken over, by this process. Cut short, it is begun anew by the next.
    pub async fn migrate(&self) -> Result<u64, StoreError> {
        loop {
            match self.version().await.map_err(StoreError::new)? {
                Some(version) if version > VERSION => return Err(StoreError::new(newer(version))),
                Some(VERSION) => return Ok(0),
                _ if self.hold(true).await.map_err(StoreError::new)? => {
                    return self.take_over().await.map_err(StoreError::new);
                }
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    async fn take_over(&self) -> RedisResult<u64> {
        let mut taken = 0;
        let mut walk = self.walk().await?;
        while let Some(topics) = walk.next().await? {
            taken += self.count_of(&script::TAKE_OVER, &topics, &[]).await?;
            self.hold(false).await?;
            tokio::time::sleep(STEP_PAUSE).await;
        }
        let mut command = redis::cmd("SET");
        // Not over what a newer version has written meanwhile.
        command.arg(keys::schema()).arg(VERSION).arg("NX");
        self.topology.send(0, Call::of(&command)).await?;
        let mut command = redis::cmd("DEL");
        command.arg(keys::migrating());
        self.topology.send(0, Call::of(&command)).await?;
        Ok(taken)
    }

    /// Takes the place of the one who migrates, where it is free, or goes on holding it. Whether that was possible.
    async fn hold(&self, first: bool) -> RedisResult<bool> {
        let mut command = redis::cmd("SET");
        command.arg(keys::migrating()).arg(1).arg("PX").arg(SILENCE.as_millis() as u64);
        if first {
            command.arg("NX");
        }
        Ok(self.topology.send(0, Call::of(&command)).await? != Value::Nil)
    }
}

fn newer(version: u64) -> RedisError {
    let detail = format!("its schema is {version}, this version knows up to {VERSION}");
    RedisError::from((ErrorKind::Extension, "Redis was written by a newer version of livecounter", detail))
}
