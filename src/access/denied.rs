//! The reasons for refusing a request. A refusal says which scope is missing, and never whether a name exists.

use super::needed::Needed;

/// The places in a request where a client puts a key or a ticket.
const PLACES: &str = "Authorization: Bearer, X-Ocean-Key, or _key or _ticket in the query";

/// The reason for refusing a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request presents neither a key nor a ticket. The HTTP status is 401.
    #[error("this needs a key or a ticket with the scope {needed} ({PLACES})")]
    Missing {
        /// The least scope that would suffice.
        needed: String,
    },
    /// The service has no keys and accepts no tickets, so no request can present a good one. The HTTP status is 401.
    #[error(
        "this needs a key with the scope {needed}, and this service has no keys yet: `livecounter key new NAME --scope \
         {needed}` makes one and prints the lines for the configuration"
    )]
    NoKeys {
        /// The least scope that would suffice.
        needed: String,
    },
    /// The service has no keys, and answers requests of this kind only if they come straight from its own machine. The HTTP status is 403.
    #[error(
        "without keys this is answered only to requests that come straight from the machine of the service, while it \
         listens on a loopback address: `livecounter key new NAME --scope {needed}` makes a key and prints the lines for the \
         configuration"
    )]
    NotLocal {
        /// The least scope that would suffice.
        needed: String,
    },
    /// The request presents an unknown key or a ticket that the service does not accept. The HTTP status is 401.
    #[error("{reason}; this needs one with the scope {needed}")]
    Unknown {
        /// The least scope that would suffice.
        needed: String,
        /// The problem with the key or the ticket.
        reason: String,
    },
    /// The request presents a known key or a good ticket that lacks the scope. The HTTP status is 403.
    #[error("{holder} does not have the scope {needed}")]
    Lacking {
        /// The least scope that would suffice.
        needed: String,
        /// The name of the key, or the words `the ticket`.
        holder: String,
    },
}

impl Denied {
    pub(super) fn missing(needed: &Needed<'_>) -> Self {
        Denied::Missing { needed: needed.to_string() }
    }

    pub(super) fn no_keys(needed: &Needed<'_>) -> Self {
        Denied::NoKeys { needed: needed.to_string() }
    }

    pub(super) fn not_local(needed: &Needed<'_>) -> Self {
        Denied::NotLocal { needed: needed.to_string() }
    }

    pub(super) fn unknown(needed: &Needed<'_>, reason: impl ToString) -> Self {
        Denied::Unknown { needed: needed.to_string(), reason: reason.to_string() }
    }

    pub(super) fn lacking(needed: &Needed<'_>, holder: String) -> Self {
        Denied::Lacking { needed: needed.to_string(), holder }
    }

    /// Returns the value of the header `WWW-Authenticate` (RFC 6750, section 3).
    pub fn challenge(&self) -> String {
        let (needed, error) = match self {
            Denied::Missing { needed } | Denied::NoKeys { needed } | Denied::NotLocal { needed } => {
                (needed, "")
            }
            Denied::Unknown { needed, .. } => (needed, ", error=\"invalid_token\""),
            Denied::Lacking { needed, .. } => (needed, ", error=\"insufficient_scope\""),
        };
        format!("Bearer realm=\"livecounter\"{error}, scope=\"{needed}\"")
    }
}
