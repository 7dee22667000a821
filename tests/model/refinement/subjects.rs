//! The stores under test, each with the effect of a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use livecounter::store::Store;
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::{OpenError, SqliteStore};

use super::DEADLINE;
use crate::spec::Topic;
use crate::support::redis::RedisServer;

/// A store under test.
#[async_trait]
pub(super) trait Subject {
    fn store(&self) -> Arc<dyn Store>;
    /// Deletes all data, as the next case begins.
    async fn clear(&mut self);
    async fn restart(&mut self);
    /// The effect of a restart on a topic.
    fn restarted(topic: &mut Topic, history: &mut u64);
}

pub(super) struct OnSqlite(Option<(tempfile::TempDir, Arc<SqliteStore>)>);

impl OnSqlite {
    pub(super) fn open(directory: tempfile::TempDir) -> Self {
        let asked = Instant::now();
        loop {
            match SqliteStore::open(directory.path().join("model.db")) {
                Ok(store) => return OnSqlite(Some((directory, Arc::new(store)))),
                // A process that another test starts inherits the lock's handle until its own program runs.
                Err(OpenError::InUse { .. }) if asked.elapsed() < DEADLINE => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[async_trait]
impl Subject for OnSqlite {
    fn store(&self) -> Arc<dyn Store> {
        let (_, store) = self.0.as_ref().expect("an open store");
        Arc::clone(store) as Arc<dyn Store>
    }

    async fn clear(&mut self) {
        self.0 = None;
        *self = OnSqlite::open(tempfile::tempdir().expect("a directory"));
    }

    async fn restart(&mut self) {
        let (directory, store) = self.0.take().expect("an open store");
        drop(store);
        *self = OnSqlite::open(directory);
    }

    /// Gates and leases are in memory: after a restart every claim that was not acknowledged is overdue, and no gate is shut.
    fn restarted(topic: &mut Topic, _: &mut u64) {
        topic.gate = 0;
        topic.due = topic.due.map(|_| 0);
    }
}

pub(super) struct OnRedis(RedisServer, Arc<RedisStore>);

impl OnRedis {
    pub(super) fn connect(server: RedisServer) -> Self {
        let store = RedisStore::connect(&server.url(), Duration::from_secs(5)).expect("an address");
        OnRedis(server, Arc::new(store))
    }
}

#[async_trait]
impl Subject for OnRedis {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.1) as Arc<dyn Store>
    }

    async fn clear(&mut self) {
        assert_eq!(self.0.cli(&["FLUSHALL"]), "OK");
    }

    async fn restart(&mut self) {
        assert_eq!(self.0.cli(&["SAVE"]), "OK");
        self.0.kill();
        self.0.run();
        self.1 = Arc::new(RedisStore::connect(&self.0.url(), Duration::from_secs(5)).expect("an address"));
    }

    fn restarted(_: &mut Topic, history: &mut u64) {
        *history += 1;
    }
}
