//! Where announcements go.

use std::sync::Arc;

use crate::fastly::Purger;
use crate::grip::Publisher;
use crate::hub::Hub;

/// Where announcements go. Absent parts are switched off.
pub struct Outlets {
    /// Listeners in this process.
    pub hub: Option<Arc<Hub>>,
    /// The GRIP proxies.
    pub publisher: Option<Arc<Publisher>>,
    /// Behind which prefix the channels stand.
    pub prefix: String,
    /// The CDN's cache.
    pub purger: Option<Purger>,
}
