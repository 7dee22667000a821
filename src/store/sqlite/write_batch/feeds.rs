//! The events of feeds in a batch of the writer.

use super::WriteBatch;
use crate::domain::{EventId, FeedEvent, JsonText, Topic};
use crate::store::sqlite::feed_rows::FeedBounds;
use crate::store::sqlite::millis::Millis;
use crate::store::{Announcement, Body, Stamp, StoreError};

impl WriteBatch<'_> {
    /// Appends events to a feed whose revision is that of the last one already, and drops those that are too many or too old.
    pub(super) fn append(
        &mut self,
        feed: &Topic,
        events: &[JsonText],
        at: Millis,
        created: bool,
    ) -> Result<Stamp, StoreError> {
        self.begin()?;
        let (now, retention) = (self.now, self.committed.retention().feeds);
        let state = self.draft(feed)?.state;
        let revision = state.revision;
        let first = revision + 1 - events.len() as u64;
        let rows = self.file.feeds();
        let appended = (|| {
            if created {
                // Another feed of the same name may have left events.
                rows.delete(feed.name())?;
                self.feeds.forget(feed);
            }
            let size = self.feeds.size(feed, self.file)?;
            rows.append(feed, first, at, events)?;
            size.events += events.len() as u64;
            size.bytes += events.iter().map(|event| event.as_str().len() as u64).sum::<u64>();
            rows.trim(feed, size, FeedBounds { retention, claimed: state.published, revision, now })
        })();
        appended.map_err(StoreError::new)?;
        let (id, at) = (|revision| EventId { epoch: state.epoch, revision }, at.unsigned_abs());
        let event =
            |(revision, data): (u64, &JsonText)| FeedEvent { id: id(revision), at, data: data.clone() };
        self.feeds.remember(feed, (first..).zip(events).map(event));
        Ok(Stamp { id: id(revision), at })
    }

    /// The announcement of a feed, with the events since the claim before it.
    pub(super) fn with_events(
        &mut self,
        feed: &Topic,
        announcement: Announcement,
    ) -> Result<Announcement, StoreError> {
        let Announcement { id, prev, .. } = announcement;
        let events = match self.feeds.claim(feed, prev.revision, id.revision) {
            Some(events) => events,
            None => {
                let rows = self.file.feeds();
                let events = rows.after(feed, id.epoch, prev.revision, id.revision, usize::MAX);
                events.map_err(StoreError::new)?
            }
        };
        Ok(Announcement { body: Body::Events(events.into()), id, prev })
    }
}
