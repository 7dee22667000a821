//! The requests of the present second, a bounded number of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::access::redacted;

/// How much of a path is kept, in bytes.
const LONGEST_PATH: usize = 100;

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::http) struct SeenRequest {
    /// When it was answered, in milliseconds since 1970.
    pub(in crate::http) at: u64,
    pub(in crate::http) method: &'static str,
    /// The path without the query, which may have a key; its beginning if it is long.
    pub(in crate::http) path: String,
    /// The template of the route.
    pub(in crate::http) route: &'static str,
    pub(in crate::http) status: u16,
    /// How long the head of the answer took, in milliseconds.
    pub(in crate::http) ms: f64,
}

/// Keeps the first requests of each period.
#[derive(Debug, Default)]
pub(in crate::http) struct RecentRequests {
    /// How many more requests are kept in this period. A request costs one look at this number where no request is kept.
    left: AtomicU32,
    seen: Mutex<Vec<SeenRequest>>,
}

impl RecentRequests {
    /// Whether the next request would be kept.
    pub(super) fn wants_more(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// Keeps a request, if there is still room.
    pub(super) fn keep(
        &self,
        method: &'static str,
        path: &str,
        route: &'static str,
        status: u16,
        took: Duration,
    ) {
        let mut seen = self.seen();
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return;
        }
        self.left.store(left - 1, Ordering::Relaxed);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let path = redacted(&path[..path.floor_char_boundary(LONGEST_PATH)]).into_owned();
        let ms = took.as_micros() as f64 / 1000.0;
        seen.push(SeenRequest { at, method, path, route, status, ms });
    }

    /// Takes the requests of the period that ends, and keeps at most `most` of the next one.
    pub(in crate::http) fn next_period(&self, most: u32) -> Vec<SeenRequest> {
        let mut seen = self.seen();
        self.left.store(most, Ordering::Relaxed);
        std::mem::take(&mut *seen)
    }

    fn seen(&self) -> MutexGuard<'_, Vec<SeenRequest>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_requests_of_a_period_are_kept() {
        let recent = RecentRequests::default();
        let keep = |path: &str| recent.keep("GET", path, "/a/{b}", 200, Duration::from_micros(1500));
        assert!(!recent.wants_more());
        keep("/before");
        assert_eq!(recent.next_period(2), []);
        for path in ["/a/1", &format!("/a/{}", "\u{e9}".repeat(100)), "/a/3"] {
            keep(path);
        }
        assert!(!recent.wants_more());
        let seen = recent.next_period(0);
        assert_eq!((seen.len(), seen[0].path.as_str(), seen[0].ms), (2, "/a/1", 1.5));
        assert!(seen[1].path.len() <= LONGEST_PATH);
        assert_eq!(recent.next_period(0), []);
    }
}
