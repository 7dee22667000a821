//! The checks. Each looks at one thing that users of the service see, and says what is likely wrong where it is not as documented.

mod http;
mod private;
mod read;
mod streams;
mod writes;

pub(super) use http::{cors, head, http2};
pub(super) use private::private;
pub(super) use read::{errors, read};
pub(super) use streams::{list, reconnect, stream};
pub(super) use writes::{add, cache, live, repeat};
