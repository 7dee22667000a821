//! Which request may do what: keys, tickets and the scopes that they carry. This module knows neither HTTP nor the store: `http` hands over
//! what a request presents and what it needs, and is told whether the request may go on.
//!
//! - [`Scope`]: what a key or a ticket allows; [`Needed`]: what a request needs.
//! - [`AccessKey`], [`Keys`], [`NewSecret`]: keys as the settings have them, and how a new one is made.
//! - [`TicketVerifier`], [`new_ticket`]: tokens that are good for an hour at most, for browsers.
//! - [`Presented`]: the key or the ticket that a request carries.
//! - [`WriteRules`]: where anyone may write, and where a key is needed.
//! - [`Access`]: all of it together, and the one question: may this request do this?
//! - [`redacted`]: a text without the secrets that it quotes.

mod control;
mod denied;
mod key;
mod keys;
mod needed;
mod prefix;
mod presented;
mod redact;
mod scope;
mod secret;
mod ticket;
mod verb;
mod write_rules;

pub use control::{Access, AccessOptions};
pub use denied::Denied;
pub use key::{AccessKey, KeyError};
pub use keys::{DuplicateKey, Keys};
pub use needed::Needed;
pub use prefix::{ParsePrefixError, Prefix, Space};
pub use presented::{Presented, SeveralCredentials};
pub use redact::redacted;
pub use scope::{ParseScopeError, Scope};
pub use secret::NewSecret;
pub use ticket::{LONGEST_TICKET, TicketError, TicketVerifier, new_ticket};
pub use verb::Verb;
pub use write_rules::{ParseWriteRulesError, WriteRules, Writers};
