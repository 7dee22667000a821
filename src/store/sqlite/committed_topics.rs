//! Committed topics in memory: those used recently, and the outbox. All threads read them; only the writer changes them, after
//! its commit. So no reader sees an uncommitted change, and no reader waits for the disk. The thread that reads the file adds topics
//! that are missing here.
//!
//! Claims and acknowledgements come here before they are in the file: the writer still has to save the rows of these topics.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::StoreClock;
use super::documents::CommittedDocuments;
use super::millis::{Millis, millis};
use super::topic::{Draft, TopicState};
use crate::domain::{Retention, Topic};
use crate::store::feeds::reading_of;
use crate::store::{Body, Reading};

/// How many topics without a mark are kept, about 200 bytes each. Topics with a mark are always kept.
const KEPT: usize = 32_768;

/// Topics that were only read are added up to this number, so that reading cannot make the writer forget what it has written.
const KEPT_BY_READS: usize = KEPT / 2;

/// See the top of the module.
pub(super) struct CommittedTopics {
    clock: StoreClock,
    retention: Retention,
    cache: Mutex<TopicCache>,
    /// The fields of entities.
    pub(super) documents: CommittedDocuments,
}

#[derive(Default)]
struct TopicCache {
    topics: HashMap<Topic, CachedTopic>,
    /// How many topics the file has.
    count: u64,
    /// Topics with a mark, by the time at which the mark becomes overdue, then by ticket.
    outbox: BTreeMap<(Millis, u64), Topic>,
    /// Topics whose claims or acknowledgements are not in the file yet.
    unsaved: Unsaved,
    next_ticket: u64,
    sweep_opens: Millis,
    /// How many topics there must be before some are removed from memory.
    crowded_at: usize,
    /// How often topics were removed from memory.
    times_forgotten: u64,
}

/// Topics that the writer still has to save, by when they came. A topic that changes again before its turn is saved with that change.
#[derive(Default)]
struct Unsaved {
    /// Since before the writer looked last: these are saved when it looks next.
    earlier: HashSet<Topic>,
    since: HashSet<Topic>,
}

impl Unsaved {
    fn insert(&mut self, topic: &Topic) {
        if !self.earlier.contains(topic) {
            self.since.insert(topic.clone());
        }
    }

    fn remove(&mut self, topic: &Topic) {
        if !self.earlier.remove(topic) {
            self.since.remove(topic);
        }
    }

    fn contains(&self, topic: &Topic) -> bool {
        self.earlier.contains(topic) || self.since.contains(topic)
    }
}

struct CachedTopic {
    state: TopicState,
    /// A number that differs between marks of the same millisecond.
    ticket: u64,
}

impl CommittedTopics {
    pub(super) fn new(retention: Retention) -> Self {
        let cache = TopicCache { crowded_at: KEPT, ..TopicCache::default() };
        CommittedTopics {
            clock: StoreClock::start(),
            retention,
            cache: Mutex::new(cache),
            documents: CommittedDocuments::default(),
        }
    }

    /// How much of the history of each topic is kept.
    pub(super) fn retention(&self) -> Retention {
        self.retention
    }

    /// The store's clock.
    pub(super) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The state of a topic; `None` if it is not in memory.
    pub(super) fn recall(&self, topic: &Topic) -> Option<TopicState> {
        self.lock().topics.get(topic).map(|entry| entry.state)
    }

    /// How often topics were removed from memory.
    pub(super) fn times_forgotten(&self) -> u64 {
        self.lock().times_forgotten
    }

    /// Adds a topic as the file had it, unless the writer has put it here meanwhile. If topics were removed since `times_forgotten` was
    /// taken, before the file was read, the writer may have put a newer state here that was removed: then nothing is added.
    pub(super) fn add_read(&self, topic: &Topic, state: TopicState, times_forgotten: u64) {
        let mut cache = self.lock();
        let is_new = !cache.topics.contains_key(topic);
        if is_new && cache.times_forgotten == times_forgotten && cache.topics.len() < KEPT_BY_READS {
            cache.put(topic.clone(), state);
        }
    }

    /// The readings of these topics; `None` for those that are not in memory.
    pub(super) fn readings(&self, topics: &[Topic]) -> Vec<Option<Reading>> {
        let cache = self.lock();
        let reading = |topic| cache.topics.get(topic).and_then(|entry| self.complete(topic, &entry.state));
        topics.iter().map(reading).collect()
    }

    /// The reading of a topic; `None` if it is not in memory.
    pub(super) fn reading(&self, topic: &Topic) -> Option<Reading> {
        let state = self.recall(topic)?;
        self.complete(topic, &state)
    }

    /// The reading of a topic in this state, with the fields of an entity; `None` if these are not in memory.
    fn complete(&self, topic: &Topic, state: &TopicState) -> Option<Reading> {
        let mut reading = reading_of(topic, state.reading());
        if topic.is_entity() && reading.body != Body::Gone {
            reading.body = Body::Document(self.documents.get(topic, reading.id)?);
        }
        Some(reading)
    }

    /// Replaces topics by what a batch has made of them. `saved` says whether the changes are in the file.
    pub(super) fn commit(&self, drafts: HashMap<Topic, Draft>, saved: bool) {
        let now = self.now();
        let mut cache = self.lock();
        for (topic, draft) in drafts {
            // A topic that has never changed needs no place in memory.
            if draft.state.revision == 0 {
                continue;
            }
            cache.count = cache.count.saturating_add_signed(draft.count);
            match draft.document {
                Some(document) if draft.state.exists() => {
                    if let Some(ends) = document.ends {
                        self.documents.note_end(ends);
                    }
                    self.documents.put(&topic, draft.state.reading().id, document.document);
                }
                _ if topic.holds_number() || draft.state.exists() => {}
                _ => self.documents.forget(&topic),
            }
            if draft.changed && saved {
                cache.unsaved.remove(&topic);
            } else if draft.changed {
                cache.unsaved.insert(&topic);
            }
            cache.put(topic, draft.state);
        }
        cache.forget_some(now);
    }

    /// Sets what the file holds when it is opened: the number of topics, and the topics with a mark.
    pub(super) fn recover(&self, count: u64, topics: Vec<(Topic, TopicState)>) {
        let mut cache = self.lock();
        cache.count = count;
        topics.into_iter().for_each(|(topic, state)| cache.put(topic, state));
    }

    /// The topics whose present state was not in the file when [`mark_saved`](Self::mark_saved) was called last, and is not in it now.
    pub(super) fn unsaved(&self) -> Vec<(Topic, TopicState)> {
        let cache = self.lock();
        let state = |topic: &Topic| cache.topics.get(topic).map(|entry| (topic.clone(), entry.state));
        cache.unsaved.earlier.iter().filter_map(state).collect()
    }

    /// Whether the file has the present state of all topics.
    pub(super) fn is_saved(&self) -> bool {
        let cache = self.lock();
        cache.unsaved.earlier.is_empty() && cache.unsaved.since.is_empty()
    }

    /// Notes that the writer has saved the present state of the topics that [`unsaved`](Self::unsaved) has named.
    pub(super) fn mark_saved(&self) {
        let mut cache = self.lock();
        let since = mem::take(&mut cache.unsaved.since);
        for topic in mem::replace(&mut cache.unsaved.earlier, since) {
            if let Some(entry) = cache.topics.get_mut(&topic) {
                entry.state.complete = None;
            }
        }
    }

    /// See [`Outbox::overdue`](crate::store::Outbox::overdue).
    pub(super) fn overdue(&self, limit: usize, pause: Duration) -> Vec<Topic> {
        let now = self.now();
        let mut cache = self.lock();
        if now < cache.sweep_opens {
            return Vec::new();
        }
        cache.sweep_opens = now + millis(pause);
        cache.outbox.range(..=(now, u64::MAX)).take(limit).map(|(_, topic)| topic.clone()).collect()
    }

    /// How many topics there are.
    pub(super) fn topic_count(&self) -> u64 {
        self.lock().count
    }

    /// How many topics have a mark.
    pub(super) fn outbox_len(&self) -> usize {
        self.lock().outbox.len()
    }

    fn lock(&self) -> MutexGuard<'_, TopicCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TopicCache {
    fn put(&mut self, topic: Topic, state: TopicState) {
        let (ticket, before) = match self.topics.get_mut(&topic) {
            Some(entry) => {
                let before = entry.state.due;
                entry.state = state;
                (entry.ticket, before)
            }
            None => {
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                self.topics.insert(topic.clone(), CachedTopic { state, ticket });
                (ticket, None)
            }
        };
        if before == state.due {
            return;
        }
        if let Some(due) = before {
            self.outbox.remove(&(due, ticket));
        }
        if let Some(due) = state.due {
            self.outbox.insert((due, ticket), topic);
        }
    }

    fn forget_some(&mut self, now: Millis) {
        if self.topics.len() <= self.crowded_at {
            return;
        }
        self.times_forgotten += 1;
        let unsaved = &self.unsaved;
        self.topics.retain(|topic, entry| {
            entry.state.due.is_some() || entry.state.gate > now || unsaved.contains(topic)
        });
        // If most topics must stay, looking again soon would find few to remove.
        self.crowded_at = KEPT.max(2 * self.topics.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_saved_at_the_second_look_unless_a_change_has_saved_it() {
        let committed = CommittedTopics::new(Retention::default());
        let commit = |saved| {
            let state = TopicState { revision: 1, ..TopicState::default() };
            let draft = Draft { state, changed: true, document: None, count: 0 };
            committed.commit(HashMap::from([("counter-1".parse().expect("a topic"), draft)]), saved);
        };
        let unsaved = || (committed.unsaved().len(), committed.is_saved());
        commit(false);
        assert_eq!(unsaved(), (0, false), "the first look");
        committed.mark_saved();
        commit(false);
        assert_eq!(unsaved(), (1, false), "the second look");
        commit(true);
        assert_eq!(unsaved(), (0, true));
        commit(false);
        committed.mark_saved();
        committed.mark_saved();
        assert_eq!(unsaved(), (0, true));
    }
}
