//! Makes proxies ask for recoveries of private streams that are never silent.
//!
//! A proxy asks for a recovery when a stream was silent for a while, and the answer ends a stream whose key was withdrawn. A proxy also asks when an item follows on
//! another one than the listeners have. So now and then an item of a busy private topic says that it follows on an item that never was: the listeners get its state or
//! its events from the recovery, or their stream ends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Topic;
use crate::grip::Item;

/// How often the listeners of a busy topic are checked: as often as a proxy asks by itself where nothing is published.
const EVERY: Duration = Duration::from_secs(30);
/// How long a topic is remembered at least after its last check.
const REMEMBERED: Duration = Duration::from_secs(600);
/// With so many topics, those of long ago are forgotten.
const MOST: usize = 10_000;

/// An id that no item has: its epoch is greater than any.
const NEVER: &str = "ffffffffffffffff-0";

/// When the listeners of each private topic were checked last, or the topic was published first.
#[derive(Default)]
pub(super) struct StreamChecks(Mutex<HashMap<Topic, Instant>>);

impl StreamChecks {
    /// Makes the item a check of its listeners if the topic is private and a check is due.
    pub(super) fn mark(&self, topic: &Topic, item: &mut Item) {
        if !topic.holds_number() && self.is_due(topic, Instant::now()) {
            item.prev_id = Some(NEVER.to_owned());
        }
    }

    fn is_due(&self, topic: &Topic, now: Instant) -> bool {
        let mut checked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = checked.get_mut(topic) {
            let is_due = now.duration_since(*last) >= EVERY;
            if is_due {
                *last = now;
            }
            return is_due;
        }
        if checked.len() >= MOST {
            checked.retain(|_, last| now.duration_since(*last) < REMEMBERED);
        }
        // If all of them are recent, the new topic is not remembered: its streams are checked when it is silent.
        if checked.len() < MOST {
            checked.insert(topic.clone(), now);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        name.parse().expect("a topic")
    }

    #[test]
    fn a_busy_topic_is_checked_now_and_then() {
        let (checks, begin) = (StreamChecks::default(), Instant::now());
        let due: Vec<u64> = (0..100)
            .filter(|second| checks.is_due(&topic("entity-a/k"), begin + Duration::from_secs(*second)))
            .collect();
        assert_eq!(due, [30, 60, 90]);
    }

    #[test]
    fn only_what_is_private_is_checked() {
        let checks = StreamChecks::default();
        let item = Item {
            channel: "c".into(),
            id: "2".into(),
            prev_id: Some("1".into()),
            content: String::new(),
            first: false,
            retain: crate::grip::Retain::Latest,
        };
        let long_ago = Instant::now() - EVERY;
        for (name, expected) in [("counter-1", "1"), ("entity-a/k", NEVER), ("feed-a", NEVER)] {
            checks.is_due(&topic(name), long_ago);
            let mut marked = item.clone();
            checks.mark(&topic(name), &mut marked);
            assert_eq!(marked.prev_id.as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn the_topics_that_are_remembered_stay_bounded() {
        let (checks, begin) = (StreamChecks::default(), Instant::now());
        for number in 0..MOST + 10 {
            assert!(!checks.is_due(&topic(&format!("feed-{number}")), begin));
        }
        assert_eq!(checks.0.lock().expect("unpoisoned").len(), MOST);
        assert!(!checks.is_due(&topic("feed-new"), begin + REMEMBERED));
        assert_eq!(checks.0.lock().expect("unpoisoned").len(), 1);
    }
}
