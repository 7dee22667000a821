//! The interface of the stores: five small traits, and one of all of them. A method that is called often takes a batch.
//!
//! Batches make a store fast: one round trip to Redis, or one commit to disk, for all items that wait. Each item has its own
//! answer, in the order of the items, since a store may lose a part of itself (a node of a Cluster).

mod body;
mod bounds;
mod change;
mod claim;
mod entity_query;
mod error;
mod feeds;
mod history;
mod hit;
mod hit_key;
mod key_lifetime;
mod random;
pub mod redis;
pub mod sqlite;
mod visits;
mod write;

use std::time::Duration;

use async_trait::async_trait;

pub use body::{Body, Reading};
pub use change::{Change, KeyUse, Merge, Sum};
pub use claim::{Announcement, Claim, ClaimTerms};
pub use entity_query::EntityQuery;
pub use error::StoreError;
pub use feeds::{FeedPage, KeptEvents, Missed};
pub use history::History;
pub use hit::{Hit, HitWritten};
pub use hit_key::{HitKey, KeySource, NEW_KEY_LEN};
pub use key_lifetime::KEY_LIFETIME;
pub use visits::{DailySalt, SALT_LEN, Uniques, Visit};
pub use write::{Once, Replay, Stamp, Write, WriteError, Written};

use crate::domain::{Document, EntityKey, EventId, Past, Topic, Unit};

/// A store: values, the outbox, the events of feeds, and the catalog of the topics. Code that uses one part takes only the trait of that part, such as
/// `Arc<dyn Outbox>`.
///
/// Each item of [`write`](Values::write) and [`claim`](Outbox::claim) is one atomic step for all processes that use the store. Only the
/// clock of the store measures times (gate, lease, grace).
#[async_trait]
pub trait Store: Values + Outbox + Feeds + Catalog + Visitors {
    /// Whether the store answers and takes changes. In a Cluster, whether one node does.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Reads and changes what topics hold.
#[async_trait]
pub trait Values: Send + Sync + 'static {
    /// Changes topics, each in one atomic step: value, revision, and the mark of the topic in the outbox (due [`GRACE`] after
    /// its gate can be open, at most [`LONGEST_LEASE`] ahead). The items are applied in order. After a
    /// [`WriteError::Unavailable`] the item may have been applied or not.
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written, WriteError>>;

    /// Counts hits, each in one atomic step, in their order; where page and site can be on different nodes, each of the two is a step of its
    /// own, which is applied once for the key. After a [`WriteError::Unavailable`] the hit may have been counted or not.
    async fn hit(&self, hits: Vec<Hit>) -> Vec<HitWritten>;

    /// The present state of topics. A topic that has never changed has the default reading.
    async fn read(&self, topics: Vec<Topic>) -> Vec<Result<Reading, StoreError>>;

    /// The present state of a topic, if the store knows it without waiting.
    fn recall(&self, _topic: &Topic) -> Option<Reading> {
        None
    }
}

/// The changes that still have to be announced.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Claims the unpublished changes of topics. One caller wins: see [`Claim`].
    async fn claim(&self, topics: Vec<Topic>, terms: ClaimTerms) -> Vec<Result<Claim, StoreError>>;

    /// Removes the outbox marks of topics whose last claim is the given one; a topic that has changed since keeps its
    /// mark, due after [`GRACE`]. Acknowledging an older claim, or twice, changes nothing. A deleted topic whose deletion is
    /// acknowledged is forgotten after [`TOMBSTONE_LIFETIME`].
    async fn acknowledge(&self, claims: Vec<(Topic, EventId)>) -> Result<(), StoreError>;

    /// Up to `limit` topics whose mark is overdue: no process has announced them within the grace or the lease. In each `pause`,
    /// one caller of all processes is given topics; the others get none.
    async fn overdue(&self, limit: usize, pause: Duration) -> Result<Vec<Topic>, StoreError>;

    /// How many topics have a mark in the outbox.
    async fn outbox_len(&self) -> Result<u64, StoreError>;
}

/// The events of feeds. Listeners get them as far as they are claimed: later ones reach them with the next announcements.
#[async_trait]
pub trait Feeds: Send + Sync + 'static {
    /// All events behind the one that a listener has seen, or why the store cannot tell them. A listener of a feed that has no event has
    /// seen [`EventId::default`].
    async fn after(&self, feed: &Topic, seen: EventId) -> Result<Missed, StoreError>;

    /// The last `limit` events that the store keeps, or the last ones before a revision.
    async fn before(&self, feed: &Topic, revision: Option<u64>, limit: usize)
    -> Result<FeedPage, StoreError>;

    /// The first `limit` events behind a revision that the store has, whether they are claimed or not, and also those that are too old for readers.
    async fn kept(&self, feed: &Topic, revision: u64, limit: usize) -> Result<KeptEvents, StoreError>;
}

/// Which topics there are, and their history.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// How many topics there are. Callers ask at most once a second.
    async fn topic_count(&self) -> Result<u64, StoreError>;

    /// The first `limit` topics whose names begin with `prefix` and come after `after`, in the order of their names (by bytes),
    /// with their states. A topic that is created or deleted during the call may be missing or not; every other topic is there
    /// once. A call costs about as much as a thousand additions, so ordinary requests must not make one.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&Topic>,
        limit: usize,
    ) -> Result<Vec<(Topic, Reading)>, StoreError>;

    /// The entities of a route in a range of keys, in the order of the query, with the fields that the caller needs. If there are fewer than the query
    /// asks for and they take less memory than they may, there are no more. An entity that is created or deleted during the call may be missing
    /// or not.
    async fn entities(&self, query: &EntityQuery) -> Result<Vec<(EntityKey, Document)>, StoreError>;

    /// Keeps the address of a page beside the page's topic, whose name does not tell the address. Keeping it again changes nothing.
    async fn keep_address(&self, page: &Topic, address: &str) -> Result<(), StoreError>;

    /// The addresses of pages, in the order of their topics; `None` for a topic whose address the store does not have.
    async fn addresses(&self, pages: &[Topic]) -> Result<Vec<Option<String>>, StoreError>;

    /// When the lives of entities end, in milliseconds since 1970, in the order of the entities; `None` for an entity that lives on.
    async fn ends(&self, entities: &[Topic]) -> Result<Vec<Option<u64>>, StoreError>;

    /// The `limit` topics (at least 1) with the greatest values among those whose names begin with `prefix`, the greatest value first; of
    /// equal values, the topic comes first whose name does (by bytes). A topic that changes or is created or deleted during the
    /// call may be missing or have its former value. A call reads all values, so callers must keep the answer for a while.
    async fn top(&self, prefix: &str, limit: usize) -> Result<Vec<(Topic, i64)>, StoreError>;

    /// The values of the topic in the last `last` hours or days, and in the latest hour or day before them in which the topic was
    /// announced; the oldest first. An hour or day in which the topic was not announced is left out. Claims write the history, so
    /// the present value may be missing while the gate is shut.
    async fn history(&self, topic: &Topic, unit: Unit, last: u16) -> Result<History, StoreError>;

    /// All that is kept of the past of topics that hold numbers, in the order of the topics.
    async fn pasts(&self, topics: &[Topic]) -> Result<Vec<Past>, StoreError>;

    /// Gives topics the pasts that they had in another store, in the place of their own, as far as this store keeps as much. The hour in which the
    /// topic was announced stays if it is the present one; later claims go on from the past. With `only_new`, a topic that has a past from before
    /// the present hour keeps it. Answers for each topic whether it has the new past. A topic that does not exist gets none.
    async fn restore_pasts(&self, pasts: &[(Topic, Past)], only_new: bool) -> Result<Vec<bool>, StoreError>;
}

/// What is known of visitors, which is as little as counting them needs. A [`Visit`] is part of a [`Write`].
#[async_trait]
pub trait Visitors: Send + Sync + 'static {
    /// The salt of the present day. The first of all callers makes the salt, and all get the same. Callers may keep it for a while, but not
    /// when the day is over.
    async fn daily_salt(&self) -> Result<DailySalt, StoreError>;

    /// How many different visitors the site had. A topic that is no site, or whose visitors were never counted, has had none.
    async fn uniques(&self, site: &Topic) -> Result<Uniques, StoreError>;
}

/// How many entities a store reads in one step.
const ENTITY_STEP: usize = 1000;

/// How long after a change its mark becomes overdue. Within this time the origin that has changed the topic announces it, and
/// sweeps leave it alone.
pub const GRACE: Duration = Duration::from_secs(2);

/// The longest lease. A mark that is due later is from before the clock of the store was set back, so it is overdue.
pub const LONGEST_LEASE: Duration = Duration::from_secs(60);

/// How long the store still knows the last event id of a deleted topic, from the acknowledgement of the deletion on. A topic that
/// is created again within this time goes on with the next revision; after this time, with a new epoch. This time must be longer
/// than an item can be on its way to a proxy: otherwise a late item from before the deletion would follow on the empty id that a
/// topic without any history has, and listeners would see a deleted number again.
pub const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(60);

/// The result of removing old topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many topics were looked at.
    pub seen: u64,
    /// How many of these topics were old. They are removed if the caller has asked for that.
    pub old: u64,
}
