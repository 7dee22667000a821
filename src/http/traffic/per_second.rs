//! Reads once a second what the metrics have counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::minute::Minute;
use crate::http::metrics::{CountedRequests, RequestLabels, RequestMetrics, SeenRequest};

/// How many requests of a second are kept.
const KEPT: u32 = 20;

/// The traffic of a process.
#[derive(Debug)]
pub struct Traffic {
    requests: Arc<RequestMetrics>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many requests were counted before this second.
    before: HashMap<RequestLabels, u64>,
    minute: Minute,
}

impl Traffic {
    /// The traffic that these metrics count.
    pub fn new(requests: Arc<RequestMetrics>) -> Self {
        Traffic { requests, state: Mutex::default() }
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

    fn end_second(&self) {
        let seen = self.requests.recent().next_period(KEPT);
        let mut state = self.state();
        let counted = self.requests.counted_since(&mut state.before);
        let requests = counted.iter().map(|CountedRequests { requests, .. }| requests).sum();
        state.minute.add(requests, &seen);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
