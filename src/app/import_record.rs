//! The record of an import in the store: because of it, an import that is repeated adds nothing twice.
//!
//! The record is a topic whose number is the time at which the import began, in seconds since 1970, and the negative time at which the
//! import ended once every line is added. Between these times, the idempotency keys of the lines tell which lines are added. Stores forget
//! these keys after [`KEY_LIFETIME`], and the record never.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::digest::{Context, SHA256};

use crate::domain::{IdempotencyKey, Topic};
use crate::store::{Change, KEY_LIFETIME, Store, StoreError, Write, WriteError};

/// How long before the end of their lifetime the keys are not relied on any more, as clocks differ.
const MARGIN: Duration = Duration::from_secs(3600);

/// The record of one import.
pub(super) struct ImportRecord {
    topic: Topic,
    /// When the import began, in seconds since 1970.
    began: i64,
}

/// How far an import has come.
pub(super) enum Progress {
    /// The import has not begun.
    None,
    /// The import was begun, and some lines may be added.
    Begun,
    /// Every line was added before this time.
    Finished(String),
}

/// The reason why an import is not begun or continued.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store did not answer.
    #[error("nothing is added")]
    Store(#[from] StoreError),
    /// The store forgets which lines are added.
    #[error(
        "an import of this input was begun on {0} and not finished within {hours} hours, so it is not known any more which of its lines \
         are added: compare the counters with the input; with another --import-id every line is added",
        hours = (KEY_LIFETIME - MARGIN).as_secs() / 3600
    )]
    TooLate(String),
}

impl ImportRecord {
    /// The record of an input with this digest, imported under this name.
    pub(super) fn of(digest: &[u8], name: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(digest);
        context.update(name.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&context.finish().as_ref()[..16]);
        ImportRecord { topic: Topic::import(&first), began: 0 }
    }

    /// Reads how far the import has come. Refuses an import that was begun too long ago.
    pub(super) async fn read(&mut self, store: &dyn Store) -> Result<Progress, RecordError> {
        let reading = match store.read(vec![self.topic.clone()]).await.pop() {
            Some(reading) => reading?,
            None => return Err(no_answer().into()),
        };
        match reading.body.number() {
            0 => Ok(Progress::None),
            ended if ended < 0 => Ok(Progress::Finished(time(-ended))),
            began => {
                self.began = began;
                self.check_time()?;
                Ok(Progress::Begun)
            }
        }
    }

    /// Refuses to go on if the store may forget which lines are added.
    pub(super) fn check_time(&self) -> Result<(), RecordError> {
        let age = Duration::from_secs(now().abs_diff(self.began));
        if age > KEY_LIFETIME - MARGIN { Err(RecordError::TooLate(time(self.began))) } else { Ok(()) }
    }

    /// Records that the import begins.
    pub(super) async fn begin(&mut self, store: &dyn Store) -> Result<(), RecordError> {
        self.began = now();
        self.set(store, self.began).await
    }

    /// Records that every line is added.
    pub(super) async fn finish(&self, store: &dyn Store) -> Result<(), RecordError> {
        self.set(store, -now()).await
    }

    /// The idempotency key of a line.
    pub(super) fn key(&self, line: u64) -> IdempotencyKey {
        match format!("{}-{line}", self.topic.name()).parse() {
            Ok(key) => key,
            Err(_) => unreachable!("a name and digits are visible characters"),
        }
    }

    async fn set(&self, store: &dyn Store, number: i64) -> Result<(), RecordError> {
        match store.write(vec![Write::new(self.topic.clone(), Change::Set(number))]).await.pop() {
            Some(Ok(_)) => Ok(()),
            Some(Err(WriteError::Unavailable(error))) => Err(error.into()),
            Some(Err(error)) => Err(StoreError::new(error).into()),
            None => Err(no_answer().into()),
        }
    }
}

fn no_answer() -> StoreError {
    StoreError::new(io::Error::from(io::ErrorKind::UnexpectedEof))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
