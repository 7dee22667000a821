//! One round: claim a batch of topics, purge, publish; then, apart from the round, acknowledge.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::newest::Newest;
use super::outage::Outages;
use super::outlets::Outlets;
use super::stats::Stats;
use crate::domain::{EventId, Topic};
use crate::fastly::PurgeError;
use crate::grip::{Item, PublishError};
use crate::log::with_causes;
use crate::sse;
use crate::store::{Announcement, Claim, ClaimTerms, Store};

/// A fetch under way during the purge can put the old value back into the cache: so everything is purged once more,
/// when such a fetch has ended.
const SECOND_PURGE_AFTER: Duration = Duration::from_secs(2);
/// How long publishing waits for the purge before it. A purge API that is slower must not hold the streams up: who joins
/// with an old copy in between is healed as after a lost purge.
const PURGE_FIRST_FOR: Duration = Duration::from_millis(500);

/// For how long a sweep shuts the next one out: a little less, or an origin's own next sweep would often find it shut.
const SWEEP_PAUSE: Duration = Duration::from_millis(900);
/// How long a topic rests whose claim the store did not answer.
pub(super) const STORE_PAUSE: Duration = Duration::from_millis(500);

/// What every round works with.
pub(super) struct Round {
    store: Arc<dyn Store>,
    pub(super) outlets: Outlets,
    terms: ClaimTerms,
    newest: Newest,
    outages: Outages,
    stats: Arc<Stats>,
}

/// What a round leaves to do: for the pending topics, and apart from them.
pub(super) type RoundEnd = (Vec<TopicOutcome>, Option<Delivery>);

/// What a round found out about a topic.
pub(super) struct TopicOutcome {
    pub(super) topic: Topic,
    /// When its gate opens, if that is known to be shut.
    pub(super) opens: Option<Instant>,
    /// Something is left to announce.
    pub(super) again: bool,
}

/// What has been handed to the outlets and is to be acknowledged.
pub(super) struct Delivery {
    claims: Vec<(Topic, EventId)>,
    /// Resolves to which of the claims not every proxy has accepted.
    published: BoxFuture<'static, Result<(), PublishError>>,
    /// Resolves to whether the first purge was answered well; without a cache it was.
    purged: BoxFuture<'static, bool>,
}

impl Round {
    pub(super) fn new(store: Arc<dyn Store>, outlets: Outlets, terms: ClaimTerms, stats: Arc<Stats>) -> Self {
        Round { store, outlets, terms, newest: Newest::default(), outages: Outages::default(), stats }
    }

    /// Claims what is unpublished of the topics and hands it to the outlets.
    pub(super) async fn claim_and_deliver(self: Arc<Self>, topics: Vec<Topic>) -> RoundEnd {
        let claims = self.store.claim(topics.clone(), self.terms).await;
        // From here the gates run, however long the cache and the proxies take.
        let answered = Instant::now();
        let mut outcomes = Vec::with_capacity(topics.len());
        let mut claimed = Vec::new();
        let count = topics.len() as u32;
        for (position, (topic, claim)) in (0..).zip(topics.into_iter().zip(claims)) {
            let (rest, again) = match claim {
                Ok(Claim::Announce(announcement)) => {
                    claimed.push((topic.clone(), announcement));
                    (Some(self.terms.interval).filter(|interval| !interval.is_zero()), false)
                }
                Ok(Claim::Wait(rest)) => (Some(rest), true),
                Ok(Claim::Nothing) => (None, false),
                Err(error) => {
                    Stats::bump(&self.stats.store_failures, 1);
                    tracing::debug!("the claim of {topic} failed: {error}");
                    // Not all at the same time: where one of them makes the store fail, the others get through without it.
                    (Some(STORE_PAUSE + STORE_PAUSE * position / count), true)
                }
            };
            outcomes.push(TopicOutcome { topic, opens: rest.map(|rest| answered + rest), again });
        }
        let delivery = if claimed.is_empty() { None } else { Some(self.deliver(claimed).await) };
        (outcomes, delivery)
    }

    /// Hands to the outlets what additions have claimed themselves.
    pub(super) async fn deliver_claimed(
        self: Arc<Self>,
        claimed: Vec<(Topic, Vec<Announcement>)>,
    ) -> RoundEnd {
        let flat = claimed
            .into_iter()
            .flat_map(|(topic, values)| values.into_iter().map(move |value| (topic.clone(), value)));
        (Vec::new(), Some(self.deliver(flat.collect()).await))
    }

    /// Purge first, then publish: the other way round, who connects in between gets the old value from the cache and
    /// has missed the message.
    async fn deliver(self: &Arc<Self>, claimed: Vec<(Topic, Announcement)>) -> Delivery {
        Stats::bump(&self.stats.claimed, claimed.len());
        let claims: Vec<_> = claimed.iter().map(|(topic, value)| (topic.clone(), value.id)).collect();
        let purged = self.purge_first(&claims).await;
        let mut items = Vec::new();
        for (topic, Announcement { body, id, prev }) in claimed {
            let content = sse::render(None, topic.stream_id(id), &body.to_string());
            if self.outlets.publisher.is_some() {
                let channel = topic.channel(&self.outlets.prefix);
                let (first, id, prev_id) =
                    (prev == EventId::default(), id.to_string(), Some(prev.to_string()));
                items.push(Item { channel, id, prev_id, content: content.clone(), first });
            }
            if let Some(hub) = &self.outlets.hub {
                hub.publish(&topic, id, content);
            }
        }
        let published: BoxFuture<'static, Result<(), PublishError>> = match &self.outlets.publisher {
            Some(publisher) => Box::pin(publisher.publish(items)),
            None => Box::pin(ready(Ok(()))),
        };
        Delivery { claims, published, purged }
    }

    /// Purges for as long as publishing may wait for it. What it resolves to resolves when the purge has ended.
    async fn purge_first(self: &Arc<Self>, claims: &[(Topic, EventId)]) -> BoxFuture<'static, bool> {
        if self.outlets.purger.is_none() {
            return Box::pin(ready(true));
        }
        let (round, owned) = (Arc::clone(self), claims.to_vec());
        let mut purging: BoxFuture<'static, bool> = Box::pin(async move { round.purge(&owned).await });
        let purged = timeout(PURGE_FIRST_FOR, &mut purging).await;
        self.newest.note(claims);
        match purged {
            Ok(purged) => Box::pin(ready(purged)),
            Err(_) => purging,
        }
    }

    /// Purges the topics' surrogate keys. Returns whether the cache is known to be rid of them.
    async fn purge(&self, claims: &[(Topic, EventId)]) -> bool {
        let Some(purger) = &self.outlets.purger else { return true };
        let mut keys: Vec<&str> = claims.iter().map(|(topic, _)| topic.surrogate_key()).collect();
        keys.sort_unstable();
        keys.dedup();
        match purger.purge(&keys).await {
            Ok(()) => {
                Stats::bump(&self.stats.purged, keys.len());
                self.outages.purging.record_success();
                true
            }
            Err(error) => {
                // The listeners' chain still heals; plain readers stay stale until the announcement is repeated.
                Stats::bump(&self.stats.purge_failures, 1);
                // That it waits is no news behind what made it wait.
                if !matches!(error, PurgeError::Paused { .. }) {
                    self.outages.purging.record_failure_with(&with_causes(&error), error.body());
                }
                false
            }
        }
    }

    /// Waits until the outlets have accepted, purges again, and takes the marks out of the outbox. What fails keeps its
    /// marks: a sweep announces it again when the lease has run out.
    pub(super) async fn acknowledge(&self, delivery: Delivery, mut closed: watch::Receiver<bool>) {
        let Delivery { claims, published, purged } = delivery;
        let (published, mut purged) = tokio::join!(published, purged);
        let error = published.err();
        let refused = error.as_ref().map(PublishError::unaccepted).unwrap_or_default();
        let refusal = error.and_then(|error| error.refusals.into_iter().next());
        let mut given_up = refused.len();
        let (mut claims, lost) = split(claims, &refused);
        self.newest.forget(&lost);
        if !purged {
            self.newest.forget(&claims);
        } else if self.outlets.purger.is_some() {
            let _ = timeout(SECOND_PURGE_AFTER, closed.wait_for(|closed| *closed)).await;
            self.newest.keep_newest(&mut claims);
            purged = claims.is_empty() || self.purge(&claims).await;
        }
        let count = claims.len();
        let acknowledged = purged && self.take_out(claims).await;
        if acknowledged {
            Stats::bump(&self.stats.acknowledged, count);
        } else {
            given_up += count;
        }
        Stats::bump(&self.stats.given_up, given_up);
        self.stats.delivered(given_up == 0);
        match refusal {
            Some((_, endpoint, refusal)) => {
                self.outages.delivering.record_failure(&format!("{endpoint}: {refusal}"))
            }
            None if !purged => self.outages.delivering.record_failure("the cache is not purged"),
            None => self.outages.delivering.record_success(),
        }
    }

    /// Takes acknowledged claims out of the outbox. Returns whether the store did.
    async fn take_out(&self, claims: Vec<(Topic, EventId)>) -> bool {
        let taken = self.store.acknowledge(claims).await;
        if let Err(error) = &taken {
            Stats::bump(&self.stats.store_failures, 1);
            tracing::debug!("an acknowledgement failed: {error}");
        }
        taken.is_ok()
    }

    /// Returns what is overdue in the outbox, so many topics at most; none where the store does not answer.
    pub(super) async fn sweep(&self, most: usize) -> Vec<Topic> {
        let overdue = match self.store.overdue(most, SWEEP_PAUSE).await {
            Ok(topics) => {
                self.outages.store.record_success();
                Stats::bump(&self.stats.swept, topics.len());
                topics
            }
            Err(error) => {
                Stats::bump(&self.stats.store_failures, 1);
                self.outages.store.record_failure(&error.reason());
                Vec::new()
            }
        };
        self.outages.say_what_is_over();
        overdue
    }
}

/// Those that every proxy has accepted, and the others, whose indexes are given in order.
fn split<T>(claims: Vec<T>, refused: &[usize]) -> (Vec<T>, Vec<T>) {
    let (accepted, refused): (Vec<_>, Vec<_>) =
        claims.into_iter().enumerate().partition(|(index, _)| refused.binary_search(index).is_err());
    let without_index = |claims: Vec<(usize, T)>| claims.into_iter().map(|(_, claim)| claim).collect();
    (without_index(accepted), without_index(refused))
}
