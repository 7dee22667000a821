//! The announcer: what has changed is claimed, purged from the cache, published, acknowledged.
//!
//! At once for a quiet topic; for a busy one at most once per interval over all origins, since the store's gate decides
//! who may; always ending with the last value. Whoever dies in between leaves a mark in the store's outbox, which any
//! origin's sweep takes up: so an acknowledged increment is always announced. Memory is bounded by the number of
//! topics that have changed.
//!
//! Knows the store, the purger, the publisher and the hub; nothing of HTTP.

mod newest;
mod outage;
mod pending_topics;
mod ready;
mod round;
mod stats;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{self, JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::domain::Topic;
use crate::fastly::Purger;
use crate::grip::Publisher;
use crate::hub::Hub;
use crate::store::{Announcement, ClaimTerms, Store};
use newest::Newest;
use outage::Outages;
use pending_topics::{Class, PendingTopics};
use round::{Round, RoundEnd, TopicOutcome};
pub use stats::Stats;

/// How many topics go through one round: while Redis looks at them it does nothing else, and POSTs wait.
const ROUND_SIZE: usize = 64;
/// ... and where a cache is purged, which costs a request to an API far away: a Fastly purge takes up to 256 keys.
const ROUND_SIZE_WITH_PURGE: usize = 256;
/// How many rounds may be on their way to the store or the cache at once.
const ROUNDS_AT_ONCE: usize = 4;
/// Each announcement towards a proxy puts the next round off by this: 2,560 a second at most for each origin. With more
/// busy topics each is announced less often: announcing them would take the machine from the POSTs (some 60 us of CPU
/// time each, in all processes), and a Pushpin core carries no more than 20,000 deliveries a second in any case.
const PACE: Duration = Duration::from_nanos(1_000_000_000 / 2560);
/// How long a claim may stay unacknowledged before any sweep takes it up again: longer than a healthy delivery with
/// its second purge takes, and the bound for what a killed origin had claimed.
const LEASE: Duration = Duration::from_secs(6);
/// How often a sweep looks for overdue marks, over all origins.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// For how long a sweep shuts the next one out: a little less, or an origin's own next sweep would often find it shut.
const SWEEP_PAUSE: Duration = Duration::from_millis(900);
/// The most overdue topics one sweep takes up.
const SWEEP_SIZE: usize = 4096;
/// ... towards a proxy, with what is ready already but for new topics: half of what [`PACE`] lets through, so that changes
/// which are announced again and again, because another proxy or the cache is away, do not stand in the way of others.
const SWEEP_SIZE_PACED: usize = 1280;
/// ... and at least: what a dead origin has left must get out, however much there is to announce.
const SWEEP_SIZE_LEAST: usize = 64;
/// How long a topic rests whose claim the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Where announcements go. Absent parts are switched off.
pub struct Outlets {
    /// Listeners in this process.
    pub hub: Option<Arc<Hub>>,
    /// The GRIP proxies.
    pub publisher: Option<Arc<Publisher>>,
    /// Behind which prefix the channels stand.
    pub prefix: String,
    /// The CDN's cache.
    pub purger: Option<Purger>,
}

/// The handle by which the rest of the program speaks to the announcer. Cheap to clone.
#[derive(Clone)]
pub struct Announcer(Arc<Shared>);

struct Shared {
    interval: Duration,
    pending_topics: Mutex<PendingTopics>,
    wake: Notify,
    stats: Stats,
}

/// The running announcer. Dropping it ends it where it stands; what it had claimed is taken up by a later sweep.
pub struct Running {
    announcer: Announcer,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Starts announcing on the current runtime: at most one announcement per topic and `interval`; a zero interval
    /// announces every value.
    pub fn start(store: Arc<dyn Store>, outlets: Outlets, interval: Duration) -> Running {
        let shared = Shared {
            interval,
            pending_topics: Mutex::default(),
            wake: Notify::new(),
            stats: Stats::default(),
        };
        let announcer = Announcer(Arc::new(shared));
        let (closing, closed) = watch::channel(false);
        let task = AnnouncerTask {
            announcer: announcer.clone(),
            round: Arc::new(Round {
                store,
                outlets,
                terms: ClaimTerms { interval, lease: LEASE },
                newest: Newest::default(),
                outages: Outages::default(),
            }),
            rounds: JoinSet::new(),
            under_way: HashMap::new(),
            claimed_under_way: None,
            deliveries: JoinSet::new(),
            not_before: Instant::now(),
            closed,
        };
        Running { announcer, closing, task: tokio::spawn(task.run()) }
    }

    /// Says that topics have changed in the store. Returns at once; a topic that is on its way already costs no more
    /// than a look-up.
    pub fn changed(&self, topics: Vec<Topic>) {
        self.note(topics, Class::Known);
    }

    /// The same for topics that were created by a change: those that there were before go first.
    pub fn created(&self, topics: Vec<Topic>) {
        self.note(topics, Class::New);
    }

    fn note(&self, topics: Vec<Topic>, class: Class) {
        if topics.is_empty() {
            return;
        }
        let mut pending_topics = self.pending_topics();
        let mut wake = false;
        for topic in topics {
            wake |= pending_topics.changed(topic, class);
        }
        drop(pending_topics);
        if wake {
            self.0.wake.notify_one();
        }
    }

    /// The same for topics that a sweep has found: those that are on their way already are left alone.
    fn swept(&self, topics: Vec<Topic>) {
        let unknown = {
            let pending_topics = self.pending_topics();
            topics.into_iter().filter(|topic| !pending_topics.knows(topic)).collect()
        };
        self.note(unknown, Class::Left);
    }

    /// Announces what an addition has claimed already (see [`Announcer::claim_at_once`]), in this order.
    pub fn announce(&self, topic: Topic, announcements: Vec<Announcement>) {
        self.pending_topics().claimed.push((topic, announcements));
        self.0.wake.notify_one();
    }

    /// The lease with which additions must claim in the same step, where every value is to be announced.
    pub fn claim_at_once(&self) -> Option<Duration> {
        self.0.interval.is_zero().then_some(LEASE)
    }

    /// What has been done so far.
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// How many topics are on their way, or wait for their gate.
    pub fn pending(&self) -> usize {
        self.pending_topics().len()
    }

    fn pending_topics(&self) -> MutexGuard<'_, PendingTopics> {
        self.0.pending_topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// The handle.
    pub fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// Announces what is pending, then ends. Returns whether everything was done within `patience`; what was not is
    /// taken up by other origins, or after the next start.
    pub async fn drain(mut self, patience: Duration) -> bool {
        self.closing.send_replace(true);
        let ended = tokio::time::timeout(patience, &mut self.task).await.is_ok_and(|ended| ended.is_ok());
        ended && self.announcer.stats().failing_for().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The announcer's task.
struct AnnouncerTask {
    announcer: Announcer,
    round: Arc<Round>,
    rounds: JoinSet<RoundEnd>,
    /// The topics of each round that claims.
    under_way: HashMap<task::Id, Vec<Topic>>,
    /// The round that delivers what additions have claimed: one at a time, as its values must arrive in their order.
    claimed_under_way: Option<task::Id>,
    deliveries: JoinSet<()>,
    /// When the next round may start.
    not_before: Instant,
    closed: watch::Receiver<bool>,
}

impl AnnouncerTask {
    async fn run(mut self) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next_gate = self.start_rounds();
            let closing = *self.closed.borrow();
            if closing && self.is_done() {
                return;
            }
            let gate = tokio::time::sleep_until(next_gate.unwrap_or_else(Instant::now));
            tokio::select! {
                () = self.announcer.0.wake.notified() => {}
                () = gate, if next_gate.is_some() => {}
                Some(ended) = self.rounds.join_next_with_id() => self.finish_round(ended),
                Some(_) = self.deliveries.join_next() => {}
                _ = self.closed.changed(), if !closing => {}
                _ = sweep.tick(), if !closing => self.sweep(),
            }
        }
    }

    /// Starts as many rounds as there are places and topics. Returns when to look again.
    fn start_rounds(&mut self) -> Option<Instant> {
        let mut pending_topics = self.announcer.pending_topics();
        let now = Instant::now();
        let next_gate = pending_topics.open_gates(now);
        let round_size = if self.round.outlets.purger.is_some() { ROUND_SIZE_WITH_PURGE } else { ROUND_SIZE };
        let paced = self.round.outlets.publisher.is_some() && !*self.closed.borrow();
        while self.rounds.len() < ROUNDS_AT_ONCE {
            let (round, announcer) = (Arc::clone(&self.round), self.announcer.clone());
            if self.claimed_under_way.is_none() && !pending_topics.claimed.is_empty() {
                let claimed = std::mem::take(&mut pending_topics.claimed);
                let task = self.rounds.spawn(async move { round.deliver_claimed(announcer, claimed).await });
                self.claimed_under_way = Some(task.id());
            } else if paced && self.not_before > now {
                return Some(next_gate.map_or(self.not_before, |gate| gate.min(self.not_before)));
            } else if let Some(topics) = pending_topics.take(round_size) {
                self.not_before = now + PACE * topics.len() as u32;
                let claims = topics.clone();
                let task = self.rounds.spawn(async move { round.claim_and_deliver(announcer, claims).await });
                self.under_way.insert(task.id(), topics);
            } else {
                break;
            }
        }
        next_gate
    }

    fn finish_round(&mut self, ended: Result<(task::Id, RoundEnd), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let topics = self.under_way.remove(&id).unwrap_or_default();
        if self.claimed_under_way == Some(id) {
            self.claimed_under_way = None;
        }
        let (outcomes, delivery) = match ended {
            Ok((_, end)) => end,
            Err(error) => {
                // A mistake of ours. The topics must not stay under way for ever.
                tracing::error!("a round of announcements has failed: {error}");
                let opens = Some(Instant::now() + STORE_PAUSE);
                let again = |topic| TopicOutcome { topic, opens, again: true };
                (topics.into_iter().map(again).collect(), None)
            }
        };
        {
            let mut pending_topics = self.announcer.pending_topics();
            for TopicOutcome { topic, opens, again } in outcomes {
                pending_topics.rest(topic, opens, again);
            }
        }
        if let Some(delivery) = delivery {
            let (round, announcer) = (Arc::clone(&self.round), self.announcer.clone());
            let closed = self.closed.clone();
            self.deliveries.spawn(async move { round.acknowledge(announcer, delivery, closed).await });
        }
    }

    /// Takes up what others have left behind.
    fn sweep(&mut self) {
        let (round, announcer) = (Arc::clone(&self.round), self.announcer.clone());
        let most = match self.round.outlets.publisher {
            Some(_) => SWEEP_SIZE_PACED
                .saturating_sub(announcer.pending_topics().ready_before_new())
                .max(SWEEP_SIZE_LEAST),
            None => SWEEP_SIZE,
        };
        self.deliveries.spawn(async move { round.sweep(announcer, most).await });
    }

    fn is_done(&self) -> bool {
        self.rounds.is_empty() && self.deliveries.is_empty() && self.announcer.pending_topics().is_quiet()
    }
}
