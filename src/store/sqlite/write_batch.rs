//! One batch of the writer: the topics that it has changed so far. Other threads see none of it before the commit.

mod documents;
mod feeds;
mod hits;
mod restored_pasts;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::ffi;

use super::committed_topics::CommittedTopics;
use super::file::StoreFile;
use super::key_rows::KeyRecord;
use super::millis::{Millis, millis};
use super::recent_feeds::RecentFeeds;
use super::topic::Draft;
use super::visited_sites::VisitedSites;
use crate::domain::{Epoch, EventId, Kind, Topic};
use crate::store::{
    Announcement, Body, Change, Claim, ClaimTerms, KeyUse, Once, Replay, Stamp, StoreError,
    TOMBSTONE_LIFETIME, Visit, Write, WriteError, Written, change, random,
};

/// When the next life of an entity ends, if any does.
pub(super) type NextEnd = Option<Millis>;

/// See the top of the module.
pub(super) struct WriteBatch<'a> {
    file: &'a StoreFile,
    committed: &'a CommittedTopics,
    now: Millis,
    topics: HashMap<Topic, Draft>,
    visitors: &'a mut VisitedSites,
    feeds: &'a mut RecentFeeds,
    /// The answers must wait until the disk has the changes.
    must_write: bool,
    /// The batch has deleted entities whose lives were over, so it must find out which life ends next.
    ends_lives: bool,
    /// How many idempotency keys the batch has written.
    remembered: usize,
    /// A transaction is open.
    begun: bool,
}

impl<'a> WriteBatch<'a> {
    pub(super) fn new(
        file: &'a StoreFile,
        committed: &'a CommittedTopics,
        visitors: &'a mut VisitedSites,
        feeds: &'a mut RecentFeeds,
    ) -> Self {
        WriteBatch {
            file,
            committed,
            now: committed.now(),
            topics: HashMap::new(),
            visitors,
            feeds,
            must_write: false,
            ends_lives: false,
            remembered: 0,
            begun: false,
        }
    }

    /// Changes a topic. The outer error is that of the disk.
    pub(super) fn write(&mut self, write: &Write) -> Result<Result<Written, WriteError>, StoreError> {
        let written = match &write.once {
            Some(once) => self.write_once(write, once)?,
            None => self.write_now(write)?,
        };
        if let (Some(visit), true) = (write.visit, written.is_ok()) {
            self.visit(&write.topic, visit)?;
        }
        Ok(written)
    }

    /// Counts a visitor of a site.
    fn visit(&mut self, site: &Topic, visit: Visit) -> Result<(), StoreError> {
        self.must_write |= self.visitors.visit(site, visit, self.file).map_err(StoreError::new)?;
        Ok(())
    }

    fn write_now(&mut self, write: &Write) -> Result<Result<Written, WriteError>, StoreError> {
        if !write.change.fits(&write.topic) {
            return Ok(Err(change::misfit().into()));
        }
        let merged = match &write.change {
            Change::Merge(merge) => match self.merged(write, merge)? {
                Ok(merged) => Some(merged),
                Err(refusal) => return Ok(Err(refusal)),
            },
            _ => None,
        };
        let (now, keeps_history) = (self.now, self.keeps_history(&write.topic));
        let draft = self.draft(&write.topic)?;
        let existed = draft.state.exists();
        let epoch = match draft.state.revision {
            0 => random::epoch().map_err(StoreError::new)?,
            _ => Epoch::NONE,
        };
        let claimed = match draft.state.write(write, epoch, now, keeps_history) {
            Ok(Some(claimed)) => claimed,
            Ok(None) => return Ok(Ok(Written::default())),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let removed = matches!(write.change, Change::Delete);
        let created = !existed && !removed;
        draft.changed = true;
        let merge_stamp =
            merged.is_some().then(|| Stamp { id: draft.state.reading().id, at: now.unsigned_abs() });
        if removed || merged.is_some() {
            draft.document = merged;
        }
        draft.count += i64::from(created) - i64::from(removed);
        let value = draft.state.value;
        self.must_write = true;
        if removed {
            self.begin()?;
            self.file.delete_past(&write.topic).map_err(StoreError::new)?;
            self.visitors.forget(&write.topic);
            self.feeds.forget(&write.topic);
        }
        let stamp = match &write.change {
            Change::Append(events) => {
                let at = write.at.map_or(now, |at| Millis::try_from(at).unwrap_or(Millis::MAX));
                Some(self.append(&write.topic, events, at, created)?)
            }
            _ => merge_stamp,
        };
        let value = if stamp.is_some() { 0 } else { value };
        Ok(Ok(Written { value, created, removed, claimed, stamp, ..Written::default() }))
    }

    fn write_once(&mut self, write: &Write, once: &Once) -> Result<Result<Written, WriteError>, StoreError> {
        // The transaction must have begun, so that keys used earlier in the batch are found.
        self.begin()?;
        let key_use = KeyUse::of(&write.change);
        if let Some(first) =
            self.file.keys().first_use(&write.topic, &once.key, self.now).map_err(StoreError::new)?
        {
            if first.key_use != key_use {
                return Ok(Err(WriteError::KeyReused(first.key_use)));
            }
            let mut answer = first.answer();
            if once.replay == Replay::Present {
                answer.value = self.draft(&write.topic)?.state.value;
            }
            return Ok(Ok(answer));
        }
        let written = self.write_now(write)?;
        if let Ok(written) = &written {
            let Written { value, removed, stamp, .. } = *written;
            let record = KeyRecord { key_use, value, removed, stamp };
            let expires = self.now + millis(once.lifetime);
            self.file.keys().remember(&write.topic, &once.key, &record, expires).map_err(StoreError::new)?;
            self.remembered += 1;
            // The batch must write the key even if the change was a deletion that has changed nothing.
            self.must_write = true;
        }
        Ok(written)
    }

    /// Answers a claim.
    pub(super) fn claim(&mut self, topic: &Topic, terms: ClaimTerms) -> Result<Claim, StoreError> {
        let (now, keeps_history) = (self.now, self.keeps_history(topic));
        let draft = self.draft(topic)?;
        let claim = draft.state.claim(terms, now, keeps_history);
        draft.changed |= matches!(claim, Claim::Announce(_));
        match claim {
            Claim::Announce(announcement) if announcement.body == Body::Gone => {
                Ok(Claim::Announce(announcement))
            }
            Claim::Announce(announcement) if topic.kind() == Some(Kind::Feed) => {
                self.with_events(topic, announcement).map(Claim::Announce)
            }
            Claim::Announce(announcement) if topic.is_entity() => {
                // A claim is repeated only if the topic has not changed since, so the fields are the present ones.
                let body = Body::Document(self.document(topic)?);
                Ok(Claim::Announce(Announcement { body, ..announcement }))
            }
            claim => Ok(claim),
        }
    }

    /// Histories are kept of numbers.
    fn keeps_history(&self, topic: &Topic) -> bool {
        topic.holds_number() && self.committed.retention().keeps_any()
    }

    /// Applies the acknowledgement of a claim.
    pub(super) fn acknowledge(&mut self, topic: &Topic, id: EventId) -> Result<(), StoreError> {
        let now = self.now;
        let draft = self.draft(topic)?;
        let before = draft.state;
        draft.state.acknowledge(id, now);
        draft.changed |= draft.state != before;
        Ok(())
    }

    /// Keeps the address of a page.
    pub(super) fn keep_address(&mut self, page: &Topic, address: &str) -> Result<(), StoreError> {
        self.begin()?;
        self.file.keep_address(page, address).map_err(StoreError::new)
    }

    /// Makes the commit write to the file, to try the disk.
    pub(super) fn touch_disk(&mut self) -> Result<(), StoreError> {
        self.begin()?;
        self.file.touch().map_err(StoreError::new)
    }

    /// Deletes the tombstones whose lifetime is over.
    pub(super) fn purge_tombstones(&mut self) -> Result<(), StoreError> {
        self.begin()?;
        self.file.purge_tombstones(self.now - millis(TOMBSTONE_LIFETIME)).map_err(StoreError::new)
    }

    /// Deletes up to `most` expired keys, and returns whether there may be more.
    pub(super) fn purge_keys(&mut self, most: usize) -> Result<bool, StoreError> {
        self.begin()?;
        self.file.keys().purge(self.now, most).map_err(StoreError::new)
    }

    /// How many idempotency keys the batch has written.
    pub(super) fn remembered(&self) -> usize {
        self.remembered
    }

    /// Whether the answers must wait for the disk.
    pub(super) fn must_write(&self) -> bool {
        self.must_write
    }

    /// Whether the batch has used the disk, so that its result shows the state of the disk.
    pub(super) fn uses_disk(&self) -> bool {
        self.must_write || self.begun
    }

    /// Writes the changes to the file if the answers must wait for the disk; the commit makes them last. Returns which life ends next, if the
    /// batch has ended lives.
    pub(super) fn save(&mut self) -> Result<Option<NextEnd>, StoreError> {
        if self.must_write {
            self.begin()?;
            self.save_documents()?;
            let retention = self.committed.retention();
            let changed = self.topics.iter_mut().filter(|(_, draft)| draft.changed);
            for (topic, draft) in changed {
                self.file.save(topic, &draft.state, retention).map_err(StoreError::new)?;
                draft.state.complete = None;
            }
            self.visitors.save(self.file, retention).map_err(StoreError::new)?;
        }
        match self.ends_lives {
            true => self.file.next_end().map(Some).map_err(StoreError::new),
            false => Ok(None),
        }
    }

    /// Commits what was [saved](Self::save) to the disk, and then to memory. The error says whether the disk certainly has nothing of it.
    pub(super) fn commit(self, next_end: Option<NextEnd>) -> Result<(), StoreError> {
        if self.begun {
            self.file.commit().map_err(failed_commit)?;
        }
        if let Some(next_end) = next_end {
            self.committed.documents.set_next_end(next_end);
        }
        self.committed.commit(self.topics, self.must_write);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if !self.begun {
            self.file.begin().map_err(StoreError::new)?;
            self.begun = true;
        }
        Ok(())
    }

    fn draft(&mut self, topic: &Topic) -> Result<&mut Draft, StoreError> {
        match self.topics.entry(topic.clone()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let state = match self.committed.recall(topic) {
                    Some(state) => state,
                    None => self.file.load(topic).map_err(StoreError::new)?.unwrap_or_default(),
                };
                Ok(new.insert(Draft { state, changed: false, document: None, count: 0 }))
            }
        }
    }
}

/// The failure of a commit. If the disk is full or the file has reached a limit of its size, the last frame of the write-ahead log, which would be
/// the commit, is missing, so the disk has nothing of it. After another error, such as one of `fsync`, it may.
fn failed_commit(error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error().map(|error| error.extended_code);
    match code {
        Some(ffi::SQLITE_FULL | ffi::SQLITE_IOERR_WRITE) => StoreError::refusal(error),
        _ => StoreError::new(error),
    }
}
