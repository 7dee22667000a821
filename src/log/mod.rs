//! Two helps for lines of the log: the throttle, which says when a line is due, and an error's text with its causes.

mod throttle;

use std::error::Error;
use std::iter::successors;

pub use throttle::Throttle;

/// The error and all its causes, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
