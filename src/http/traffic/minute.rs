//! The last minute of a process: how many requests each second had, and the latest requests.

use std::collections::VecDeque;

use crate::http::metrics::SeenRequest;

/// How many seconds are kept.
const SECONDS: usize = 60;
/// How many of the latest requests are kept.
const LATEST: usize = 30;

/// The last minute of a process.
#[derive(Debug, Default)]
pub(super) struct Minute {
    seconds: VecDeque<u64>,
    latest: VecDeque<SeenRequest>,
}

impl Minute {
    /// Adds a second with this number of requests, of which some are known.
    pub(super) fn add(&mut self, requests: u64, seen: &[SeenRequest]) {
        if self.seconds.len() == SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(requests);
        self.latest.extend(seen.iter().cloned());
        let too_many = self.latest.len().saturating_sub(LATEST);
        self.latest.drain(..too_many);
    }

    /// The requests of each second, the oldest first; 0 for seconds before the start.
    pub(super) fn seconds(&self) -> Vec<u64> {
        let missing = SECONDS - self.seconds.len();
        std::iter::repeat_n(0, missing).chain(self.seconds.iter().copied()).collect()
    }

    /// The latest requests, the latest first.
    pub(super) fn latest(&self) -> Vec<SeenRequest> {
        self.latest.iter().rev().cloned().collect()
    }
}
