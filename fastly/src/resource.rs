//! What a path names, as far as the way of a read depends on it.

use crate::badge::is_badge;
use crate::hits::{self, reads_hits};
use crate::past::is_past;
use crate::path::{is_recovery, lists_names};

/// What a path names. Of each kind, reads go the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The past of a number, which can also be a table.
    Past,
    /// A badge, or the picture of the past of hits: it has one form for all clients.
    OneForm,
    /// The events of a feed, which are private. The answer is always a stream, which Fanout holds.
    Feed,
    /// Entities, which are private, and `/count`, which counts. The cache has no part in them, but Fanout holds their streams.
    Uncached,
    /// What anybody may read, and what does not count: the numbers and the pages of this service. Fanout holds the streams of numbers.
    Public,
    /// What only the origin may answer: what is for one client, and what counts, since such a request must not be sent twice. Unknown paths are among
    /// these: they may belong to another service whose routes the origin answers, and a GET may count there.
    OfOrigin,
}

/// The pages and files of this service, besides those below `/assets/`.
const PAGES: [&str; 7] =
    ["/", "/favicon.ico", "/healthz", "/live-counter.js", "/openapi.json", "/readyz", "/robots.txt"];

impl Resource {
    /// The resource of a [normalized](crate::normalize_path) path.
    pub(crate) fn of(path: &str) -> Self {
        if path == "/nocount/history" || is_past(path) {
            Resource::Past
        } else if hits::parameters(path).is_some() || is_badge(path) {
            Resource::OneForm
        } else if path.starts_with("/live/") {
            Resource::Feed
        } else if path.starts_with("/entity/") || path == "/count" {
            Resource::Uncached
        } else if is_public(path) {
            Resource::Public
        } else {
            Resource::OfOrigin
        }
    }
}

fn is_public(path: &str) -> bool {
    // The list of counters is for clients with a key, which may stand in its query.
    let is_list_of_counters = path.trim_end_matches('/') == "/counters";
    // Only proxies have a reason to ask for a recovery, and they need the present value.
    let is_number = lists_names(path) && !is_list_of_counters && !is_recovery(path);
    is_number || reads_hits(path) || PAGES.contains(&path) || path.starts_with("/assets/")
}
