//! The rows of the table `idempotency`.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::millis::Millis;
use super::rows::signed;
use crate::domain::{Epoch, EventId, IdempotencyKey, Topic};
use crate::store::{KeyUse, Stamp, Written};

/// The values of the column `idempotency.kind`.
const ADDED: i64 = 0;
const SET: i64 = 1;
const DELETED: i64 = 2;
const MERGED: i64 = 3;
const APPENDED: i64 = 4;

/// The first use of an idempotency key.
pub(super) struct KeyRecord {
    pub(super) key_use: KeyUse,
    pub(super) value: i64,
    pub(super) removed: bool,
    pub(super) stamp: Option<Stamp>,
}

impl KeyRecord {
    /// The answer to a repetition.
    pub(super) fn answer(&self) -> Written {
        let KeyRecord { value, removed, stamp, .. } = *self;
        Written { value, removed, stamp, replayed: true, ..Written::default() }
    }
}

/// The idempotency keys in a file.
pub(super) struct KeyRows<'a>(pub(super) &'a Connection);

impl KeyRows<'_> {
    /// The first use of a key, if the file still has it.
    pub(super) fn first_use(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        now: Millis,
    ) -> rusqlite::Result<Option<KeyRecord>> {
        let sql = "SELECT kind, amount, value, epoch, revision, at FROM idempotency WHERE topic = ?1 AND key = ?2 AND expires > ?3";
        let record = |row: &Row<'_>| {
            let (kind, amount, value): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let of = |key_use| KeyRecord { key_use, value, removed: false, stamp: None };
            Ok(match kind {
                ADDED => of(KeyUse::Add(amount)),
                SET => of(KeyUse::Set(amount)),
                MERGED => KeyRecord { stamp: Some(stamp(row)?), ..of(KeyUse::Merge(amount.cast_unsigned())) },
                APPENDED => {
                    KeyRecord { stamp: Some(stamp(row)?), ..of(KeyUse::Append(amount.cast_unsigned())) }
                }
                _ => KeyRecord { removed: amount != 0, ..of(KeyUse::Delete) },
            })
        };
        self.0.prepare_cached(sql)?.query_row(params![topic.name(), key.as_str(), now], record).optional()
    }

    /// Writes the first use of a key.
    pub(super) fn remember(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        record: &KeyRecord,
        expires: Millis,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO idempotency (topic, key, kind, amount, value, expires, epoch, revision, at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let (kind, amount) = match record.key_use {
            KeyUse::Add(amount) => (ADDED, amount),
            KeyUse::Set(value) => (SET, value),
            KeyUse::Delete => (DELETED, i64::from(record.removed)),
            KeyUse::Merge(digest) => (MERGED, digest.cast_signed()),
            KeyUse::Append(digest) => (APPENDED, digest.cast_signed()),
        };
        let Stamp { id, at } = record.stamp.unwrap_or_default();
        let (epoch, revision, at) = (signed(id.epoch.get()), signed(id.revision), signed(at));
        let values =
            params![topic.name(), key.as_str(), kind, amount, record.value, expires, epoch, revision, at];
        self.0.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Writes the use of a key for an addition unless the key was used before and is not expired. Returns whether this is its first use.
    pub(super) fn use_once(
        &self,
        topic: &Topic,
        key: &IdempotencyKey,
        (amount, value): (i64, i64),
        now: Millis,
        expires: Millis,
    ) -> rusqlite::Result<bool> {
        let sql = "INSERT INTO idempotency (topic, key, kind, amount, value, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                   ON CONFLICT DO UPDATE SET kind = ?3, amount = ?4, value = ?5, expires = ?6 WHERE expires <= ?7";
        let values = params![topic.name(), key.as_str(), ADDED, amount, value, expires, now];
        self.0.prepare_cached(sql)?.execute(values).map(|rows| rows > 0)
    }

    /// Removes the use of a key.
    pub(super) fn forget(&self, topic: &Topic, key: &IdempotencyKey) -> rusqlite::Result<()> {
        let sql = "DELETE FROM idempotency WHERE topic = ?1 AND key = ?2";
        self.0.prepare_cached(sql)?.execute(params![topic.name(), key.as_str()]).map(|_| ())
    }

    /// Deletes some expired keys, and returns whether there may be more.
    pub(super) fn purge(&self, now: Millis, most: usize) -> rusqlite::Result<bool> {
        let sql = "DELETE FROM idempotency WHERE (topic, key) IN \
                   (SELECT topic, key FROM idempotency WHERE expires <= ?1 LIMIT ?2)";
        let deleted = self.0.prepare_cached(sql)?.execute(params![now, most as i64])?;
        Ok(deleted == most)
    }
}

/// The stamp in a row of the table `idempotency`.
fn stamp(row: &Row<'_>) -> rusqlite::Result<Stamp> {
    let unsigned = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let id = EventId { epoch: Epoch::new(unsigned(3)?), revision: unsigned(4)? };
    Ok(Stamp { id, at: unsigned(5)? })
}
