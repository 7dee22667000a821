//! For log lines of all modules: when a line is due, and an error with its causes.

mod throttle;

use std::error::Error;
use std::iter::successors;

pub use throttle::Throttle;

/// An error with all its causes, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
