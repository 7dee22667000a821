//! The use cases: read a topic, change it, delete it, count a hit, list topics. This module knows neither HTTP nor Redis; the rules of the kinds
//! of topics are in `domain` and `store`.

mod batch_queue;
mod changes;
mod combiner;
mod counted;
mod entity_list;
mod entity_tables;
mod hit_combiner;
mod hits;
mod salts;

use std::sync::Arc;

use futures_util::future::try_join_all;

use crate::announcer::Announcer;
use crate::domain::{
    Amount, Document, EntityKey, EventId, IdempotencyKey, JsonText, PageAddress, Route, Topic, Unit,
};
use crate::store::{
    Change, DailySalt, EntityQuery, FeedPage, History, HitKey, Merge, Missed, Once, Reading, Store,
    StoreError, Uniques, Visit, Write, WriteError, Written,
};
use changes::ChangeBatcher;
pub use changes::Stamped;
use combiner::Combiner;
pub use counted::Counted;
pub use entity_list::EntityPage;
pub use entity_tables::{EntityTableError, EntityTables};
pub use hits::CountedHit;
use hits::HitCounter;
use salts::SaltCache;

/// The use cases on one store. Each worker has one: the calls that a worker's requests make while batches are under way to the
/// store go out together in the next batch.
pub struct Live {
    combiner: Arc<Combiner>,
    changes: Arc<ChangeBatcher>,
    hits: HitCounter,
    salts: SaltCache,
    store: Arc<dyn Store>,
    announcer: Announcer,
}

impl Live {
    /// Makes the use cases on `store`, which tell `announcer` of every change. Cheap. The calls need a tokio runtime.
    pub fn new(store: Arc<dyn Store>, announcer: Announcer) -> Self {
        let combiner = Combiner::new(Arc::clone(&store), announcer.clone());
        let combiner = Arc::new(combiner);
        let changes = Arc::new(ChangeBatcher::new(Arc::clone(&store), announcer.clone()));
        let hits = HitCounter::new(Arc::clone(&combiner), Arc::clone(&store), announcer.clone());
        let salts = SaltCache::new(Arc::clone(&store));
        Live { combiner, changes, hits, salts, store, announcer }
    }

    /// The present state of the topic. The state contains every change that was acknowledged before the call.
    pub async fn read(&self, topic: Topic) -> Result<Reading, StoreError> {
        match self.store.recall(&topic) {
            Some(reading) => Ok(reading),
            None => self.combiner.read(topic).await,
        }
    }

    /// The present states of several topics, in their order. The combiner may send several of the reads in one round trip.
    pub async fn read_all(&self, topics: &[Topic]) -> Result<Vec<Reading>, StoreError> {
        match topics {
            [topic] => Ok(vec![self.read(topic.clone()).await?]),
            _ => try_join_all(topics.iter().map(|topic| self.read(topic.clone()))).await,
        }
    }

    /// Adds to the topic and returns its value behind this change. A failed announcement does not fail the call.
    ///
    /// With a key, a repetition with the same amount returns the first answer and changes nothing. If the topic would be new and
    /// the caller may not create it, the answer is [`WriteError::WouldBeNew`], unless a caller that may create the topic adds to it
    /// at the same time.
    pub async fn add(
        &self,
        topic: Topic,
        amount: Amount,
        key: Option<IdempotencyKey>,
        may_create: bool,
    ) -> Result<Counted, WriteError> {
        self.combiner.add(topic, amount, key, may_create).await
    }

    /// Counts a hit: adds 1 to the page and to its site. The two additions are one step of the store, except in a Cluster, where
    /// the page and its site can be on different nodes. A failed announcement does not fail the call.
    ///
    /// With `key`, a repetition counts for neither of the two, and returns the present value. With `visit`, the visitor is counted among the
    /// [`uniques`](Self::uniques) of the site, in the same step.
    pub async fn hit(
        &self,
        address: &PageAddress,
        key: Option<HitKey>,
        visit: Option<Visit>,
    ) -> Result<CountedHit, WriteError> {
        self.hits.count(address, key, visit).await
    }

    /// The salt of the present day; `None` if the store does not give it. Whether the store is asked depends on when it was asked last.
    pub async fn daily_salt(&self) -> Option<DailySalt> {
        self.salts.present().await
    }

    /// How many different visitors a site had, where [`hit`](Self::hit) was called with visits of the site: see [`Uniques`]. A site that does not
    /// exist has had none. `all` of the answer is the total that services call unique visitors.
    pub async fn uniques(&self, site: &Topic) -> Result<Uniques, StoreError> {
        self.store.uniques(site).await
    }

    /// Whether these use cases have counted a hit of the page before, so that the page and its site exist, unless they were removed
    /// since. `false` says nothing: only some 65,000 pages are remembered.
    pub fn knows_page(&self, page: &PageAddress) -> bool {
        self.hits.knows(page)
    }

    /// Sets the number of the topic. A number beyond ±[`LIMIT`](crate::domain::LIMIT) is refused. With a key, a repetition with
    /// the same number returns the first answer and changes nothing. If the topic would be new and the caller may not create it,
    /// the answer is [`WriteError::WouldBeNew`].
    pub async fn set(
        &self,
        topic: Topic,
        value: i64,
        key: Option<IdempotencyKey>,
        may_create: bool,
    ) -> Result<Counted, WriteError> {
        let written = self
            .write(Write { once: key.map(Once::from), may_create, ..Write::new(topic, Change::Set(value)) })
            .await?;
        let Written { value, created, replayed, .. } = written;
        Ok(Counted { value, created, replayed })
    }

    /// Adds a number, which may be 0, to the topic unless another call has done so with the same key. It is the caller who knows that the topic does not exist: so of
    /// callers that create a topic at the same time with one key, one succeeds, and hits that come in between are kept. The answer says whether the key was used before.
    pub async fn create(
        &self,
        topic: Topic,
        value: i64,
        once: Once,
        may_create: bool,
    ) -> Result<Counted, WriteError> {
        let change = Change::Add(value.into());
        let write = Write { once: Some(once), may_create, ..Write::new(topic, change) };
        let Written { value, created, replayed, .. } = self.write(write).await?;
        Ok(Counted { value, created, replayed })
    }

    /// Changes fields of an entity, all of them or none. A failed announcement does not fail the call. With a key, a repetition with the same changes returns the
    /// first answer and changes nothing. If the entity would be new and the caller may not create it, the answer is
    /// [`WriteError::WouldBeNew`].
    pub async fn merge(
        &self,
        entity: Topic,
        merge: Arc<Merge>,
        key: Option<IdempotencyKey>,
        may_create: bool,
    ) -> Result<Stamped, WriteError> {
        let change = Change::Merge(merge);
        let once = key.map(Once::from);
        self.changes.write(Write { once, may_create, ..Write::new(entity, change) }).await
    }

    /// Appends events, at least one, to the feed of a route, in this order and next to each other. The answer has the id of the last of them. A key and
    /// `may_create` mean the same as for [`Live::merge`].
    pub async fn append(
        &self,
        route: &Route,
        events: Arc<[JsonText]>,
        key: Option<IdempotencyKey>,
        may_create: bool,
    ) -> Result<Stamped, WriteError> {
        let change = Change::Append(events);
        let once = key.map(Once::from);
        self.changes.write(Write { once, may_create, ..Write::new(Topic::feed(route), change) }).await
    }

    /// The first `limit` entities of the route whose keys begin with `prefix` and come after `after`, in the order of their keys. Entities of routes below
    /// are left out.
    pub async fn entities(
        &self,
        route: &Route,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<EntityPage, StoreError> {
        entity_list::list(&*self.store, route, prefix, after, limit).await
    }

    /// Deletes the topic, and returns whether the topic existed. The streams of its listeners show 0. With a key, a repetition
    /// returns the first answer and changes nothing.
    pub async fn delete(&self, topic: Topic, key: Option<IdempotencyKey>) -> Result<bool, WriteError> {
        let written =
            self.write(Write { once: key.map(Once::from), ..Write::new(topic, Change::Delete) }).await?;
        Ok(written.removed)
    }

    /// Applies a change and tells the announcer of it, even if the caller stops waiting before the end.
    async fn write(&self, write: Write) -> Result<Written, WriteError> {
        let (store, announcer) = (Arc::clone(&self.store), self.announcer.clone());
        let task = tokio::spawn(async move {
            let (topic, is_deletion) = (write.topic.clone(), matches!(write.change, Change::Delete));
            let claim = announcer.claim_at_once();
            let missing = || Err(WriteError::Unavailable(StoreError::new("an answer is missing")));
            let written = store.write(vec![Write { claim, ..write }]).await.pop().unwrap_or_else(missing)?;
            match &written.claimed {
                Some(claimed) => announcer.announce(topic, vec![claimed.clone()]),
                None if written.replayed || is_deletion && !written.removed => {}
                None if written.created => announcer.created(vec![topic]),
                None => announcer.changed(vec![topic]),
            }
            Ok(written)
        });
        let ended = |error| Err(WriteError::Unavailable(StoreError::new(error)));
        task.await.unwrap_or_else(ended)
    }

    /// How many topics have a mark in the outbox: they have changed, and no announcement of the change is acknowledged yet.
    pub async fn outbox_len(&self) -> Result<u64, StoreError> {
        self.store.outbox_len().await
    }

    /// How many topics there are. Callers must ask at most once a second.
    pub async fn topic_count(&self) -> Result<u64, StoreError> {
        self.store.topic_count().await
    }

    /// The first `limit` topics whose names begin with `prefix` and come after `after`, in the order of their names, with their
    /// states. The names of counters begin with [`Topic::counter_prefix`].
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&Topic>,
        limit: usize,
    ) -> Result<Vec<(Topic, Reading)>, StoreError> {
        self.store.list(prefix, after, limit).await
    }

    /// All events of a feed behind the one that a listener has seen, or why the store cannot tell them: see [`Feeds::after`].
    ///
    /// [`Feeds::after`]: crate::store::Feeds::after
    pub async fn missed(&self, feed: &Topic, seen: EventId) -> Result<Missed, StoreError> {
        self.store.after(feed, seen).await
    }

    /// The last `limit` events that a feed keeps, or the last ones before a revision.
    pub async fn feed_page(
        &self,
        feed: &Topic,
        before: Option<u64>,
        limit: usize,
    ) -> Result<FeedPage, StoreError> {
        self.store.before(feed, before, limit).await
    }

    /// The entities of a route in a range of keys, in the order of their keys, with the fields that the caller needs.
    pub async fn entities_in(&self, query: &EntityQuery) -> Result<Vec<(EntityKey, Document)>, StoreError> {
        self.store.entities(query).await
    }

    /// The `limit` topics with the greatest values among those whose names begin with `prefix`: see [`Catalog::top`]. Callers must
    /// keep the answer for a while.
    ///
    /// [`Catalog::top`]: crate::store::Catalog::top
    pub async fn top(&self, prefix: &str, limit: usize) -> Result<Vec<(Topic, i64)>, StoreError> {
        self.store.top(prefix, limit).await
    }

    /// The addresses of pages, in the order of their topics; `None` for a topic whose address the store does not have.
    pub async fn addresses(&self, pages: &[Topic]) -> Result<Vec<Option<String>>, StoreError> {
        self.store.addresses(pages).await
    }

    /// The values of the topic in the last `last` hours or days, and in the latest hour or day before them in which the topic was
    /// announced; the oldest first. An hour or day in which the topic was not announced is left out.
    pub async fn history(&self, topic: &Topic, unit: Unit, last: u16) -> Result<History, StoreError> {
        self.store.history(topic, unit, last).await
    }

    /// Whether the store answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;
    use crate::announcer::{Outlets, Running};
    use crate::store::KeySource;
    use crate::store::sqlite::SqliteStore;

    /// The use cases on a new file, with what must stay as long as they are used.
    fn live() -> (Live, (tempfile::TempDir, Running)) {
        let directory = tempfile::tempdir().expect("a directory");
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(directory.path().join("livecounter.db")).expect("a new file"));
        let outlets = Outlets { hub: None, publisher: None, prefix: String::new(), purger: None };
        let running = Announcer::start(Arc::<dyn Store>::clone(&store), outlets, Duration::from_millis(250));
        let live = Live::new(store, running.announcer().clone());
        (live, (directory, running))
    }

    #[tokio::test]
    async fn of_callers_at_the_same_time_one_learns_that_it_created_the_topic() {
        let (live, _service) = live();
        let topic: Topic = "counter-1".parse().expect("a topic");
        let one = Amount::new(1).expect("an amount");
        let add = |may_create| live.add(topic.clone(), one, None, may_create);
        let refused = join_all((0..3).map(|_| add(false))).await;
        assert!(refused.iter().all(|answer| matches!(answer, Err(WriteError::WouldBeNew))), "{refused:?}");
        // A caller that may create the topic creates it for all callers at the same time.
        let counted = join_all([false, true, true, false].map(add)).await;
        let counted: Vec<_> = counted.into_iter().map(|answer| answer.expect("counted")).collect();
        assert_eq!(counted.iter().filter(|counted| counted.created).count(), 1);
        let values: Vec<_> = counted.iter().map(|counted| counted.value).collect();
        assert_eq!(values, [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn visitors_at_the_same_time_are_counted_once_each() {
        let (live, _service) = live();
        let page: PageAddress = "www.example.com/a".parse().expect("an address");
        let visit = async |visitor: usize| {
            let key = format!("visitor-{visitor}").parse().expect("a key");
            let key = HitKey { key, lifetime: Duration::from_secs(60), source: KeySource::Client };
            live.hit(&page, Some(key), None).await.expect("an answer")
        };
        // Every third visitor comes twice.
        let first = join_all((0..150).chain((0..150).step_by(3)).map(visit)).await;
        let mut values: Vec<i64> = first.iter().filter(|hit| !hit.replayed).map(|hit| hit.value).collect();
        values.sort_unstable();
        assert_eq!(values, (1..=150).collect::<Vec<_>>());
        assert_eq!(first.iter().map(|hit| hit.created).sum::<usize>(), 2, "the page and its site");
        let again = join_all((0..150).map(visit)).await;
        assert!(again.iter().all(|hit| hit.replayed && hit.value == 150));
        let site = live.read(Topic::site(&page)).await.expect("a reading");
        assert_eq!(site.value(), 150);
    }
}
