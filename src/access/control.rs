//! Decides whether a request may do what it asks for.

use std::sync::{Arc, PoisonError, RwLock};

use super::denied::Denied;
use super::grant::Grant;
use super::keys::Keys;
use super::needed::Needed;
use super::prefix::Space;
use super::presented::Presented;
use super::public_routes::PublicRoutes;
use super::session::{self, NewSession, Session};
use super::ticket::TicketVerifier;
use super::verb::Verb;
use super::write_rules::{WriteRules, Writers};

/// The settings of access.
#[derive(Clone, Debug, Default)]
pub struct AccessOptions {
    /// All keys that the service knows.
    pub keys: Keys,
    /// The verifier of tickets; `None` if the service accepts no tickets.
    pub tickets: Option<TicketVerifier>,
    /// The rules that decide which clients may write.
    pub write: WriteRules,
    /// The routes that every client may read.
    pub public: PublicRoutes,
}

/// Decides which requests are allowed; all workers share one `Access`.
#[derive(Debug)]
pub struct Access {
    keys: RwLock<Arc<Keys>>,
    pub(super) tickets: Option<TicketVerifier>,
    write: WriteRules,
    public: PublicRoutes,
}

impl Access {
    /// Makes an `Access` that decides by these settings.
    pub fn new(options: AccessOptions) -> Self {
        let AccessOptions { keys, tickets, write, public } = options;
        Access { keys: RwLock::new(Arc::new(keys)), tickets, write, public }
    }

    /// Replaces all keys. Requests that are checked later need one of the new keys.
    pub fn replace_keys(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Returns what a request needs to add to the thing of this name; `None` if every client may, even without a key or a ticket.
    pub fn needed_to_write<'a>(&self, space: Space, name: &'a str) -> Option<Needed<'a>> {
        match self.write.writers(space, name) {
            Writers::Anyone => None,
            Writers::Key => Some(Needed::One(Verb::Write, space, name)),
        }
    }

    /// Returns whether the service has no keys and accepts no tickets, so that it must refuse every request that needs one.
    pub fn has_no_keys(&self) -> bool {
        self.tickets.is_none() && self.keys().is_empty()
    }

    /// Begins the session of an administrator at this time, in seconds since 1970; `None` if this is not the secret of a key with the
    /// scope `admin`.
    pub fn begin_session(&self, secret: &str, now: u64) -> Option<NewSession> {
        session::begin(&self.keys(), secret, now)
    }

    /// Returns the session that a cookie holds, if it is good at this time and its key still has the scope `admin`.
    pub fn session(&self, text: &str, now: u64) -> Option<Session> {
        session::find(&self.keys(), text, now)
    }

    pub(super) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses a request whose key or ticket does not cover what the request needs.
    pub fn require(&self, presented: &Presented<'_>, needed: &Needed<'_>) -> Result<(), Denied> {
        match presented {
            Presented::Nothing | Presented::Key(_) if self.has_no_keys() => Err(Denied::no_keys(needed)),
            _ => self.grant(presented, needed).map(drop),
        }
    }

    /// Returns what allows a request that uses something private: the setting `public`, a key or a ticket. Without any keys, `is_local` allows
    /// everything: it says that the request came straight from the machine of the service.
    pub fn admit(
        &self,
        presented: &Presented<'_>,
        needed: &Needed<'_>,
        is_local: bool,
    ) -> Result<Grant, Denied> {
        if self.is_public(needed) {
            return Ok(Grant::Public);
        }
        match self.has_no_keys() {
            true if is_local => Ok(Grant::Local),
            true => Err(Denied::not_local(needed)),
            false => self.grant(presented, needed),
        }
    }

    pub(super) fn is_public(&self, needed: &Needed<'_>) -> bool {
        match needed {
            Needed::One(Verb::Read, Space::Routes, route) => self.public.covers(route),
            Needed::Beginning(Verb::Read, Space::Routes, begin) => self.public.covers_all(begin),
            _ => false,
        }
    }

    /// Returns the key or the ticket of a request, if it covers what the request needs.
    fn grant(&self, presented: &Presented<'_>, needed: &Needed<'_>) -> Result<Grant, Denied> {
        match presented {
            Presented::Nothing => Err(Denied::missing(needed)),
            Presented::Key(secret) => match self.keys().find(secret) {
                None => Err(Denied::unknown(needed, "the key is not known here")),
                Some(key) if key.allows(needed) => {
                    Ok(Grant::Key { id: key.id().to_owned(), sha256: *key.sha256() })
                }
                Some(key) => Err(Denied::lacking(needed, format!("the key {}", key.name()))),
            },
            Presented::Ticket(ticket) => match self.tickets.as_ref().map(|tickets| tickets.open(ticket)) {
                None => Err(Denied::unknown(needed, "tickets are not taken here")),
                Some(Err(error)) => Err(Denied::unknown(needed, error)),
                Some(Ok(ticket)) if ticket.scopes.iter().any(|scope| scope.covers(needed)) => {
                    Ok(Grant::of_ticket(ticket.exp))
                }
                Some(Ok(_)) => Err(Denied::lacking(needed, "the ticket".to_owned())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::test_keys::{READ, access_to_routes, key, presented, secret};
    use crate::access::{AccessKey, new_ticket};
    use crate::jwt::SigningKey;

    fn access(keys: Vec<AccessKey>, write: &[&str]) -> Access {
        Access::new(AccessOptions {
            keys: Keys::new(keys).expect("keys"),
            tickets: None,
            write: WriteRules::parse(write.iter().copied()).expect("rules"),
            ..AccessOptions::default()
        })
    }

    const ONE: Needed<'static> = Needed::One(Verb::Manage, Space::Counters, "1");

    #[test]
    fn a_key_with_the_scope_may_and_other_keys_learn_which_scope_they_lack() {
        let (owner, other, unknown) = (secret(), secret(), secret());
        let access = access(
            vec![key("owner", &owner, "manage:counters/1/"), key("other", &other, "manage:counters/2/")],
            &[],
        );
        assert_eq!(access.require(&presented(owner.expose()), &ONE), Ok(()));
        let denied = |presented: &Presented<'_>| access.require(presented, &ONE).expect_err("a refusal");
        let nothing = denied(&Presented::Nothing);
        assert_eq!(
            nothing.to_string(),
            "this needs a key or a ticket with the scope manage:counters/1/ (Authorization: Bearer, X-Ocean-Key, or _key or _ticket in the query)"
        );
        assert_eq!(nothing.challenge(), "Bearer realm=\"livecounter\", scope=\"manage:counters/1/\"");
        let cut = &owner.expose()[..40];
        for wrong in [unknown.expose(), cut, ""] {
            let wrong = denied(&presented(wrong));
            assert_eq!(
                wrong.to_string(),
                "the key is not known here; this needs one with the scope manage:counters/1/"
            );
            assert!(wrong.challenge().contains("error=\"invalid_token\""));
        }
        let lacking = denied(&presented(other.expose()));
        assert_eq!(lacking.to_string(), "the key other does not have the scope manage:counters/1/");
        assert!(lacking.challenge().contains("error=\"insufficient_scope\""));
    }

    #[test]
    fn writing_needs_a_key_only_where_the_rules_say_so() {
        let shop = secret();
        let access =
            access(vec![key("shop", &shop, "write:counters/shop-")], &["key", "anyone:counters/public-"]);
        let may = |presented: &Presented<'_>, name| {
            let needed = access.needed_to_write(Space::Counters, name);
            needed.map_or(Ok(()), |needed| access.require(presented, &needed))
        };
        assert_eq!(may(&Presented::Nothing, "public-1"), Ok(()));
        assert_eq!(may(&presented("lc_wrong"), "public-1"), Ok(()));
        assert_eq!(may(&presented(shop.expose()), "shop-1"), Ok(()));
        assert!(matches!(may(&presented(shop.expose()), "1"), Err(Denied::Lacking { .. })));
        assert!(matches!(may(&Presented::Nothing, "shop-1"), Err(Denied::Missing { .. })));
    }

    #[test]
    fn a_ticket_allows_what_its_scopes_cover() {
        let key: SigningKey = "a-secret-of-18-byt".parse().expect("a key");
        let tickets = key.verify_key().map(TicketVerifier::new);
        let access = Access::new(AccessOptions { tickets, ..AccessOptions::default() });
        let ticket = |scope: &str| {
            let scopes = [scope.parse().expect("a scope")];
            new_ticket(&key, &scopes, Duration::from_secs(60)).expect("a ticket")
        };
        let require =
            |access: &Access, ticket: String| access.require(&Presented::Ticket(ticket.into()), &ONE);
        assert_eq!(require(&access, ticket("manage:counters/1/")), Ok(()));
        assert_eq!(
            require(&access, ticket("manage:counters/2/")).expect_err("a refusal").to_string(),
            "the ticket does not have the scope manage:counters/1/"
        );
        let mut forged = ticket("admin");
        forged.pop();
        assert_eq!(
            require(&access, forged).expect_err("a refusal").to_string(),
            "the ticket is not signed with access.ticket_key, or is no JWT with exp and a list of scopes; this needs one \
             with the scope manage:counters/1/"
        );
        assert_eq!(
            require(&Access::new(AccessOptions::default()), ticket("admin"))
                .expect_err("a refusal")
                .to_string(),
            "tickets are not taken here; this needs one with the scope manage:counters/1/"
        );
    }

    #[test]
    fn where_there_is_no_key_the_refusal_says_how_one_is_made() {
        let none = access(Vec::new(), &["key"]);
        let expected = "this needs a key with the scope manage:counters/1/, and this service has no keys yet: `livecounter \
                        key new NAME --scope manage:counters/1/` makes one and prints the lines for the configuration";
        for presented in [Presented::Nothing, presented("lc_wrong")] {
            let denied = none.require(&presented, &ONE).expect_err("a refusal");
            assert_eq!(denied.to_string(), expected);
            assert_eq!(denied.challenge(), "Bearer realm=\"livecounter\", scope=\"manage:counters/1/\"");
        }
        let key: SigningKey = "a-secret-of-18-byt".parse().expect("a key");
        let tickets = key.verify_key().map(TicketVerifier::new);
        let tickets = Access::new(AccessOptions { tickets, ..AccessOptions::default() });
        assert!(matches!(tickets.require(&Presented::Nothing, &ONE), Err(Denied::Missing { .. })));
    }

    #[test]
    fn keys_that_were_replaced_are_not_known_any_more() {
        let (old, new) = (secret(), secret());
        let access = access(vec![key("a", &old, "admin")], &[]);
        assert_eq!(access.require(&presented(old.expose()), &Needed::Admin), Ok(()));
        access.replace_keys(Keys::new(vec![key("a", &new, "admin")]).expect("keys"));
        assert!(matches!(
            access.require(&presented(old.expose()), &Needed::Admin),
            Err(Denied::Unknown { .. })
        ));
        assert_eq!(access.require(&presented(new.expose()), &Needed::Admin), Ok(()));
    }

    const WRITE: Needed<'static> = Needed::One(Verb::Write, Space::Routes, "a/b");

    #[test]
    fn without_keys_only_the_machine_itself_uses_what_is_private() {
        let none = access_to_routes(Vec::new(), &[]);
        for presented in [Presented::Nothing, presented("lc_wrong")] {
            for needed in [READ, WRITE, Needed::Sql, Needed::Admin] {
                assert!(none.admit(&presented, &needed, true).is_ok_and(|grant| grant == Grant::Local));
                let denied = none.admit(&presented, &needed, false).err().expect("a refusal");
                assert_eq!(denied, Denied::NotLocal { needed: needed.to_string() });
            }
        }
        // As soon as there is a key, the machine itself needs one, too.
        none.replace_keys(Keys::new(vec![key("a", &secret(), "admin")]).expect("keys"));
        assert!(matches!(none.admit(&Presented::Nothing, &READ, true), Err(Denied::Missing { .. })));
        assert!(!none.still_allows(&Grant::Local, &READ));
    }

    #[test]
    fn a_public_route_is_read_by_every_client_and_not_written() {
        let access = access_to_routes(vec![key("a", &secret(), "admin")], &["a/*"]);
        let admit = |needed: &Needed<'_>| access.admit(&Presented::Nothing, needed, false);
        assert!(admit(&READ).is_ok_and(|grant| grant == Grant::Public));
        assert!(admit(&Needed::Beginning(Verb::Read, Space::Routes, "a/")).is_ok());
        for needed in [
            WRITE,
            Needed::One(Verb::Manage, Space::Routes, "a/b"),
            Needed::One(Verb::Read, Space::Routes, "a"),
            Needed::Beginning(Verb::Read, Space::Routes, ""),
            Needed::One(Verb::Read, Space::Counters, "a/b"),
            Needed::Sql,
        ] {
            assert!(matches!(admit(&needed), Err(Denied::Missing { .. })), "{needed}");
        }
    }
}
