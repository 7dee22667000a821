//! What a scenario promises of its end.

use std::collections::HashMap;
use std::time::Duration;

use crate::routes::Kept;

/// How long a publish may be under way without a fault, on a busy machine.
const UNHURT: Duration = Duration::from_millis(500);

/// What must be true at the end.
pub(crate) struct End {
    /// Within this time after the last change and the last fault, every listener has the last value.
    pub(crate) within: Duration,
    /// How long the faults may have kept a publish under way.
    pub(crate) late: Duration,
    /// How often Redis came back empty.
    pub(crate) memories: usize,
    /// Whether a POST may end without an answer that says whether it was counted.
    pub(crate) ambiguous: bool,
    /// The values at the start of the writers; 0 for counters that are not named.
    pub(crate) from: HashMap<String, i64>,
    pub(crate) lost: Lost,
    /// Whether two masters answered at the same time.
    pub(crate) apart: bool,
}

/// What Redis may have lost of its additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Nothing,
    /// Values that listeners may have received, but that no writer was answered: streams may go back.
    Unacknowledged,
    /// So many, at least and at most, of those that writers were told. Then values are handed out again, and beyond that
    /// it is said only how all end.
    Acknowledged {
        least: i64,
        most: i64,
    },
}

impl End {
    /// What listeners of feeds and entities may count on.
    pub(crate) fn kept(&self) -> Kept {
        match self.lost {
            Lost::Nothing if self.memories == 0 => Kept::All,
            Lost::Nothing => Kept::Answered,
            Lost::Unacknowledged if !self.apart => Kept::Answered,
            Lost::Unacknowledged | Lost::Acknowledged { .. } => Kept::Some,
        }
    }
}

impl Default for End {
    fn default() -> Self {
        let (within, from) = (Duration::from_secs(5), HashMap::new());
        End { within, late: UNHURT, memories: 0, ambiguous: false, from, lost: Lost::Nothing, apart: false }
    }
}
