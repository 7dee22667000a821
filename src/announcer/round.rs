//! One round: claim a batch of topics, purge, publish; then, apart from the round, acknowledge.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{Announcer, Outlets, STORE_PAUSE, SWEEP_EVERY, SWEEP_SIZE, Stats};
use crate::domain::{EventId, Topic};
use crate::grip::Item;
use crate::sse;
use crate::store::{Announcement, Claim, Store, Terms};

/// A fetch under way during the purge can put the old value back into the cache: so everything is purged once more,
/// when such a fetch has ended.
const SECOND_PURGE_AFTER: Duration = Duration::from_secs(2);

/// What every round works with.
pub(super) struct Round {
    pub(super) store: Arc<dyn Store>,
    pub(super) outlets: Outlets,
    pub(super) terms: Terms,
    pub(super) newest: Newest,
}

/// The newest claim of each topic whose second purge is still due. A newer claim purges anyway, twice, so the older
/// one's second purge and acknowledgement are left out. Used only where there is a purger.
#[derive(Default)]
pub(super) struct Newest(Mutex<HashMap<Topic, EventId>>);

/// What a round leaves to do: for the board, and apart from it.
pub(super) type RoundEnd = (Vec<Step>, Option<Delivery>);

/// What a round found out about a topic.
pub(super) struct Step {
    pub(super) topic: Topic,
    /// How long its gate is shut.
    pub(super) rest: Option<Duration>,
    /// Something is left to announce.
    pub(super) again: bool,
}

/// What has been handed to the outlets and is to be acknowledged.
pub(super) struct Delivery {
    claims: Vec<(Topic, EventId)>,
    /// Resolves to the indexes of the claims that not every proxy has accepted.
    refused: BoxFuture<'static, Vec<usize>>,
    /// The first purge was answered well, or there is no cache.
    purged: bool,
}

impl Round {
    /// Claims what is unpublished of the topics and hands it to the outlets.
    pub(super) async fn claim_and_deliver(&self, announcer: Announcer, topics: Vec<Topic>) -> RoundEnd {
        let stats = announcer.stats();
        let claims = self.store.claim(topics.clone(), self.terms).await;
        let mut steps = Vec::with_capacity(topics.len());
        let mut claimed = Vec::new();
        for (topic, claim) in topics.into_iter().zip(claims) {
            let (rest, again) = match claim {
                Ok(Claim::Announce(announcement)) => {
                    claimed.push((topic.clone(), announcement));
                    (Some(self.terms.interval).filter(|interval| !interval.is_zero()), false)
                }
                Ok(Claim::Wait(rest)) => (Some(rest), true),
                Ok(Claim::Nothing) => (None, false),
                Err(error) => {
                    Stats::add(&stats.store_failures, 1);
                    tracing::debug!(%topic, %error, "claim failed");
                    (Some(STORE_PAUSE), true)
                }
            };
            steps.push(Step { topic, rest, again });
        }
        let delivery = if claimed.is_empty() { None } else { Some(self.deliver(stats, claimed).await) };
        (steps, delivery)
    }

    /// Hands to the outlets what additions have claimed themselves.
    pub(super) async fn deliver_claimed(
        &self,
        announcer: Announcer,
        claimed: Vec<(Topic, Vec<Announcement>)>,
    ) -> RoundEnd {
        let flat = claimed
            .into_iter()
            .flat_map(|(topic, values)| values.into_iter().map(move |value| (topic.clone(), value)));
        (Vec::new(), Some(self.deliver(announcer.stats(), flat.collect()).await))
    }

    /// Purge first, then publish: the other way round, who connects in between gets the old value from the cache and
    /// has missed the message.
    async fn deliver(&self, stats: &Stats, claimed: Vec<(Topic, Announcement)>) -> Delivery {
        Stats::add(&stats.claimed, claimed.len());
        let claims: Vec<_> = claimed.iter().map(|(topic, value)| (topic.clone(), value.id)).collect();
        let purged = self.purge(stats, &claims).await;
        if self.outlets.purger.is_some() {
            self.newest.note(&claims);
        }
        let mut items = Vec::new();
        for (topic, Announcement { value, id, prev }) in claimed {
            let content = sse::message(id, &value.to_string());
            if self.outlets.publisher.is_some() {
                let channel = topic.channel(&self.outlets.prefix);
                let (id, prev_id) = (id.to_string(), Some(prev.to_string()));
                items.push(Item { channel, id, prev_id, content: content.clone() });
            }
            if let Some(hub) = &self.outlets.hub {
                hub.publish(&topic, id, content);
            }
        }
        let refused: BoxFuture<'static, Vec<usize>> = match &self.outlets.publisher {
            Some(publisher) => {
                let accepted = publisher.publish(items);
                Box::pin(
                    async move { accepted.await.err().map(|error| error.unaccepted()).unwrap_or_default() },
                )
            }
            None => Box::pin(std::future::ready(Vec::new())),
        };
        Delivery { claims, refused, purged }
    }

    /// Purges the topics' surrogate keys. Returns whether the cache is known to be rid of them.
    async fn purge(&self, stats: &Stats, claims: &[(Topic, EventId)]) -> bool {
        let Some(purger) = &self.outlets.purger else { return true };
        let mut keys: Vec<&str> = claims.iter().map(|(topic, _)| topic.surrogate_key()).collect();
        keys.sort_unstable();
        keys.dedup();
        match purger.purge(&keys).await {
            Ok(()) => {
                Stats::add(&stats.purged, keys.len());
                true
            }
            Err(error) => {
                // The listeners' chain still heals; plain readers stay stale until the announcement is repeated.
                Stats::add(&stats.purge_failures, 1);
                tracing::debug!(%error, keys = keys.len(), "purge failed");
                false
            }
        }
    }

    /// Waits until the outlets have accepted, purges again, and takes the marks out of the outbox. What fails keeps its
    /// marks: a sweep announces it again when the lease has run out.
    pub(super) async fn acknowledge(
        &self,
        announcer: Announcer,
        delivery: Delivery,
        mut closed: watch::Receiver<bool>,
    ) {
        let stats = announcer.stats();
        let Delivery { mut claims, refused, purged } = delivery;
        let refused = refused.await;
        let mut given_up = refused.len();
        let mut index = 0..;
        claims.retain(|_| index.next().is_some_and(|index| refused.binary_search(&index).is_err()));
        let mut purged = purged;
        if purged && self.outlets.purger.is_some() {
            let _ = tokio::time::timeout(SECOND_PURGE_AFTER, closed.wait_for(|closed| *closed)).await;
            self.newest.keep_newest(&mut claims);
            purged = claims.is_empty() || self.purge(stats, &claims).await;
        }
        let count = claims.len();
        let acknowledged = purged && self.take_out(stats, claims).await;
        if acknowledged {
            Stats::add(&stats.acknowledged, count);
        } else {
            given_up += count;
        }
        Stats::add(&stats.given_up, given_up);
        let well = given_up == 0;
        match (stats.delivered(well), well) {
            (true, true) => tracing::info!("announcements get through again"),
            (true, false) => tracing::warn!(
                refused = refused.len(),
                purged,
                "announcements do not get through to every proxy or the cache; they stay in the outbox"
            ),
            _ => {}
        }
    }

    /// Takes acknowledged claims out of the outbox. Returns whether the store did.
    async fn take_out(&self, stats: &Stats, claims: Vec<(Topic, EventId)>) -> bool {
        let taken = self.store.acknowledge(claims).await;
        if let Err(error) = &taken {
            Stats::add(&stats.store_failures, 1);
            tracing::debug!(%error, "acknowledgement failed");
        }
        taken.is_ok()
    }

    /// Puts what is overdue in the outbox on the board.
    pub(super) async fn sweep(&self, announcer: Announcer) {
        match self.store.overdue(SWEEP_SIZE, SWEEP_EVERY).await {
            Ok(topics) => {
                Stats::add(&announcer.stats().swept, topics.len());
                announcer.changed(topics);
            }
            Err(error) => {
                Stats::add(&announcer.stats().store_failures, 1);
                tracing::debug!(%error, "sweep failed");
            }
        }
    }
}

impl Newest {
    fn note(&self, claims: &[(Topic, EventId)]) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.extend(claims.iter().cloned());
    }

    /// Leaves only the claims that are still the newest of their topics, and forgets those.
    fn keep_newest(&self, claims: &mut Vec<(Topic, EventId)>) {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.retain(|(topic, id)| {
            let keep = newest.get(topic) == Some(id);
            if keep {
                newest.remove(topic);
            }
            keep
        });
    }
}
