//! The key or the ticket that a request carries.

use std::borrow::Cow;
use std::fmt;

use super::secret::MARK;

/// The parameter of a query that carries a key.
const KEY_PARAMETER: &str = "_key";
/// The parameter of a query that carries a ticket.
const TICKET_PARAMETER: &str = "_ticket";

/// The key or the ticket that a request presents, before [`Access`](super::Access) has checked it.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Presented<'a> {
    /// The request presents neither a key nor a ticket.
    #[default]
    Nothing,
    /// The request presents this text as the secret of a key.
    Key(Cow<'a, str>),
    /// The request presents this text as a ticket.
    Ticket(Cow<'a, str>),
}

/// A request presents two different keys or tickets. The service refuses it, because the answer would depend on which one is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request has several different keys or tickets: send one, as Authorization: Bearer, X-Ocean-Key, or _key or _ticket in the query"
)]
pub struct SeveralCredentials;

impl<'a> Presented<'a> {
    /// Finds the key or the ticket in these headers and this query. Ignores an `Authorization` header with another scheme than Bearer: that
    /// one is for a program in front of the service.
    pub fn of(
        authorization: impl IntoIterator<Item = &'a str>,
        ocean_key: impl IntoIterator<Item = &'a str>,
        query: &'a str,
    ) -> Result<Self, SeveralCredentials> {
        let bearers = authorization.into_iter().filter_map(bearer);
        let headers = ocean_key.into_iter().map(|secret| Presented::Key(secret.into()));
        let mut found = Presented::Nothing;
        for presented in bearers.chain(headers).chain(of_query(query)) {
            if found != Presented::Nothing && found != presented {
                return Err(SeveralCredentials);
            }
            found = presented;
        }
        Ok(found)
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Presented::Nothing => "Nothing",
            Presented::Key(_) => "Key(..)",
            Presented::Ticket(_) => "Ticket(..)",
        })
    }
}

/// Returns the key or the ticket of an `Authorization` header; `None` if its scheme is not Bearer.
fn bearer(value: &str) -> Option<Presented<'_>> {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return None;
    }
    let token = rest.trim();
    // A ticket is a JWT: three parts with two dots between them.
    let ticket = !token.starts_with(MARK) && token.matches('.').count() == 2;
    Some(if ticket { Presented::Ticket(token.into()) } else { Presented::Key(token.into()) })
}

fn of_query(query: &str) -> impl Iterator<Item = Presented<'_>> {
    // A query without an underscore and without a percent sign has neither parameter and is not parsed: the names begin with an underscore,
    // which may be percent-encoded.
    let query = if query.contains(['_', '%']) { query } else { "" };
    url::form_urlencoded::parse(query.as_bytes()).filter_map(|(name, value)| match &*name {
        KEY_PARAMETER => Some(Presented::Key(value)),
        TICKET_PARAMETER => Some(Presented::Ticket(value)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Result<Presented<'_>, SeveralCredentials> {
        Ok(Presented::Key(text.into()))
    }

    fn ticket(text: &str) -> Result<Presented<'_>, SeveralCredentials> {
        Ok(Presented::Ticket(text.into()))
    }

    #[test]
    fn a_key_and_a_ticket_have_several_places() {
        for (authorization, expected) in [
            ("Bearer lc_a_b", key("lc_a_b")),
            ("bearer   lc_a_b ", key("lc_a_b")),
            ("BEARER a.b.c", ticket("a.b.c")),
            ("Bearer lc_a.b.c", key("lc_a.b.c")),
            ("Bearer", key("")),
            ("Bearer something", key("something")),
            ("Basic dXNlcjpwYXNz", Ok(Presented::Nothing)),
            ("", Ok(Presented::Nothing)),
            ("lc_a_b", Ok(Presented::Nothing)),
        ] {
            assert_eq!(Presented::of([authorization], [], ""), expected, "{authorization}");
        }
        assert_eq!(Presented::of([], ["lc_a_b"], ""), key("lc_a_b"));
        for (query, expected) in [
            ("_key=lc_a_b", key("lc_a_b")),
            ("by=5&_key=lc_a_b&x=", key("lc_a_b")),
            ("%5Fkey=lc%5Fa_b", key("lc_a_b")),
            ("_ticket=a.b.c", ticket("a.b.c")),
            ("_key", key("")),
            ("_key=a%26b", key("a&b")),
            ("_keys=a&key=b&_KEY=c&by=_key", Ok(Presented::Nothing)),
            ("", Ok(Presented::Nothing)),
        ] {
            assert_eq!(Presented::of([], [], query), expected, "{query}");
        }
    }

    #[test]
    fn two_different_ones_are_refused_and_one_twice_is_one() {
        assert_eq!(Presented::of(["Bearer lc_a"], ["lc_a"], "_key=lc_a&_key=lc_a"), key("lc_a"));
        assert_eq!(Presented::of(["Basic x", "Bearer lc_a"], [], ""), key("lc_a"));
        for (authorization, ocean_key, query) in [
            (vec!["Bearer lc_a", "Bearer lc_b"], vec![], ""),
            (vec!["Bearer lc_a"], vec!["lc_b"], ""),
            (vec![], vec!["lc_a", "lc_b"], ""),
            (vec!["Bearer lc_a"], vec![], "_key=lc_b"),
            (vec!["Bearer lc_a"], vec![], "_ticket=lc_a"),
            (vec![], vec![], "_key=lc_a&_key=lc_b"),
            (vec![], vec![], "_key=&_key=lc_b"),
        ] {
            assert_eq!(Presented::of(authorization, ocean_key, query), Err(SeveralCredentials));
        }
    }

    #[test]
    fn debug_output_does_not_show_a_presented_secret() {
        let presented = Presented::of(["Bearer lc_hush"], [], "").expect("one");
        assert_eq!(format!("{presented:?}"), "Key(..)");
    }

    proptest! {
        #[test]
        fn no_header_and_no_query_makes_it_panic(header in "(Bearer )?\\PC{0,40}", query in "(_key=)?\\PC{0,40}") {
            let _ = Presented::of([&*header], [&*header], &query);
        }
    }
}
