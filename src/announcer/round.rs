//! One round: claims a batch of topics, purges and publishes. The acknowledgement follows apart from the round.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::handle::Announcer;
use super::newest::Newest;
use super::outage::Outages;
use super::outlets::Outlets;
use super::stats::Stats;
use super::stream_checks::StreamChecks;
use crate::domain::{EventId, Kind, Topic};
use crate::fastly::PurgeError;
use crate::grip::PublishError;
use crate::log::with_causes;
use crate::store::{Announcement, Claim, ClaimTerms, Outbox};

/// A fetch that is under way during the purge can put the old value back into the cache. Therefore every key is purged again
/// after this time, when such a fetch has ended.
const SECOND_PURGE_AFTER: Duration = Duration::from_secs(2);
/// How long publishing waits for the purge before it: a slow purge API must not delay the streams. If a listener joins with an
/// old copy in between, it is brought up to date as after a lost purge.
const PURGE_FIRST_FOR: Duration = Duration::from_millis(500);

/// A topic changes often if it has changed so often since the claim before. With less than that, a topic would rarely change again within
/// [`ACKNOWLEDGE_AFTER`].
const OFTEN: u64 = 2;
/// How long the acknowledgement of a topic that changes often waits for the next change, where it does not wait for a second purge: then the next claim of
/// the topic replaces it, so that neither it nor another mark is needed. This is less than the lease. If the proxies were slow, the lease may be over by
/// then, and the claim is repeated with the same id.
const ACKNOWLEDGE_AFTER: Duration = Duration::from_secs(2);

/// For how long a sweep prevents the next one. It is a little less than the time between two sweeps of one origin, as the
/// origin's next sweep would otherwise often be prevented.
const SWEEP_PAUSE: Duration = Duration::from_millis(900);
/// How long a topic rests if the store did not answer its claim.
pub(super) const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The parts that all rounds share.
pub(super) struct Round {
    store: Arc<dyn Outbox>,
    pub(super) outlets: Outlets,
    terms: ClaimTerms,
    newest: Newest,
    outages: Outages,
    checks: StreamChecks,
    stats: Arc<Stats>,
}

/// What remains to be done after a round: the outcomes for the pending topics, and the delivery to acknowledge.
pub(super) type RoundEnd = (Vec<TopicOutcome>, Option<Delivery>);

/// The outcome of a round for one topic.
pub(super) struct TopicOutcome {
    pub(super) topic: Topic,
    /// When the topic's gate opens, if the gate is known to be shut.
    pub(super) opens: Option<Instant>,
    /// Whether the topic must be announced again.
    pub(super) again: bool,
}

/// Claims that have been handed to the outlets and must be acknowledged.
pub(super) struct Delivery {
    claims: Vec<(Topic, EventId)>,
    /// Those of the claims whose topics change often.
    often: HashSet<EventId>,
    /// Resolves when every proxy has accepted the claims; the error names the claims that a proxy has not accepted.
    published: BoxFuture<'static, Result<(), PublishError>>,
    /// Resolves to whether the first purge has succeeded; without a cache, to `true`.
    purged: BoxFuture<'static, bool>,
}

impl Round {
    pub(super) fn new(
        store: Arc<dyn Outbox>,
        outlets: Outlets,
        terms: ClaimTerms,
        stats: Arc<Stats>,
    ) -> Self {
        let (newest, outages, checks) = Default::default();
        Round { store, outlets, terms, newest, outages, checks, stats }
    }

    /// Claims the unpublished changes of the topics and hands them to the outlets.
    pub(super) async fn claim_and_deliver(self: Arc<Self>, topics: Vec<Topic>) -> RoundEnd {
        let claims = self.store.claim(topics.clone(), self.terms).await;
        // The gates are shut from this time on, however long the cache and the proxies take.
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
                    // The topics rest for different times: if one of them makes the store fail, the others can be claimed without it.
                    (Some(STORE_PAUSE + STORE_PAUSE * position / count), true)
                }
            };
            outcomes.push(TopicOutcome { topic, opens: rest.map(|rest| answered + rest), again });
        }
        let delivery = if claimed.is_empty() { None } else { Some(self.deliver(claimed).await) };
        (outcomes, delivery)
    }

    /// Hands the claims of additions to the outlets.
    pub(super) async fn deliver_claimed(
        self: Arc<Self>,
        claimed: Vec<(Topic, Vec<Announcement>)>,
    ) -> RoundEnd {
        let flat = claimed
            .into_iter()
            .flat_map(|(topic, values)| values.into_iter().map(move |value| (topic.clone(), value)));
        (Vec::new(), Some(self.deliver(flat.collect()).await))
    }

    /// Purges first, then publishes: otherwise a listener that connects in between would get the old value from the cache and miss
    /// the message.
    async fn deliver(self: &Arc<Self>, claimed: Vec<(Topic, Announcement)>) -> Delivery {
        Stats::bump(&self.stats.claimed, claimed.len());
        let claims: Vec<_> = claimed.iter().map(|(topic, value)| (topic.clone(), value.id)).collect();
        let often = claimed.iter().map(|(_, value)| value);
        let often = often.filter(|value| changes_often(value, self.terms.interval));
        let often: HashSet<_> = often.map(|value| value.id).collect();
        let purged = self.purge_first(&claims).await;
        let wait = |(_, id): &&(Topic, EventId)| self.outlets.purger.is_some() || often.contains(id);
        self.newest.note(claims.iter().filter(wait));
        let (mut items, mut below) = (Vec::new(), Vec::new());
        for (topic, announcement) in &claimed {
            let mut item = if topic.kind() == Some(Kind::Feed) {
                let (item, others) = self.outlets.deliver_events(topic, announcement);
                below.extend(others);
                item
            } else {
                self.outlets.deliver_state(topic, announcement)
            };
            if let Some(item) = &mut item {
                self.checks.mark(topic, item);
            }
            items.extend(item);
        }
        // The items of claims come first, in the order of the claims, so that refusals tell by their index which claims were refused.
        items.append(&mut below);
        let published: BoxFuture<'static, Result<(), PublishError>> = match &self.outlets.publisher {
            Some(publisher) => Box::pin(publisher.publish(items)),
            None => Box::pin(ready(Ok(()))),
        };
        Delivery { claims, often, published, purged }
    }

    /// Starts the purge and waits for it as long as publishing may wait. The returned future resolves when the purge has ended.
    async fn purge_first(self: &Arc<Self>, claims: &[(Topic, EventId)]) -> BoxFuture<'static, bool> {
        if self.outlets.purger.is_none() {
            return Box::pin(ready(true));
        }
        let (round, owned) = (Arc::clone(self), claims.to_vec());
        let mut purging: BoxFuture<'static, bool> = Box::pin(async move { round.purge(&owned).await });
        match timeout(PURGE_FIRST_FOR, &mut purging).await {
            Ok(purged) => Box::pin(ready(purged)),
            Err(_) => purging,
        }
    }

    /// Purges the topics' surrogate keys. Returns whether the purge API has confirmed all of them.
    async fn purge(&self, claims: &[(Topic, EventId)]) -> bool {
        let Some(purger) = &self.outlets.purger else { return true };
        // No cache keeps what is private.
        let public = claims.iter().filter(|(topic, _)| topic.kind().is_none_or(Kind::is_public));
        let mut keys: Vec<&str> = public.map(|(topic, _)| topic.surrogate_key()).collect();
        if keys.is_empty() {
            return true;
        }
        keys.sort_unstable();
        keys.dedup();
        match purger.purge(&keys).await {
            Ok(()) => {
                Stats::bump(&self.stats.purged, keys.len());
                self.outages.purging.record_success();
                true
            }
            Err(error) => {
                // Listeners are still brought up to date; plain readers get the old value until the announcement is repeated.
                Stats::bump(&self.stats.purge_failures, 1);
                // The pause needs no log line, as the refusal before it had one.
                if !matches!(error, PurgeError::Paused { .. }) {
                    self.outages.purging.record_failure_with(&with_causes(&error), error.body());
                }
                false
            }
        }
    }

    /// Waits until the outlets have accepted the claims, purges again, and takes the marks out of the outbox. A failed claim keeps
    /// its mark: a sweep announces the topic again when the lease is over.
    pub(super) async fn acknowledge(
        &self,
        delivery: Delivery,
        announcer: &Announcer,
        mut closed: watch::Receiver<bool>,
    ) {
        let Delivery { claims, often, published, purged } = delivery;
        let (published, mut purged) = tokio::join!(published, purged);
        let error = published.err();
        let mut refused = error.as_ref().map(PublishError::unaccepted).unwrap_or_default();
        // Behind the items of the claims are those for listeners of several feeds, who get no event for the second time on purpose.
        refused.retain(|index| *index < claims.len());
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
        let (often, claims): (Vec<_>, Vec<_>) = claims.into_iter().partition(|(_, id)| often.contains(id));
        let acknowledged = purged && (claims.is_empty() || self.take_out(claims).await);
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
        if purged {
            self.take_out_later(often, announcer, closed).await;
        }
    }

    /// Takes the marks of delivered claims out of the outbox, except for topics that have changed again meanwhile.
    async fn take_out_later(
        &self,
        mut claims: Vec<(Topic, EventId)>,
        announcer: &Announcer,
        mut closed: watch::Receiver<bool>,
    ) {
        if claims.is_empty() {
            return;
        }
        if self.outlets.purger.is_none() {
            let _ = timeout(ACKNOWLEDGE_AFTER, closed.wait_for(|closed| *closed)).await;
            self.newest.keep_newest(&mut claims);
        }
        {
            let pending_topics = announcer.pending_topics();
            claims.retain(|(topic, _)| !pending_topics.will_take(topic));
        }
        if !claims.is_empty() {
            self.take_out(claims).await;
        }
    }

    /// Takes the marks of delivered claims out of the outbox. Returns whether the store has answered.
    async fn take_out(&self, claims: Vec<(Topic, EventId)>) -> bool {
        let taken = self.store.acknowledge(claims).await;
        if let Err(error) = &taken {
            Stats::bump(&self.stats.store_failures, 1);
            tracing::debug!("an acknowledgement failed: {error}");
        }
        taken.is_ok()
    }

    /// Returns at most so many topics that are overdue in the outbox; none if the store does not answer.
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
        self.outages.log_the_end();
        overdue
    }
}

/// Whether a topic has changed so often since the claim before that it will most likely change again soon.
fn changes_often(announcement: &Announcement, interval: Duration) -> bool {
    // A change may be noted again although the claim had it. The next claim, which finds nothing then, must be over before the acknowledgement,
    // or that would be left out, and the mark would stay until its lease is over.
    let is_claimed_soon = 2 * interval <= ACKNOWLEDGE_AFTER;
    let Announcement { id, prev, .. } = announcement;
    let is_first = *prev == EventId::default();
    is_claimed_soon
        && (is_first || id.epoch == prev.epoch)
        && id.revision.saturating_sub(prev.revision) >= OFTEN
}

/// Splits the claims into those that every proxy has accepted and the others, whose indexes are given in order.
fn split<T>(claims: Vec<T>, refused: &[usize]) -> (Vec<T>, Vec<T>) {
    let (accepted, refused): (Vec<_>, Vec<_>) =
        claims.into_iter().enumerate().partition(|(index, _)| refused.binary_search(index).is_err());
    let without_index = |claims: Vec<(usize, T)>| claims.into_iter().map(|(_, claim)| claim).collect();
    (without_index(accepted), without_index(refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;
    use crate::store::Body;

    #[test]
    fn two_changes_to_a_claim_are_often_unless_the_interval_is_long() {
        let id = |epoch, revision| EventId { epoch: Epoch::new(epoch), revision };
        let often = |id, prev, ms| {
            let announcement = Announcement { body: Body::Number(5), id, prev };
            changes_often(&announcement, Duration::from_millis(ms))
        };
        assert!(often(id(9, 5), id(9, 3), 250) && often(id(9, 5), id(9, 3), 1_000));
        assert!(often(id(9, 2), EventId::default(), 250), "the first claim");
        assert!(!often(id(9, 5), id(9, 4), 250), "one change");
        assert!(!often(id(9, 5), id(8, 3), 250), "another epoch: who knows how many changes");
        assert!(!often(id(9, 5), id(9, 3), 1_001), "the next claim comes too late");
    }
}
