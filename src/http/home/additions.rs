//! What a visitor of the home page may add to counters without a key.

use crate::access::{Space, WriteRules, Writers};
use crate::domain::{Amount, CounterId};
use crate::limits::Amounts;

/// The amounts on the buttons of a counter, if all of them are allowed.
const BUTTONS: [i64; 3] = [-1, 1, 10];
/// The amounts of which the first that is allowed stands in an example.
const EXAMPLES: [i64; 2] = [-5, 5];

/// The settings that say what a client without a key may add.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// The amounts that a client without a key may add.
    pub amounts: Amounts,
    /// The counters to which only clients with a key may add.
    pub write: WriteRules,
}

impl Additions {
    /// Whether only clients with a key may add to this counter.
    pub(super) fn need_key(&self, id: &CounterId) -> bool {
        self.write.writers(Space::Counters, id.as_str()) == Writers::Key
    }

    /// Whether a visitor may add this amount to this counter.
    pub(super) fn allow(&self, id: &CounterId, by: Amount) -> bool {
        !self.need_key(id) && self.amounts.contain(by)
    }

    /// The amounts that a visitor may add to this counter with a button.
    pub(super) fn buttons(&self, id: &CounterId) -> Vec<i64> {
        BUTTONS.into_iter().filter(|by| Amount::new(*by).is_ok_and(|by| self.allow(id, by))).collect()
    }

    /// An amount other than 1 that a client may add; `None` if there is no simple one.
    pub(super) fn example(&self) -> Option<i64> {
        EXAMPLES.into_iter().find(|by| Amount::new(*by).is_ok_and(|by| self.amounts.contain(by)))
    }
}
