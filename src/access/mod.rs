//! Keys, tickets and their scopes decide which requests are allowed. This module knows neither HTTP nor the store: the module `http` passes
//! what a request presents and what the request needs, and gets back whether the request is allowed.
//! - [`Scope`]: one thing that a key or a ticket allows; [`Needed`]: what a request needs.
//! - [`AccessKey`], [`Keys`], [`NewSecret`]: the keys of the settings, and the secret of a new key.
//! - [`TicketVerifier`], [`new_ticket`]: tickets for browsers, which are good for an hour at most.
//! - [`Session`]: what the cookie of an administrator's browser holds after a login.
//! - [`Presented`]: the key or the ticket that a request carries.
//! - [`WriteRules`]: the names to which every client may write, and those that need a key.
//! - [`PublicRoutes`]: the routes that every client may read.
//! - [`Grant`]: what allowed a stream, so that the service can end the stream when it is not allowed any more.
//! - [`Access`]: decides with all of these whether a request is allowed.
//! - [`redacted`]: removes the secrets that a text quotes.

mod control;
mod denied;
mod grant;
mod key;
mod keys;
mod needed;
mod prefix;
mod presented;
mod public_routes;
mod redact;
mod route_key;
mod scope;
mod secret;
mod session;
mod stream_passes;
#[cfg(test)]
mod test_keys;
mod ticket;
mod verb;
mod write_rules;

pub use control::{Access, AccessOptions};
pub use denied::Denied;
pub use grant::Grant;
pub use key::{AccessKey, KeyError};
pub use keys::{DuplicateKey, Keys};
pub use needed::Needed;
pub use prefix::{ParsePrefixError, Prefix, Space};
pub use presented::{Presented, SeveralCredentials};
pub use public_routes::{ParsePublicRoutesError, PublicRoutes};
pub use redact::redacted;
pub use route_key::{RouteKey, RouteKeyError};
pub use scope::{ParseScopeError, Scope};
pub use secret::NewSecret;
pub use session::{NewSession, Session};
pub use ticket::{LONGEST_TICKET, TicketError, TicketVerifier, new_ticket};
pub use verb::Verb;
pub use write_rules::{ParseWriteRulesError, WriteRules, Writers};
