//! What a line of the log needs, wherever it is written: when it is due, and what caused an error.

mod throttle;

use std::error::Error;
use std::iter::successors;

pub use throttle::Throttle;

/// An error with everything that caused it, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
