//! Reads once a second what the metrics have counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::minute::Minute;
use super::past::{self, Past};
use super::tally::Tally;
use super::times::unix_seconds;
use crate::http::kept::KeptAnswers;
use crate::http::metrics::{CountedRequests, RequestLabels, RequestMetrics, SeenRequest};
use crate::live::Live;
use crate::store::StoreError;

/// How many requests of a second are kept.
const KEPT: u32 = 20;

/// The traffic of a process.
pub struct Traffic {
    requests: Arc<RequestMetrics>,
    /// Whether the tally is written into the store.
    is_recorded: bool,
    state: Mutex<State>,
    past: KeptAnswers<(), Past, 1>,
}

#[derive(Debug, Default)]
struct State {
    /// How many requests were counted before this second.
    before: HashMap<RequestLabels, u64>,
    minute: Minute,
    tally: Tally,
}

impl Traffic {
    /// The traffic that these metrics count. `is_recorded` says whether [`keep_tally`](super::keep_tally) is called.
    pub fn new(requests: Arc<RequestMetrics>, is_recorded: bool) -> Self {
        Traffic { requests, is_recorded, state: Mutex::default(), past: KeptAnswers::default() }
    }

    /// Reads the metrics once a second, until the traffic is dropped.
    pub async fn watch(traffic: Weak<Traffic>) {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(traffic) = traffic.upgrade() else { return };
            traffic.end_second();
        }
    }

    /// The requests of each second of the last minute, the oldest first.
    pub(in crate::http) fn seconds(&self) -> Vec<u64> {
        self.state().minute.seconds()
    }

    /// The latest requests, the latest first.
    pub(in crate::http) fn latest(&self) -> Vec<SeenRequest> {
        self.state().minute.latest()
    }

    /// The last hours and days, as they were a moment ago; `None` if the tally is not written.
    pub(in crate::http) async fn past(&self, live: &Live) -> Option<Result<Past, StoreError>> {
        if !self.is_recorded {
            return None;
        }
        Some(self.past.answer((), past::read(live, unix_seconds())).await)
    }

    /// Uses the tally.
    pub(super) fn with_tally<T>(&self, used: impl FnOnce(&mut Tally) -> T) -> T {
        used(&mut self.state().tally)
    }

    /// Ends the second: what was counted in it becomes a part of the last minute and of the tally.
    pub fn end_second(&self) {
        let seen = self.requests.recent().next_period(KEPT);
        let mut state = self.state();
        let counted = self.requests.counted_since(&mut state.before);
        if self.is_recorded {
            state.tally.count(&counted, unix_seconds());
            state.tally.keep(&seen);
        }
        let requests = counted.iter().map(|CountedRequests { requests, .. }| requests).sum();
        state.minute.add(requests, &seen);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
