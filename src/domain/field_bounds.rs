//! How many fields an entity has at most, and how long they are.

/// The greatest number of fields.
pub(super) const MAX_FIELDS: usize = 256;
/// The most bytes that all names and values may have together.
pub(super) const MAX_BYTES: usize = 16 * 1024;
/// The longest name of a field, in bytes.
pub(super) const MAX_NAME: usize = 256;
