//! Random numbers, from the operating system.

use std::io;

use crate::domain::Epoch;

/// A new epoch, never [`Epoch::NONE`].
pub(super) fn epoch() -> io::Result<Epoch> {
    loop {
        let epoch = Epoch::new(number()?);
        if epoch != Epoch::NONE {
            return Ok(epoch);
        }
    }
}

/// A random number.
pub(super) fn number() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(error.to_string()))
}
