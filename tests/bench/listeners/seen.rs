//! What the listeners have received.

use std::collections::HashSet;

use super::{Comparison, Held, now_us};

/// A value as one listener got it.
struct Receipt {
    listener: usize,
    value: i64,
    time_us: u64,
}

/// What all listeners have received.
#[derive(Default)]
pub(super) struct Seen {
    /// The number of paths that the listeners take in turn.
    paths: usize,
    receipts: Vec<Receipt>,
    /// The latest value of each listener; of events, the greatest number.
    latest: Vec<Option<i64>>,
    /// The id of the last event of each listener.
    pub(super) ids: Vec<String>,
    /// The listeners that have connected since the start or since the last order to connect anew.
    pub(super) connected: HashSet<usize>,
    /// The error of the last connection that failed.
    pub(super) error: Option<String>,
    /// The error of a connection that will always fail.
    pub(super) refused: Option<String>,
    backwards: u64,
    pub(super) closed: usize,
    pub(super) bytes: u64,
}

impl Seen {
    pub(super) fn by(listeners: usize, paths: usize) -> Self {
        let (latest, ids) = (vec![None; listeners], vec![String::new(); listeners]);
        Seen { paths, latest, ids, ..Seen::default() }
    }

    /// Records a value; the first one of a connection may be known already.
    pub(super) fn note(&mut self, listener: usize, value: i64, first: bool) {
        match self.latest[listener] {
            Some(latest) if latest == value => {}
            Some(latest) if latest > value => self.backwards += u64::from(!first),
            _ => {
                self.latest[listener] = Some(value);
                self.receipts.push(Receipt { listener, value, time_us: now_us() });
            }
        }
    }

    /// Records an event of a feed. Events come in the order of the feed, which need not be that of their numbers: several connections have sent them.
    pub(super) fn note_event(&mut self, listener: usize, number: i64) {
        self.latest[listener] = self.latest[listener].max(Some(number));
        self.receipts.push(Receipt { listener, value: number, time_us: now_us() });
    }

    /// The listeners that have neither `value` nor a later one.
    pub(super) fn behind(&self, value: i64) -> Vec<usize> {
        let behind = |listener: &usize| self.latest[*listener].is_none_or(|latest| latest < value);
        (0..self.latest.len()).filter(behind).collect()
    }

    /// When each listener got `value` or the first one after it.
    pub(super) fn since(&self, value: i64) -> Held {
        let mut first: Vec<Option<u64>> = vec![None; self.latest.len()];
        for receipt in self.receipts.iter().filter(|receipt| receipt.value >= value) {
            first[receipt.listener].get_or_insert(receipt.time_us);
        }
        let times = first.into_iter().flatten();
        times.fold(Held { holding: 0, last_us: 0 }, |held, time_us| Held {
            holding: held.holding + 1,
            last_us: held.last_us.max(time_us),
        })
    }

    /// Compares values with what was published when. A listener has a value of its path from the moment it receives it or a later one: a
    /// value may be overtaken by the next.
    pub(super) fn compare(&self, mut published: Vec<(i64, u64)>) -> Comparison {
        published.sort_unstable();
        let values: HashSet<i64> = published.iter().map(|&(value, _)| value).collect();
        let mut received = 0;
        let mut delays = Vec::new();
        let path_of = |value: i64| value.rem_euclid(self.paths as i64) as usize;
        let of_path =
            |path| published.iter().filter(move |&&(value, _)| path_of(value) == path).copied().collect();
        let published: Vec<Vec<(i64, u64)>> = (0..self.paths).map(of_path).collect();
        // Of each listener the first published value that it does not have yet.
        let mut next = vec![0; self.latest.len()];
        for receipt in &self.receipts {
            received += u64::from(values.contains(&receipt.value));
            let next = &mut next[receipt.listener];
            while let Some(&(value, published_us)) = published[receipt.listener % self.paths].get(*next)
                && value <= receipt.value
            {
                delays.push(receipt.time_us.saturating_sub(published_us));
                *next += 1;
            }
        }
        self.comparison(received, self.backwards, delays)
    }

    /// Compares events, whose numbers follow each other, with what was published when. Each event has one delay: until the last listener has it.
    pub(super) fn compare_events(&self, mut published: Vec<(i64, u64)>) -> Comparison {
        published.sort_unstable();
        let (first, events) = (published.first().map_or(0, |&(number, _)| number), published.len());
        let mut last = vec![0; events];
        let mut has = vec![false; events * self.latest.len()];
        let (mut received, mut doubled) = (0, 0);
        for Receipt { listener, value, time_us } in &self.receipts {
            let Some(event) = usize::try_from(value - first).ok().filter(|event| *event < events) else {
                continue;
            };
            last[event] = (*time_us).max(last[event]);
            match std::mem::replace(&mut has[event * self.latest.len() + listener], true) {
                true => doubled += 1,
                false => received += 1,
            }
        }
        let delay = |((_, sent_us), last_us): (&(i64, u64), u64)| last_us.saturating_sub(*sent_us);
        self.comparison(received, doubled, published.iter().zip(last).map(delay).collect())
    }

    fn comparison(&self, received: u64, backwards: u64, mut delays: Vec<u64>) -> Comparison {
        delays.sort_unstable();
        Comparison { received, delays_us: delays, backwards, closed: self.closed, bytes: self.bytes }
    }
}
