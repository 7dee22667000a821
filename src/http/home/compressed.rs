//! The page as it was compressed last. Within a second most clients get the same page, so that it is compressed once for all of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flate2::Compression;

use crate::http::html::assets::gzip;

/// A page, and the same compressed.
type Pair = (String, Bytes);

/// See the top of the module.
#[derive(Default)]
pub(super) struct CompressedPage(Mutex<Option<Pair>>);

impl CompressedPage {
    /// The compressed page; `None` if compression does not make it smaller.
    pub(super) fn of(&self, page: &str) -> Option<Bytes> {
        if let Some((_, compressed)) = self.lock().as_ref().filter(|(known, _)| known == page) {
            return Some(compressed.clone());
        }
        // Other workers need not wait meanwhile. The fast level takes a quarter of the time of the best one, and the body is a tenth longer.
        let compressed = gzip(page.as_bytes(), Compression::fast())?;
        *self.lock() = Some((page.to_owned(), compressed.clone()));
        Some(compressed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pair>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_same_page_is_compressed_once_and_another_one_anew() {
        let kept = CompressedPage::default();
        let plain = |compressed: &[u8]| {
            let mut text = String::new();
            flate2::read::GzDecoder::new(compressed).read_to_string(&mut text).expect("a compressed text");
            text
        };
        let page = "<p>page</p>".repeat(100);
        let first = kept.of(&page).expect("compressed");
        assert_eq!(plain(&first), page);
        assert_eq!(kept.of(&page).expect("kept").as_ptr(), first.as_ptr());
        let other = page.replace("page", "another");
        assert_eq!(plain(&kept.of(&other).expect("compressed")), other);
        assert_eq!(kept.of("<p>"), None, "it would be longer");
    }
}
