//! SQLite: the embedded store, one file for one process. Knows the domain, the store's contract and `rusqlite`.
//!
//! One thread writes ([`writer`]): all commands that wait, in one transaction with one wait for the disk. The topics that it has
//! committed are also in memory ([`committed_topics`]), where reads find them without waiting. Other topics are read from the
//! file by a second thread with its own connection, which puts them into memory, too.
//!
//! An acknowledged change is on the disk (`synchronous=FULL`). Gates, leases and the sweep are in memory only. So one process at a
//! time has the file, and a second one is refused. Other programs may read the file meanwhile (backups, `sqlite3`), but this
//! process may overwrite what they write to it.

mod catalog;
mod clock;
mod committed_topics;
mod complete_hour;
mod documents;
mod feed_rows;
mod file;
mod history;
mod history_rows;
mod key_rows;
mod millis;
mod open;
mod pending_answer;
mod private;
mod prune;
mod read_only_file;
mod reading;
mod recent_feeds;
mod rows;
mod salt;
mod site_visitors;
mod sketch;
mod topic;
mod visited_sites;
mod write_batch;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use committed_topics::CommittedTopics;
use file::StoreFile;
pub use open::OpenError;
pub use prune::prune;
use read_only_file::ReadOnlyFile;
use reading::{FeedPart, FeedRequest, ReadRequest, Readings, serve};
use salt::SaltInMemory;
use writer::{WriteCommand, Writer};

use super::feeds::FeedState;
use super::{
    Claim, ClaimTerms, DailySalt, FeedPage, Feeds, Hit, HitWritten, KeptEvents, Missed, Outbox, Reading,
    Store, StoreError, Uniques, Values, Visitors, Write, WriteError, Written,
};
use crate::domain::{EventId, FeedEvent, Retention, Topic, Unit};

/// One SQLite file. All worker threads of the process share it. Dropping it finishes the queued commands and closes the file.
pub struct SqliteStore {
    committed: Arc<CommittedTopics>,
    salt: SaltInMemory,
    reader: Option<(Sender<ReadRequest>, JoinHandle<()>)>,
    writer: Option<(Sender<WriteCommand>, JoinHandle<()>)>,
}

impl SqliteStore {
    /// Opens the file, or creates it. Topics that were not acknowledged when it was closed are overdue at once.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        SqliteStore::open_with(path, Retention::default())
    }

    /// Opens the file like [`open`](Self::open), and keeps as much of the history of each topic as `retention` says.
    pub fn open_with(path: impl AsRef<Path>, retention: Retention) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let thread_failed = |source| OpenError::Unusable { path: path.to_owned(), source };
        let file = StoreFile::open(path)?;
        let committed = Arc::new(CommittedTopics::new(retention));
        let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
        committed.recover(file.count_topics().map_err(sqlite)?, file.unacknowledged().map_err(sqlite)?);
        let reading = ReadOnlyFile::open(path)?;

        let (requests, asked) = channel::<ReadRequest>();
        let known = Arc::clone(&committed);
        let reader = spawn("store-read", move || {
            for request in asked {
                serve(&reading, &known, request);
            }
        });
        let reader = reader.map_err(thread_failed)?;
        let writing = Writer::new(file, Arc::clone(&committed));
        let (commands, given) = channel();
        let writer = spawn("store-write", move || writing.run(&given)).map_err(thread_failed)?;
        Ok(SqliteStore {
            committed,
            salt: SaltInMemory::default(),
            reader: Some((requests, reader)),
            writer: Some((commands, writer)),
        })
    }

    /// Has the writing thread do something, and returns its answer.
    async fn order<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> WriteCommand,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        if let Some((commands, _)) = &self.writer {
            // If the thread has ended, the sender of the answer is dropped, which is an error below.
            let _ = commands.send(command(answer));
        }
        answered.await.map_err(|_| StoreError::new("the writing thread has ended"))
    }

    /// Asks the reading thread, and returns its answer.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> ReadRequest) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        if let Some((requests, _)) = &self.reader {
            let _ = requests.send(request(answer));
        }
        answered.await.map_err(|_| StoreError::new("the reading thread has ended"))
    }

    async fn read_feed(
        &self,
        feed: &Topic,
        part: FeedPart,
    ) -> Result<(FeedState, Vec<FeedEvent>), StoreError> {
        let request = FeedRequest { feed: feed.clone(), part };
        self.ask(|answer| ReadRequest::Feed(request, answer)).await?
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), StoreError> {
        self.order(WriteCommand::Ping).await?
    }
}

#[async_trait]
impl Values for SqliteStore {
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written, WriteError>> {
        let count = writes.len();
        let written = self.order(|answer| WriteCommand::Write(writes, answer)).await;
        written
            .unwrap_or_else(|error| (0..count).map(|_| Err(WriteError::Unavailable(error.clone()))).collect())
    }

    async fn hit(&self, hits: Vec<Hit>) -> Vec<HitWritten> {
        let count = hits.len();
        let written = self.order(|answer| WriteCommand::Hit(hits, answer)).await;
        let failed = |error: StoreError| HitWritten::failed(WriteError::Unavailable(error));
        written.unwrap_or_else(|error| (0..count).map(|_| failed(error.clone())).collect())
    }

    async fn read(&self, topics: Vec<Topic>) -> Readings {
        let known = self.committed.readings(&topics);
        let unknown: Vec<_> = topics
            .into_iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(topic, _)| topic)
            .collect();
        if unknown.is_empty() {
            return known.into_iter().flatten().map(Ok).collect();
        }
        let count = unknown.len();
        let found = self.ask(|answer| ReadRequest::Read(unknown, answer)).await;
        let failed = |error: StoreError| (0..count).map(|_| Err(error.clone())).collect();
        let mut found = found.unwrap_or_else(failed).into_iter();
        let lost = || Err(StoreError::new("an answer is missing"));
        known.into_iter().map(|known| known.map(Ok).or_else(|| found.next()).unwrap_or_else(lost)).collect()
    }

    fn recall(&self, topic: &Topic) -> Option<Reading> {
        self.committed.reading(topic)
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn claim(&self, topics: Vec<Topic>, terms: ClaimTerms) -> Vec<Result<Claim, StoreError>> {
        let count = topics.len();
        let claims = self.order(|answer| WriteCommand::Claim(topics, terms, answer)).await;
        claims.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
    }

    async fn acknowledge(&self, claims: Vec<(Topic, EventId)>) -> Result<(), StoreError> {
        self.order(|answer| WriteCommand::Acknowledge(claims, answer)).await?
    }

    async fn overdue(&self, limit: usize, pause: Duration) -> Result<Vec<Topic>, StoreError> {
        let mut topics = Vec::new();
        if self.committed.documents.may_end(self.committed.now()) {
            topics = self.order(|answer| WriteCommand::EndLives(limit, answer)).await??;
        }
        topics.extend(self.committed.overdue(limit, pause));
        topics.truncate(limit);
        Ok(topics)
    }

    async fn outbox_len(&self) -> Result<u64, StoreError> {
        Ok(self.committed.outbox_len() as u64)
    }
}

#[async_trait]
impl Feeds for SqliteStore {
    async fn after(&self, feed: &Topic, seen: EventId) -> Result<Missed, StoreError> {
        let (state, events) = self.read_feed(feed, FeedPart::After(seen.revision)).await?;
        Ok(state.missed(seen, events, self.committed.retention().feeds))
    }

    async fn before(
        &self,
        feed: &Topic,
        revision: Option<u64>,
        limit: usize,
    ) -> Result<FeedPage, StoreError> {
        let (state, events) = self.read_feed(feed, FeedPart::Before(revision, limit)).await?;
        Ok(state.page(events, self.committed.retention().feeds))
    }

    async fn kept(&self, feed: &Topic, revision: u64, limit: usize) -> Result<KeptEvents, StoreError> {
        let (state, events) = self.read_feed(feed, FeedPart::All(revision, limit)).await?;
        Ok(state.kept(events, self.committed.retention().feeds))
    }
}

#[async_trait]
impl Visitors for SqliteStore {
    async fn daily_salt(&self) -> Result<DailySalt, StoreError> {
        self.salt.at(self.committed.now())
    }

    async fn uniques(&self, site: &Topic) -> Result<Uniques, StoreError> {
        let day = Unit::Day.number(self.committed.now());
        self.ask(|answer| ReadRequest::Uniques(site.clone(), day, answer)).await?
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The writer is closed last, since the last connection moves the write-ahead log into the file.
        if let Some((requests, thread)) = self.reader.take() {
            drop(requests);
            let _ = thread.join();
        }
        if let Some((commands, thread)) = self.writer.take() {
            drop(commands);
            let _ = thread.join();
        }
    }
}
