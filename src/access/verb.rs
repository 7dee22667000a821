//! What may be done with things.

/// What may be done with the names of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To read what is not public, and to list names.
    Read,
    /// To add to values and to append.
    Write,
    /// To set and to remove. Includes reading and writing.
    Manage,
}

impl Verb {
    pub(super) const ALL: [Verb; 3] = [Verb::Read, Verb::Write, Verb::Manage];

    /// The word that stands before the colon.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::Manage => "manage",
        }
    }

    /// Whether a key that allows this allows the other, too. Reading and writing do not include each other: a program that only
    /// counts need not see what others count.
    pub fn includes(self, other: Verb) -> bool {
        self == Verb::Manage || self == other
    }
}
