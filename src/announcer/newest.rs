//! The claims whose acknowledgements wait.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{EventId, Topic};

/// The newest of the claims of each topic whose acknowledgements wait: for the second purge, or because the topic changes often. As a newer claim purges
/// twice and is acknowledged anyway, the announcer leaves out the second purge and the acknowledgement of the older one.
#[derive(Default)]
pub(super) struct Newest(Mutex<HashMap<Topic, EventId>>);

impl Newest {
    pub(super) fn note<'a>(&self, claims: impl Iterator<Item = &'a (Topic, EventId)>) {
        self.claims().extend(claims.cloned());
    }

    /// Removes from `claims` those that are not the newest of their topics, and forgets the others.
    pub(super) fn keep_newest(&self, claims: &mut Vec<(Topic, EventId)>) {
        let mut newest = self.claims();
        claims.retain(|(topic, id)| {
            let keep = newest.get(topic) == Some(id);
            if keep {
                newest.remove(topic);
            }
            keep
        });
    }

    /// Forgets claims that were given up. If another origin claims these topics next, no newer claim of this origin would replace
    /// them, and they would stay for ever.
    pub(super) fn forget(&self, claims: &[(Topic, EventId)]) {
        let mut newest = self.claims();
        for (topic, id) in claims {
            if newest.get(topic) == Some(id) {
                newest.remove(topic);
            }
        }
    }

    fn claims(&self) -> MutexGuard<'_, HashMap<Topic, EventId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;

    fn claim(topic: &str, revision: u64) -> (Topic, EventId) {
        (topic.parse().expect("a topic"), EventId { epoch: Epoch::new(9), revision })
    }

    #[test]
    fn only_the_newest_claim_of_a_topic_is_left() {
        let newest = Newest::default();
        newest.note([claim("a", 1), claim("b", 1)].iter());
        newest.note([claim("a", 2)].iter());
        let mut claims = vec![claim("a", 1), claim("b", 1)];
        newest.keep_newest(&mut claims);
        assert_eq!(claims, [claim("b", 1)]);
    }

    #[test]
    fn a_version_given_up_leaves_nothing_behind_and_takes_no_newer_one_along() {
        let newest = Newest::default();
        newest.note([claim("a", 2), claim("b", 1)].iter());
        newest.forget(&[claim("a", 1), claim("b", 1)]);
        let mut claims = vec![claim("a", 2)];
        newest.keep_newest(&mut claims);
        assert_eq!(claims, [claim("a", 2)]);
        assert!(newest.claims().is_empty());
    }
}
