//! The topics that wait for a round, by precedence: many new topics must not delay the topics that listeners know, and no topic
//! may wait for ever.

use std::collections::VecDeque;

use crate::domain::Topic;

/// Why a topic waits. A round takes topics in this order, but each precedence has a share of every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::announcer) enum Precedence {
    /// The topic has changed in this origin, and is not new.
    Known,
    /// A sweep has found the topic: an origin has not announced it in time.
    Left,
    /// Its first change has created the topic, so it has no listeners that know a value.
    New,
}

/// A round keeps one part in so many for topics that a sweep has found, and as much for new topics, if there are any.
const SHARE: usize = 4;

/// The waiting topics, one queue for each precedence.
#[derive(Debug, Default)]
pub(super) struct Ready {
    queues: [TopicQueue; 3],
}

#[derive(Debug, Default)]
struct TopicQueue {
    topics: VecDeque<Topic>,
    /// The number of `topics` that have moved to another precedence, some of which have been taken from there since.
    gone: usize,
}

impl TopicQueue {
    fn len(&self) -> usize {
        self.topics.len() - self.gone
    }
}

impl Ready {
    /// The number of topics that wait.
    pub(super) fn len(&self) -> usize {
        self.queues.iter().map(TopicQueue::len).sum()
    }

    /// The number of topics of a precedence that wait.
    pub(super) fn len_of(&self, precedence: Precedence) -> usize {
        self.queues[precedence as usize].len()
    }

    /// Puts a topic behind the others of its precedence.
    pub(super) fn push(&mut self, topic: Topic, precedence: Precedence) {
        self.queues[precedence as usize].topics.push_back(topic);
    }

    /// Puts a topic of one precedence behind those of another.
    pub(super) fn moves(&mut self, topic: Topic, from: Precedence, to: Precedence) {
        self.queues[from as usize].gone += 1;
        self.push(topic, to);
    }

    /// Takes up to `limit` topics. `is_there` is called with each topic and its precedence; it records that the topic is taken,
    /// and returns whether the topic was still waiting there.
    pub(super) fn take(
        &mut self,
        limit: usize,
        mut is_there: impl FnMut(&Topic, Precedence) -> bool,
    ) -> Vec<Topic> {
        let share = |precedence| self.len_of(precedence).min(limit / SHARE);
        let (left, new) = (share(Precedence::Left), share(Precedence::New));
        let mut taken = Vec::with_capacity(limit.min(self.len()));
        // If a precedence does not need its whole share, the next ones get the rest.
        for (precedence, most) in [
            (Precedence::Known, limit - left - new),
            (Precedence::Left, limit - new),
            (Precedence::New, limit),
        ] {
            let queue = &mut self.queues[precedence as usize];
            while taken.len() < most
                && let Some(topic) = queue.topics.pop_front()
            {
                match is_there(&topic, precedence) {
                    true => taken.push(topic),
                    false => queue.gone -= 1,
                }
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(known: usize, left: usize, new: usize) -> Ready {
        let mut ready = Ready::default();
        for (precedence, count) in
            [(Precedence::Known, known), (Precedence::Left, left), (Precedence::New, new)]
        {
            for n in 0..count {
                ready.push(format!("{precedence:?}-{n}").parse().expect("a topic"), precedence);
            }
        }
        ready
    }

    /// The number of topics of each precedence that one round takes.
    fn taken(ready: &mut Ready, limit: usize) -> [usize; 3] {
        let mut taken = [0; 3];
        let topics = ready.take(limit, |_, precedence| {
            taken[precedence as usize] += 1;
            true
        });
        assert_eq!(topics.len(), taken.iter().sum::<usize>());
        taken
    }

    #[test]
    fn each_class_has_its_share_and_the_first_has_the_rest() {
        let mut ready = filled(1000, 1000, 1000);
        assert_eq!(taken(&mut ready, 64), [32, 16, 16]);
        assert_eq!(ready.len(), 2936);
        for (waiting, round) in [
            ([1000, 0, 1000], [48, 0, 16]),
            ([1000, 3, 0], [61, 3, 0]),
            ([0, 1000, 1000], [0, 48, 16]),
            ([5, 0, 1000], [5, 0, 59]),
            ([0, 5, 0], [0, 5, 0]),
            ([0, 0, 0], [0, 0, 0]),
        ] {
            let [known, left, new] = waiting;
            assert_eq!(taken(&mut filled(known, left, new), 64), round, "{waiting:?}");
        }
    }

    #[test]
    fn a_topic_that_has_moved_is_taken_once() {
        let mut ready = filled(0, 2, 0);
        ready.moves("Left-0".parse().expect("a topic"), Precedence::Left, Precedence::Known);
        assert_eq!((ready.len(), ready.len_of(Precedence::Left)), (2, 1));
        let topics =
            ready.take(9, |topic, precedence| topic.name() == "Left-1" || precedence == Precedence::Known);
        assert_eq!(topics.iter().map(Topic::name).collect::<Vec<_>>(), ["Left-0", "Left-1"]);
        assert_eq!((ready.len(), ready.queues[1].gone), (0, 0));
    }
}
