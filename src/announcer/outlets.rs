//! The outlets of announcements.

use std::sync::Arc;

use crate::fastly::Purger;
use crate::grip::Publisher;
use crate::hub::Hub;

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
