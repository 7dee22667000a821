//! Keeps which topics must be announced, and when, without I/O and without a clock of its own.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use tokio::time::Instant;

pub(super) use super::ready::Precedence;
use super::ready::Ready;
use crate::domain::Topic;
use crate::store::Announcement;

/// The announcer's pending topics. Each topic is listed once, however often it changes.
#[derive(Debug, Default)]
pub(super) struct PendingTopics {
    /// The claims that additions have made in their own step, in order.
    pub(super) claimed: Vec<(Topic, Vec<Announcement>)>,
    topics: HashMap<Topic, PendingTopic>,
    ready: Ready,
    gates: BinaryHeap<Reverse<Gate>>,
}

#[derive(Debug)]
struct PendingTopic {
    /// Whether the topic has changed since a round took it.
    again: bool,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The topic waits for a round.
    Ready(Precedence),
    InRound,
    /// The topic's gate is known to be shut.
    Resting,
}

/// When a topic's gate opens. Gates are ordered by time only.
#[derive(Debug)]
struct Gate {
    opens: Instant,
    topic: Topic,
}

impl PendingTopics {
    /// Notes a change. Returns whether the announcer's task must be woken: only if no topic was ready before. If one was, the task
    /// has been woken already or has as many rounds as it may, and will take all topics that are ready then.
    pub(super) fn changed(&mut self, topic: Topic, precedence: Precedence) -> bool {
        let first = self.ready.len() == 0;
        match self.topics.get_mut(&topic) {
            None => {
                self.topics
                    .insert(topic.clone(), PendingTopic { again: false, place: Place::Ready(precedence) });
                self.ready.push(topic, precedence);
                first
            }
            // A topic that a sweep has found has now changed in this origin, so it gets the precedence of known topics. A new topic
            // stays new until it has been announced.
            Some(PendingTopic { place: Place::Ready(was @ Precedence::Left), .. })
                if precedence == Precedence::Known =>
            {
                *was = precedence;
                self.ready.moves(topic, Precedence::Left, precedence);
                false
            }
            Some(PendingTopic { place: Place::Ready(_), .. }) => false,
            Some(known) => {
                known.again = true;
                false
            }
        }
    }

    /// Up to `limit` topics that are ready, for a round; `None` if there are none.
    pub(super) fn take(&mut self, limit: usize) -> Option<Vec<Topic>> {
        let topics = &mut self.topics;
        let taken = self.ready.take(limit, |topic, precedence| match topics.get_mut(topic) {
            Some(state) if state.place == Place::Ready(precedence) => {
                state.place = Place::InRound;
                true
            }
            _ => false,
        });
        (!taken.is_empty()).then_some(taken)
    }

    /// Ends a topic's round. The topic rests until its gate opens, and is then forgotten unless it has changed or `again` says that
    /// it must be announced again. Without a gate, the topic is ready again or forgotten at once.
    pub(super) fn rest(&mut self, topic: Topic, opens: Option<Instant>, again: bool) {
        let Some(state) = self.topics.get_mut(&topic) else { return };
        state.again |= again;
        match opens {
            Some(opens) => {
                state.place = Place::Resting;
                self.gates.push(Reverse(Gate { opens, topic }));
            }
            None => self.wake(topic),
        }
    }

    /// Makes every topic whose gate has opened ready, or forgets it. Returns when the next gate opens.
    pub(super) fn open_gates(&mut self, now: Instant) -> Option<Instant> {
        while let Some(Reverse(gate)) = self.gates.peek() {
            if gate.opens > now {
                return Some(gate.opens);
            }
            if let Some(Reverse(Gate { topic, .. })) = self.gates.pop() {
                self.wake(topic);
            }
        }
        None
    }

    /// Whether the topic is listed.
    pub(super) fn knows(&self, topic: &Topic) -> bool {
        self.topics.contains_key(topic)
    }

    /// Whether a round has the topic or will take it.
    pub(super) fn will_take(&self, topic: &Topic) -> bool {
        self.topics.get(topic).is_some_and(|state| state.again || state.place != Place::Resting)
    }

    /// The number of topics that wait for a round and are not new.
    pub(super) fn ready_before_new(&self) -> usize {
        self.ready.len() - self.ready.len_of(Precedence::New)
    }

    /// The number of listed topics.
    pub(super) fn len(&self) -> usize {
        self.topics.len() + self.claimed.len()
    }

    /// Whether no topic has to be announced.
    pub(super) fn is_quiet(&self) -> bool {
        let quiet = |state: &PendingTopic| state.place == Place::Resting && !state.again;
        self.claimed.is_empty() && self.topics.values().all(quiet)
    }

    fn wake(&mut self, topic: Topic) {
        match self.topics.get_mut(&topic) {
            Some(state) if state.again => {
                // A round has claimed the topic, so it is not new any more.
                *state = PendingTopic { again: false, place: Place::Ready(Precedence::Known) };
                self.ready.push(topic, Precedence::Known);
            }
            _ => {
                self.topics.remove(&topic);
            }
        }
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        self.opens == other.opens
    }
}

impl Eq for Gate {}

impl PartialOrd for Gate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Gate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.opens.cmp(&other.opens)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn topic(name: &str) -> Topic {
        name.parse().expect("a topic")
    }

    #[test]
    fn a_topic_in_a_round_is_taken_again_only_after_another_change() {
        let mut pending_topics = PendingTopics::default();
        assert!(pending_topics.changed(topic("a"), Precedence::Known));
        assert_eq!(pending_topics.take(9), Some(vec![topic("a")]));
        assert!(
            !pending_topics.changed(topic("a"), Precedence::Known),
            "a round has the topic: the task need not be woken"
        );
        assert_eq!(pending_topics.take(9), None);
        pending_topics.rest(topic("a"), None, false);
        assert_eq!(pending_topics.take(9), Some(vec![topic("a")]));
        pending_topics.rest(topic("a"), None, false);
        assert_eq!((pending_topics.take(9), pending_topics.len()), (None, 0));
    }

    #[test]
    fn a_shut_gate_holds_changes_back_until_it_opens() {
        let (mut pending_topics, now) = (PendingTopics::default(), Instant::now());
        let opens = now + Duration::from_millis(250);
        pending_topics.changed(topic("a"), Precedence::Known);
        pending_topics.take(9);
        pending_topics.rest(topic("a"), Some(opens), false);
        assert!(pending_topics.is_quiet());
        pending_topics.changed(topic("a"), Precedence::Known);
        assert!(!pending_topics.is_quiet());
        assert_eq!((pending_topics.open_gates(now), pending_topics.take(9)), (Some(opens), None));
        assert_eq!(
            (pending_topics.open_gates(opens), pending_topics.take(9)),
            (None, Some(vec![topic("a")]))
        );
    }

    #[test]
    fn a_topic_will_be_taken_until_a_round_has_had_its_last_change() {
        let (mut pending_topics, now) = (PendingTopics::default(), Instant::now());
        assert!(!pending_topics.will_take(&topic("a")));
        pending_topics.changed(topic("a"), Precedence::Known);
        assert!(pending_topics.will_take(&topic("a")), "it is ready");
        pending_topics.take(9);
        assert!(pending_topics.will_take(&topic("a")), "a round has it");
        pending_topics.rest(topic("a"), Some(now + Duration::from_millis(250)), false);
        assert!(!pending_topics.will_take(&topic("a")));
        pending_topics.changed(topic("a"), Precedence::Known);
        assert!(pending_topics.will_take(&topic("a")), "it has changed again");
    }

    #[test]
    fn a_quiet_topic_is_forgotten_when_its_gate_opens() {
        let (mut pending_topics, now) = (PendingTopics::default(), Instant::now());
        pending_topics.changed(topic("a"), Precedence::Known);
        pending_topics.take(9);
        pending_topics.rest(topic("a"), Some(now), false);
        assert_eq!(pending_topics.len(), 1);
        pending_topics.open_gates(now);
        assert_eq!(pending_topics.len(), 0);
    }

    #[test]
    fn gates_open_in_the_order_of_time_and_rounds_are_bounded() {
        let (mut pending_topics, now) = (PendingTopics::default(), Instant::now());
        for (name, ms) in [("a", 30), ("b", 10), ("c", 20)] {
            pending_topics.changed(topic(name), Precedence::Known);
            pending_topics.take(1);
            pending_topics.rest(topic(name), Some(now + Duration::from_millis(ms)), true);
        }
        pending_topics.open_gates(now + Duration::from_millis(40));
        assert_eq!(pending_topics.take(2), Some(vec![topic("b"), topic("c")]));
        assert_eq!(pending_topics.take(2), Some(vec![topic("a")]));
    }

    fn names(taken: Option<Vec<Topic>>) -> Vec<String> {
        taken.unwrap_or_default().iter().map(Topic::to_string).collect()
    }

    #[test]
    fn a_known_topic_passes_new_ones_and_left_ones() {
        let mut pending_topics = PendingTopics::default();
        for (name, precedence) in
            [("new", Precedence::New), ("left", Precedence::Left), ("known", Precedence::Known)]
        {
            pending_topics.changed(topic(name), precedence);
        }
        assert_eq!(names(pending_topics.take(1)), ["known"]);
        assert_eq!(names(pending_topics.take(2)), ["left", "new"]);
        assert_eq!(pending_topics.take(1), None);
    }

    #[test]
    fn a_left_topic_that_changes_here_is_as_any_other() {
        let mut pending_topics = PendingTopics::default();
        for n in 0..100 {
            pending_topics.changed(topic(&format!("left-{n}")), Precedence::Left);
        }
        assert!(!pending_topics.changed(topic("left-70"), Precedence::Known));
        assert_eq!(pending_topics.ready_before_new(), 100);
        assert_eq!(names(pending_topics.take(1)), ["left-70"]);
        let rest: Vec<String> =
            std::iter::from_fn(|| pending_topics.take(7)).flat_map(|taken| names(Some(taken))).collect();
        assert_eq!((rest.len(), rest.contains(&"left-70".to_owned())), (99, false), "each once");
    }

    #[test]
    fn a_new_topic_stays_new_until_it_has_been_announced() {
        let mut pending_topics = PendingTopics::default();
        pending_topics.changed(topic("new"), Precedence::New);
        pending_topics.changed(topic("new"), Precedence::Known);
        pending_topics.changed(topic("known"), Precedence::Known);
        assert_eq!(names(pending_topics.take(9)), ["known", "new"]);
        pending_topics.changed(topic("other"), Precedence::New);
        pending_topics.changed(topic("new"), Precedence::Known);
        pending_topics.rest(topic("new"), None, false);
        assert_eq!(names(pending_topics.take(9)), ["new", "other"]);
    }
}
