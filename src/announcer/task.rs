//! The announcer's task: starts rounds and sweeps, and keeps track of running rounds and deliveries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::Instant;

use super::handle::Announcer;
use super::round::{Round, RoundEnd, STORE_PAUSE, TopicOutcome};
use crate::domain::Topic;

/// The most topics of one round. While Redis claims them, it serves no other command, and POSTs wait.
const ROUND_SIZE: usize = 64;
/// The same where a cache is purged by a request to a remote API: a request to Fastly names up to 256 keys.
const ROUND_SIZE_WITH_PURGE: usize = 256;
/// How many rounds may wait for the store or the cache at the same time.
const ROUNDS_AT_ONCE: usize = 4;
/// Each announcement to a proxy delays the next round by this time, so that each origin makes at most 2,560 a second. If more
/// topics change, each is announced less often: an announcement takes some 60 us of CPU time in all processes, which POSTs need,
/// and a core with Pushpin delivers at most 20,000 items a second anyway.
const PACE: Duration = Duration::from_nanos(1_000_000_000 / 2560);
/// How often all origins together look for overdue marks.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The most overdue topics that one sweep takes.
const SWEEP_SIZE: usize = 4096;
/// The same with a proxy, less the topics that are ready and not new. It is half of the announcements that [`PACE`] allows in a
/// second, so that topics which are announced again and again, because a proxy or the cache is away, do not delay others.
const SWEEP_SIZE_PACED: usize = 1280;
/// The least that a sweep takes: topics that a dead origin has left must be announced, however many others are ready.
const SWEEP_SIZE_LEAST: usize = 64;

/// The announcer's task.
pub(super) struct AnnouncerTask {
    announcer: Announcer,
    round: Arc<Round>,
    rounds: JoinSet<RoundEnd>,
    /// The topics of each running round that claims.
    under_way: HashMap<task::Id, Vec<Topic>>,
    /// The running round that delivers the claims of additions. Only one runs at a time, as the values must arrive in order.
    claimed_under_way: Option<task::Id>,
    deliveries: JoinSet<()>,
    /// When the next round may start.
    not_before: Instant,
    closed: watch::Receiver<bool>,
}

impl AnnouncerTask {
    /// A task that announces the topics that the handle gives it, until it is told to close.
    pub(super) fn new(announcer: Announcer, round: Round, closed: watch::Receiver<bool>) -> Self {
        AnnouncerTask {
            announcer,
            round: Arc::new(round),
            rounds: JoinSet::new(),
            under_way: HashMap::new(),
            claimed_under_way: None,
            deliveries: JoinSet::new(),
            not_before: Instant::now(),
            closed,
        }
    }

    pub(super) async fn run(mut self) {
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
                () = self.announcer.woken() => {}
                () = gate, if next_gate.is_some() => {}
                Some(ended) = self.rounds.join_next_with_id() => self.finish_round(ended),
                Some(_) = self.deliveries.join_next() => {}
                _ = self.closed.changed(), if !closing => {}
                _ = sweep.tick(), if !closing => self.sweep(),
            }
        }
    }

    /// Starts as many rounds as may run and as there are topics for. Returns when the next round may start.
    fn start_rounds(&mut self) -> Option<Instant> {
        let mut pending_topics = self.announcer.pending_topics();
        let now = Instant::now();
        let next_gate = pending_topics.open_gates(now);
        let round_size = if self.round.outlets.purger.is_some() { ROUND_SIZE_WITH_PURGE } else { ROUND_SIZE };
        let paced = self.round.outlets.publisher.is_some() && !*self.closed.borrow();
        while self.rounds.len() < ROUNDS_AT_ONCE {
            let round = Arc::clone(&self.round);
            if self.claimed_under_way.is_none() && !pending_topics.claimed.is_empty() {
                let claimed = std::mem::take(&mut pending_topics.claimed);
                let task = self.rounds.spawn(async move { round.deliver_claimed(claimed).await });
                self.claimed_under_way = Some(task.id());
            } else if paced && self.not_before > now {
                return Some(next_gate.map_or(self.not_before, |gate| gate.min(self.not_before)));
            } else if let Some(topics) = pending_topics.take(round_size) {
                self.not_before = now + PACE * topics.len() as u32;
                let claims = topics.clone();
                let task = self.rounds.spawn(async move { round.claim_and_deliver(claims).await });
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
                // The round has panicked, which is a fault of this program. Its topics must not stay in this round for ever.
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
            let (round, announcer, closed) =
                (Arc::clone(&self.round), self.announcer.clone(), self.closed.clone());
            self.deliveries.spawn(async move { round.acknowledge(delivery, &announcer, closed).await });
        }
    }

    /// Makes the topics that a sweep has found pending.
    fn sweep(&mut self) {
        let (round, announcer) = (Arc::clone(&self.round), self.announcer.clone());
        let most = match self.round.outlets.publisher {
            Some(_) => SWEEP_SIZE_PACED
                .saturating_sub(announcer.pending_topics().ready_before_new())
                .max(SWEEP_SIZE_LEAST),
            None => SWEEP_SIZE,
        };
        self.deliveries.spawn(async move { announcer.swept(round.sweep(most).await) });
    }

    fn is_done(&self) -> bool {
        self.rounds.is_empty() && self.deliveries.is_empty() && self.announcer.pending_topics().is_quiet()
    }
}
