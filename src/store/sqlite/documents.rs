//! The fields of entities: the table `document`, and those in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::millis::Millis;
use crate::domain::{Document, EventId, Topic};

/// The most bytes of names and values in memory. Beyond that, all documents are removed from memory: each is read again when it is used.
const KEPT_BYTES: usize = 32 << 20;

/// What each document in memory costs besides its names and values, about.
const OVERHEAD: usize = 256;

/// An entity as a batch leaves it.
pub(super) struct DocumentDraft {
    pub(super) document: Arc<Document>,
    /// When the entity is to be deleted, if the batch has changed that.
    pub(super) ends: Option<Millis>,
    pub(super) changed: bool,
}

/// Committed documents in memory, each with the id at which its topic has it.
pub(super) struct CommittedDocuments {
    cache: Mutex<DocumentCache>,
    /// No entity is to be deleted before this time.
    next_end: AtomicI64,
}

#[derive(Default)]
struct DocumentCache {
    documents: HashMap<Topic, (EventId, Arc<Document>)>,
    bytes: usize,
}

impl Default for CommittedDocuments {
    fn default() -> Self {
        // The first look finds out when it is.
        CommittedDocuments { cache: Mutex::default(), next_end: AtomicI64::new(0) }
    }
}

impl CommittedDocuments {
    /// The document that the topic has at this id; `None` if it is not in memory.
    pub(super) fn get(&self, topic: &Topic, id: EventId) -> Option<Arc<Document>> {
        let cache = self.lock();
        cache.documents.get(topic).filter(|(known, _)| *known == id).map(|(_, document)| Arc::clone(document))
    }

    /// Adds a document, in the place of an older one of the topic. A reader may come late with an older one.
    pub(super) fn put(&self, topic: &Topic, id: EventId, document: Arc<Document>) {
        let mut cache = self.lock();
        let known = cache.documents.get(topic).map(|(known, _)| *known);
        if known.is_some_and(|known| known.epoch == id.epoch && known.revision > id.revision) {
            return;
        }
        cache.bytes += document.bytes() + OVERHEAD;
        if let Some((_, before)) = cache.documents.insert(topic.clone(), (id, document)) {
            cache.bytes -= before.bytes() + OVERHEAD;
        }
        if cache.bytes > KEPT_BYTES {
            *cache = DocumentCache::default();
        }
    }

    /// Removes the document of a topic.
    pub(super) fn forget(&self, topic: &Topic) {
        let mut cache = self.lock();
        if let Some((_, before)) = cache.documents.remove(topic) {
            cache.bytes -= before.bytes() + OVERHEAD;
        }
    }

    /// Whether an entity may have to be deleted now.
    pub(super) fn may_end(&self, now: Millis) -> bool {
        self.next_end.load(Ordering::Relaxed) <= now
    }

    /// Notes that an entity is to be deleted at this time.
    pub(super) fn note_end(&self, ends: Millis) {
        self.next_end.fetch_min(ends, Ordering::Relaxed);
    }

    /// Notes when the next entity is to be deleted; `None` if none is.
    pub(super) fn set_next_end(&self, ends: Option<Millis>) {
        self.next_end.store(ends.unwrap_or(Millis::MAX), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, DocumentCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields of an entity; none if the file has no row, or one that another program has written.
pub(super) fn load(connection: &Connection, topic: &Topic) -> rusqlite::Result<Arc<Document>> {
    let sql = "SELECT fields FROM document WHERE topic = ?1";
    let fields: Option<String> =
        connection.prepare_cached(sql)?.query_row([topic.name()], |row| row.get(0)).optional()?;
    Ok(Arc::new(fields.and_then(|fields| Document::of_json(&fields)).unwrap_or_default()))
}

/// Writes the fields of an entity. Without a time in `ends`, the end of its life stays.
pub(super) fn save(
    connection: &Connection,
    topic: &Topic,
    document: &Document,
    ends: Option<Millis>,
) -> rusqlite::Result<()> {
    // A statement that names the column writes the index of the ends, too, whether or not an end changes.
    let with_end = "INSERT INTO document (topic, fields, ends) VALUES (?1, ?2, ?3) \
                    ON CONFLICT DO UPDATE SET fields = ?2, ends = ?3";
    let without =
        "INSERT INTO document (topic, fields) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET fields = ?2";
    let (name, fields) = (topic.name(), document.to_json());
    match ends {
        Some(ends) => connection.prepare_cached(with_end)?.execute(params![name, fields, ends])?,
        None => connection.prepare_cached(without)?.execute(params![name, fields])?,
    };
    Ok(())
}

/// Deletes the fields of an entity.
pub(super) fn delete(connection: &Connection, topic: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM document WHERE topic = ?1")?.execute([topic]).map(|_| ())
}

/// Some entities whose lives end at `now` or before.
pub(super) fn ended(connection: &Connection, now: Millis, limit: usize) -> rusqlite::Result<Vec<Topic>> {
    let sql = "SELECT topic FROM document WHERE ends <= ?1 ORDER BY ends LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let names = statement.query_map(params![now, limit], |row| row.get::<_, String>(0))?;
    names.filter_map(|name| name.map(|name| name.parse().ok()).transpose()).collect()
}

/// When the next entity is to be deleted; `None` if none is.
pub(super) fn next_end(connection: &Connection) -> rusqlite::Result<Option<Millis>> {
    let sql = "SELECT min(ends) FROM document WHERE ends IS NOT NULL";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}
