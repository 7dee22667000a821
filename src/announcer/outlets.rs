//! The outlets of announcements.

use std::sync::Arc;

use bytes::Bytes;

use super::feed_items::{FeedItem, listened_below};
use crate::domain::{EventId, GapReason, Topic};
use crate::fastly::Purger;
use crate::grip::{Item, Publisher, Retain};
use crate::hub::Hub;
use crate::sse;
use crate::store::Announcement;

/// The outlets of announcements. An absent outlet is switched off.
pub struct Outlets {
    /// Listeners in this process.
    pub hub: Option<Arc<Hub>>,
    /// The GRIP proxies.
    pub publisher: Option<Arc<Publisher>>,
    /// The prefix of all channels.
    pub prefix: String,
    /// The CDN's cache.
    pub purger: Option<Purger>,
}

impl Outlets {
    /// Whether a proxy or a listener of this process gets what is announced of one of these topics.
    fn is_awaited<'a>(&self, topics: impl IntoIterator<Item = &'a Topic>) -> bool {
        let hub = self.hub.as_ref();
        self.publisher.is_some()
            || hub.is_some_and(|hub| topics.into_iter().any(|topic| hub.has_listeners(topic)))
    }

    /// Gives the state of a topic to the listeners of this process. Returns the item for the proxies.
    pub(super) fn deliver_state(&self, topic: &Topic, announcement: &Announcement) -> Option<Item> {
        if !self.is_awaited([topic]) {
            return None;
        }
        let Announcement { body, id, prev } = announcement;
        let content = sse::render_body(None, topic, body, *id);
        let item = self.publisher.is_some().then(|| Item {
            channel: topic.channel(&self.prefix),
            id: id.to_string(),
            prev_id: Some(prev.to_string()),
            content: content.clone(),
            first: *prev == EventId::default(),
            retain: Retain::Latest,
        });
        if let Some(hub) = &self.hub {
            hub.publish(topic, *id, content);
        }
        item
    }

    /// Gives the events of a feed to the listeners of this process. Returns the item for the proxies, and those for the listeners of all feeds below the
    /// routes above it. These have no order among each other, so their items form no chain.
    pub(super) fn deliver_events(
        &self,
        feed: &Topic,
        announcement: &Announcement,
    ) -> (Option<Item>, Vec<Item>) {
        let below = listened_below(feed);
        if !self.is_awaited([feed].into_iter().chain(&below)) {
            return (None, Vec::new());
        }
        let FeedItem { prev, id, content } = FeedItem::of(feed, announcement);
        let content_below = match prev == announcement.prev {
            true => content.clone(),
            // Listeners of the feed read from the store what comes before these events. Those of the routes above are told only that there was more.
            false => sse::gap_without_id(None, GapReason::Prefix) + &content,
        };
        if let Some(hub) = &self.hub {
            let bytes = Bytes::from(content_below.clone());
            below.iter().for_each(|topic| hub.append_unchained(topic, bytes.clone()));
            hub.append(feed, prev, id, Bytes::from(content.clone()));
        }
        if self.publisher.is_none() {
            return (None, Vec::new());
        }
        let item = |topic: &Topic, id: String, prev_id, content| Item {
            channel: topic.channel(&self.prefix),
            id,
            prev_id,
            content,
            first: false,
            retain: Retain::All,
        };
        let below = below
            .iter()
            .map(|topic| item(topic, feed.stream_id(id).to_string(), None, content_below.clone()))
            .collect();
        (Some(item(feed, id.to_string(), Some(prev.to_string()), content)), below)
    }
}
