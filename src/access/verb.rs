//! What may be done with things.

/// What may be done with the names of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To read what is not public, and to list names.
    Read,
    /// To add to values and to append.
    Write,
    /// To set and to remove; whoever may do that may read and write, too.
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

    /// Whether who may do this may do the other, too. Reading and writing are no part of each other: a program that only
    /// counts need not see what others count.
    pub fn includes(self, other: Verb) -> bool {
        self == Verb::Manage || self == other
    }
}
