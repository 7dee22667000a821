//! The items that one endpoint must still get, in order. With merging, each channel is queued once, and the first items of channels
//! come after all others: many new channels must not delay the channels that have listeners. Channels whose items are all kept
//! ([`Retain::All`](crate::grip::Retain)) are queued item by item, within a bound of their own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::queued_item::QueuedItem;
use crate::grip::item::PublishBody;

/// The entries of one request, each with its place in the queue.
pub(super) struct Batch {
    pub(super) entries: Vec<(u64, QueuedItem)>,
    pub(super) body: Vec<u8>,
}

/// The least place for the first items of channels.
const FIRST: u64 = 1 << 63;
/// If first items wait, one part in so many of each request is for them.
const SHARE_OF_FIRST: usize = 4;

/// How much memory the items may take that are all kept, in bytes. Beyond it the oldest are dropped.
pub(super) const MOST_KEPT: usize = 8 << 20;

/// The entries of one endpoint.
pub(super) struct ItemQueue {
    entries: BTreeMap<u64, QueuedItem>,
    /// The place of each channel's newest entry, if entries are merged.
    places: Option<HashMap<String, u64>>,
    /// The places of the entries that newer ones do not replace.
    kept: BTreeSet<u64>,
    kept_bytes: usize,
    next_place: u64,
    max_pending: usize,
    /// The number of entries in the request that is under way.
    taken: usize,
}

impl ItemQueue {
    pub(super) fn new(merge: bool, max_pending: usize) -> Self {
        let places = merge.then(HashMap::new);
        ItemQueue {
            entries: BTreeMap::new(),
            places,
            kept: BTreeSet::new(),
            kept_bytes: 0,
            next_place: 0,
            max_pending,
            taken: 0,
        }
    }

    /// The number of entries that wait or are in the request under way.
    pub(super) fn pending(&self) -> usize {
        self.entries.len() + self.taken
    }

    /// Adds the entry. Returns the entries that were removed since the queue was full.
    pub(super) fn push(&mut self, entry: QueuedItem) -> Vec<QueuedItem> {
        self.next_place += 1;
        match self.replaced_by(&entry).and_then(|place| Some((place, self.remove(place)?))) {
            Some((place, older)) => self.insert(place, older.merge(entry)),
            // Without merging, a channel has several entries, and they must stay in their order; so must entries that are all kept.
            None if self.places.is_some() && entry.item.first && !entry.is_kept() => {
                self.insert(self.next_place | FIRST, entry);
            }
            None => self.insert(self.next_place, entry),
        }
        let mut removed = Vec::new();
        while let Some(place) = self.place_beyond_bounds() {
            removed.extend(self.remove(place));
        }
        removed
    }

    /// The place of the entry that must go next; `None` if the queue is within its bounds.
    fn place_beyond_bounds(&self) -> Option<u64> {
        if self.kept_bytes > MOST_KEPT && self.kept.len() > 1 {
            return self.kept.first().copied();
        }
        if self.entries.len() <= self.max_pending {
            return None;
        }
        self.entries.range(FIRST..).next().or_else(|| self.entries.iter().next()).map(|(place, _)| *place)
    }

    /// Takes the next entries out, within both limits; `None` if no entries wait.
    pub(super) fn take(&mut self, max_items: usize, max_bytes: usize) -> Option<Batch> {
        let (mut entries, mut body) = (Vec::new(), PublishBody::new());
        let kept = if self.entries.range(FIRST..).next().is_some() { max_items / SHARE_OF_FIRST } else { 0 };
        // If the first items do not need their whole share, the others get the rest.
        for (from, most) in [(0, max_items - kept), (FIRST, max_items), (0, max_items)] {
            while entries.len() < most
                && let Some((&place, entry)) = self.entries.range(from..).next()
                && body.push(entry.posted(), max_bytes)
                && let Some(entry) = self.remove(place)
            {
                entries.push((place, entry));
            }
        }
        self.taken = entries.len();
        (!entries.is_empty()).then(|| Batch { entries, body: body.finish() })
    }

    /// Puts entries back to their places after a failed request. With `doubtful`, the endpoint may have accepted them all the same.
    pub(super) fn put_back(&mut self, entries: Vec<(u64, QueuedItem)>, doubtful: bool) {
        self.taken = 0;
        for (place, mut entry) in entries {
            entry.doubtful |= doubtful;
            let newer = self
                .place_of(&entry)
                .filter(|place| self.entries.get(place).is_some_and(|newer| entry.is_replaced_by(newer)));
            if let Some(newer) = newer.and_then(|place| self.remove(place)) {
                entry = entry.merge(newer);
            }
            self.insert(place, entry);
        }
    }

    /// Notes that the entries of the last request are settled.
    pub(super) fn settled(&mut self) {
        self.taken = 0;
    }

    /// The place of the newest entry of the channel.
    fn place_of(&self, entry: &QueuedItem) -> Option<u64> {
        self.places.as_ref()?.get(&entry.item.channel).copied()
    }

    /// The place of the entry that a newer one replaces.
    fn replaced_by(&self, newer: &QueuedItem) -> Option<u64> {
        self.place_of(newer)
            .filter(|place| self.entries.get(place).is_some_and(|older| older.is_replaced_by(newer)))
    }

    fn insert(&mut self, place: u64, entry: QueuedItem) {
        if let Some(places) = &mut self.places {
            let newest = places.entry(entry.item.channel.clone()).or_insert(place);
            *newest = if entry.is_kept() { place.max(*newest) } else { place };
        }
        if entry.is_kept() {
            self.kept.insert(place);
            self.kept_bytes += entry.bytes();
        }
        self.entries.insert(place, entry);
    }

    fn remove(&mut self, place: u64) -> Option<QueuedItem> {
        let entry = self.entries.remove(&place)?;
        if let Some(places) = &mut self.places
            && places.get(&entry.item.channel) == Some(&place)
        {
            places.remove(&entry.item.channel);
        }
        if self.kept.remove(&place) {
            self.kept_bytes -= entry.bytes();
        }
        Some(entry)
    }
}
