//! The value of an hour that is over.

use super::millis::Millis;
use crate::domain::{Point, Unit};

/// The value of an hour that is over, on its way into the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CompleteHour {
    pub(super) value: i64,
    /// The time of the last claim in this hour.
    pub(super) claimed: Millis,
    /// The time of the claim after that. It lies in the same hour or before that hour if the clock was set back: then the hour is not
    /// over.
    pub(super) next: Millis,
    /// The hour is the first one of a topic, whose value before was 0.
    pub(super) is_first: bool,
}

impl CompleteHour {
    /// Whether the hour or day of the claim is over.
    pub(super) fn is_over(&self, unit: Unit) -> bool {
        unit.number(self.claimed) < unit.number(self.next)
    }

    /// The point of the history in this unit.
    pub(super) fn point(&self, unit: Unit) -> Point {
        Point { number: unit.number(self.claimed), value: self.value }
    }
}
