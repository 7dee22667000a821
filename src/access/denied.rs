//! Why a request may not do what it asks for. It says which scope is missing, and never whether a name exists.

use super::needed::Needed;

/// Where a key or a ticket belongs.
const PLACES: &str = "Authorization: Bearer, X-Ocean-Key, or _key or _ticket in the query";

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing was presented. For HTTP: 401.
    #[error("this needs a key or a ticket with the scope {needed} ({PLACES})")]
    Missing {
        /// The least scope that would suffice.
        needed: String,
    },
    /// Nothing was presented that could count, since there is no key and no ticket is taken. For HTTP: 401.
    #[error(
        "this needs a key with the scope {needed}, and this service has no keys yet: `livecounter key new NAME --scope \
         {needed}` makes one and prints the lines for the configuration"
    )]
    NoKeys {
        /// The least scope that would suffice.
        needed: String,
    },
    /// What was presented is no key and no ticket that counts here. For HTTP: 401.
    #[error("{reason}; this needs one with the scope {needed}")]
    Unknown {
        /// The least scope that would suffice.
        needed: String,
        /// What is wrong with what was presented.
        reason: String,
    },
    /// A known key or a good ticket that does not allow this. For HTTP: 403.
    #[error("{holder} does not have the scope {needed}")]
    Lacking {
        /// The least scope that would suffice.
        needed: String,
        /// The key by its name, or the ticket.
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

    pub(super) fn unknown(needed: &Needed<'_>, reason: impl ToString) -> Self {
        Denied::Unknown { needed: needed.to_string(), reason: reason.to_string() }
    }

    pub(super) fn lacking(needed: &Needed<'_>, holder: String) -> Self {
        Denied::Lacking { needed: needed.to_string(), holder }
    }

    /// What the header `WWW-Authenticate` says (RFC 6750, section 3).
    pub fn challenge(&self) -> String {
        let (needed, error) = match self {
            Denied::Missing { needed } | Denied::NoKeys { needed } => (needed, ""),
            Denied::Unknown { needed, .. } => (needed, ", error=\"invalid_token\""),
            Denied::Lacking { needed, .. } => (needed, ", error=\"insufficient_scope\""),
        };
        format!("Bearer realm=\"livecounter\"{error}, scope=\"{needed}\"")
    }
}
