//! The answer to the caller of a change that gives a topic a new value.

/// The answer to an addition, or to a change that sets the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The topic's value behind this change.
    pub value: i64,
    /// Whether this change has created the topic. For each topic that was created, exactly one answer says so.
    pub created: bool,
    /// The key was used before, so the call has changed nothing.
    pub replayed: bool,
}
