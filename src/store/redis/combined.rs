//! Combines changes of one topic that come together: a script has one item for all of them, and each of them has its own answer.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::domain::Topic;
use crate::store::{WriteError, Written};

/// The indices of the changes that are one item of a script, in their order.
pub(super) type Combination = SmallVec<[usize; 1]>;

/// Combines changes of these topics. A change joins the latest combination of its topic if `joins` says so of the index of the first change of that
/// combination and its own, and begins another one otherwise: so the changes of each topic stay in their order.
pub(super) fn combine<'a>(
    topics: impl ExactSizeIterator<Item = &'a Topic>,
    mut joins: impl FnMut(usize, usize) -> bool,
) -> Vec<Combination> {
    let mut combinations: Vec<Combination> = Vec::with_capacity(topics.len());
    let mut latest: HashMap<&Topic, usize> = HashMap::with_capacity(topics.len());
    for (index, topic) in topics.enumerate() {
        match latest.get(topic) {
            Some(&place) if joins(combinations[place][0], index) => combinations[place].push(index),
            _ => {
                latest.insert(topic, combinations.len());
                combinations.push(Combination::from_buf([index]));
            }
        }
    }
    combinations
}

/// The answers to the changes of a combination, whose last change has the `answer`. Each change has so many revisions.
pub(super) fn share(
    answer: &Result<Written, WriteError>,
    revisions: impl DoubleEndedIterator<Item = u64>,
) -> Vec<Result<Written, WriteError>> {
    let mut behind = 0;
    let mut answers: Vec<_> = revisions
        .rev()
        .map(|revisions| {
            let mut answer = answer.clone();
            if let Ok(written) = &mut answer {
                written.created = false;
                if let Some(stamp) = &mut written.stamp {
                    stamp.id.revision -= behind;
                }
            }
            behind += revisions;
            answer
        })
        .collect();
    answers.reverse();
    if let (Some(Ok(first)), Ok(written)) = (answers.first_mut(), answer) {
        first.created = written.created;
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Epoch, EventId};
    use crate::store::Stamp;

    #[test]
    fn changes_join_only_the_latest_combination_of_their_topic() {
        let topics = ["feed-a", "feed-b", "feed-a", "feed-a", "feed-b", "feed-a"];
        let topics = topics.map(|name| name.parse::<Topic>().expect("a topic"));
        // The fourth change stays alone, so that the last one does not come before it.
        let combined = combine(topics.iter(), |first, next| first != 3 && next != 3);
        let combined: Vec<&[usize]> = combined.iter().map(|indices| indices.as_slice()).collect();
        assert_eq!(combined, [&[0, 2][..], &[1, 4], &[3], &[5]]);
    }

    #[test]
    fn each_change_of_a_combination_has_its_own_revision() {
        let id = EventId { epoch: Epoch::new(9), revision: 17 };
        let stamp = Some(Stamp { id, at: 5 });
        let answer = Ok(Written { created: true, stamp, ..Written::default() });
        let shared = share(&answer, [1, 3, 2].into_iter());
        let seen = |written: &Written| (written.created, written.stamp.expect("a stamp").id.revision);
        let seen: Vec<_> = shared.iter().map(|answer| seen(answer.as_ref().expect("written"))).collect();
        assert_eq!(seen, [(true, 12), (false, 15), (false, 17)]);
        let refused = share(&Err(WriteError::WouldBeNew), [1, 1].into_iter());
        assert!(refused.iter().all(|answer| matches!(answer, Err(WriteError::WouldBeNew))));
    }
}
