//! The verbs of scopes.

/// The kind of access that a scope allows to the names of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read what is not public, and list names.
    Read,
    /// Add to values, and append.
    Write,
    /// Set and remove. Includes reading and writing.
    Manage,
}

impl Verb {
    pub(super) const ALL: [Verb; 3] = [Verb::Read, Verb::Write, Verb::Manage];

    /// The word before the colon.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::Manage => "manage",
        }
    }

    /// Returns whether a key that allows this verb allows the other verb, too. Reading and writing do not include each other: a program
    /// that only counts need not read what other programs count.
    pub fn includes(self, other: Verb) -> bool {
        self == Verb::Manage || self == other
    }
}
