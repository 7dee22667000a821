//! Joins surrogate keys into header values, one for each purge request.

use reqwest::header::HeaderValue;

use super::error::PurgeError;

/// The most keys that one request may name.
pub(super) const MAX_KEYS: usize = 256;
/// The most bytes of the header with the keys. Servers such as Varnish refuse headers above 8 KiB.
pub(super) const MAX_HEADER_BYTES: usize = 7 * 1024;

/// The header values with all keys. Each value is within both limits.
pub(super) fn batches<K: AsRef<str>>(keys: &[K]) -> Result<Vec<HeaderValue>, PurgeError> {
    let mut batches = Vec::new();
    let (mut batch, mut count) = (String::new(), 0);
    for key in keys.iter().map(AsRef::as_ref) {
        if key.is_empty() || key.len() > 1024 || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(PurgeError::Key(key.to_owned()));
        }
        if count == MAX_KEYS || batch.len() + 1 + key.len() > MAX_HEADER_BYTES {
            batches.push(std::mem::take(&mut batch));
            count = 0;
        }
        if count > 0 {
            batch.push(' ');
        }
        batch.push_str(key);
        count += 1;
    }
    if count > 0 {
        batches.push(batch);
    }
    let value = |batch: String| HeaderValue::try_from(&batch).map_err(|_| PurgeError::Key(batch));
    batches.into_iter().map(value).collect()
}
