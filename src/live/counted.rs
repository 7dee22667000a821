//! The answer to the caller of an addition.

/// The answer to an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The topic's value behind this change.
    pub value: i64,
    /// Whether this change has created the topic. For each topic that was created, exactly one answer says so.
    pub created: bool,
}
