//! Where the keys of hits are recorded.

use crate::domain::Topic;
use crate::store::hit_key::split_at_period;
use crate::store::{Hit, KeySource};

/// How many characters of a page's name are with a key in the set of its period: a key that a client sends for another page is another key.
const PAGE_LEN: usize = 6;

/// Where the key of a hit is recorded: with the name of its period, and what follows in the key.
pub(super) enum KeyPlace<'a> {
    /// In a record of its own.
    Record,
    /// In a set.
    Set(&'a str, &'a str),
    /// In a set, else in a record of its own.
    SetOrRecord(&'a str, &'a str),
}

impl<'a> KeyPlace<'a> {
    /// The place of the hit's key.
    pub(super) fn of(hit: &'a Hit) -> Self {
        match (hit.source, split_at_period(&hit.key)) {
            (KeySource::New, Some((period, rest))) => KeyPlace::Set(period, rest),
            (KeySource::Returned, Some((period, rest))) => KeyPlace::SetOrRecord(period, rest),
            _ => KeyPlace::Record,
        }
    }

    /// How many keys of Redis the script gets for it.
    pub(super) fn keys(&self) -> usize {
        match self {
            KeyPlace::Record | KeyPlace::Set(..) => 1,
            KeyPlace::SetOrRecord(..) => 2,
        }
    }
}

/// The period of a key that was just made, and what follows in the key.
pub(super) fn new_key(hit: &Hit) -> Option<(&str, &str)> {
    if hit.source == KeySource::New { split_at_period(&hit.key) } else { None }
}

/// The key of a page's visitor in the set of its period, behind `kind`. Redis keeps 22 characters in as much memory as 16 bytes.
pub(super) fn member<'a>(text: &'a mut String, kind: &str, rest: &str, page: &Topic) -> &'a str {
    let name = page.name();
    text.clear();
    text.push_str(kind);
    text.push_str(rest);
    text.push_str(name.get(name.len().saturating_sub(PAGE_LEN)..).unwrap_or(name));
    text
}
