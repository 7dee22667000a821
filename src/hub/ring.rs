//! The last events of a feed, for listeners that are a little behind.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::domain::EventId;

/// How many bytes of events a ring keeps. The newest link stays even if it is longer.
const MOST_BYTES: usize = 256 * 1024;
/// How many links a ring keeps.
const MOST_LINKS: usize = 64;

/// Events that were announced together, and the id of the event before them.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) prev: EventId,
    pub(super) id: EventId,
    pub(super) bytes: Bytes,
}

/// The last links of a feed, the oldest first. Each link begins where the one before it ends, except where the chain was cut.
#[derive(Debug, Default)]
pub(super) struct Ring {
    links: VecDeque<Link>,
    bytes: usize,
}

/// What a listener gets next.
#[derive(Debug)]
pub(super) enum Next {
    /// These events, up to this id.
    Events(EventId, Bytes),
    /// There is nothing that the listener has not seen.
    Nothing,
    /// The ring does not tell what the listener has missed.
    Behind,
}

impl Ring {
    /// Keeps the link, unless it is the newest one again.
    pub(super) fn push(&mut self, link: Link) -> bool {
        if self.links.back().is_some_and(|last| last.id == link.id) {
            return false;
        }
        self.bytes += link.bytes.len();
        self.links.push_back(link);
        while self.links.len() > MOST_LINKS || self.bytes > MOST_BYTES && self.links.len() > 1 {
            self.bytes -= self.links.pop_front().map_or(0, |oldest| oldest.bytes.len());
        }
        true
    }

    /// The id of the newest event.
    pub(super) fn last(&self) -> Option<EventId> {
        self.links.back().map(|link| link.id)
    }

    /// What follows on the event `seen`.
    pub(super) fn after(&self, seen: EventId) -> Next {
        let Some(last) = self.last() else { return Next::Nothing };
        // A listener can be ahead of the ring: it has read the store after the claim and before the announcement.
        if last == seen || last.precedes(seen) {
            return Next::Nothing;
        }
        match self.links.iter().rev().find(|link| link.prev == seen) {
            Some(link) => Next::Events(link.id, link.bytes.clone()),
            None => Next::Behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Epoch;

    fn id(revision: u64) -> EventId {
        EventId { epoch: Epoch::new(9), revision }
    }

    fn link(prev: u64, next: u64, len: usize) -> Link {
        Link { prev: id(prev), id: id(next), bytes: vec![b'x'; len].into() }
    }

    #[test]
    fn a_listener_gets_one_link_after_the_other() {
        let mut ring = Ring::default();
        assert!(matches!(ring.after(id(0)), Next::Nothing));
        assert!(ring.push(link(2, 4, 1)) && ring.push(link(4, 5, 1)));
        assert!(!ring.push(link(4, 5, 1)), "the same link again");
        assert!(matches!(ring.after(id(2)), Next::Events(next, _) if next == id(4)));
        assert!(matches!(ring.after(id(4)), Next::Events(next, _) if next == id(5)));
        assert!(matches!(ring.after(id(5)), Next::Nothing));
        assert!(matches!(ring.after(id(6)), Next::Nothing), "read from the store, not announced yet");
        assert!(matches!(ring.after(id(3)), Next::Behind), "in the middle of a link");
        assert!(matches!(ring.after(id(1)), Next::Behind));
    }

    #[test]
    fn a_ring_is_bounded_and_keeps_the_newest_link_whatever_its_length() {
        let mut ring = Ring::default();
        (0..1000).for_each(|number| assert!(ring.push(link(number, number + 1, 1))));
        assert_eq!((ring.links.len(), ring.bytes), (MOST_LINKS, MOST_LINKS));
        ring.push(link(1000, 1001, 2 * MOST_BYTES));
        assert_eq!((ring.links.len(), ring.last()), (1, Some(id(1001))));
        ring.push(link(1001, 1002, 3));
        assert_eq!((ring.links.len(), ring.bytes), (1, 3));
    }
}
