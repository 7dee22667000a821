//! Decides whether a stream that was opened may go on, also where a proxy holds it.

use super::control::Access;
use super::grant::{Grant, Pass};
use super::needed::Needed;
use super::ticket::unix_time;

impl Access {
    /// Returns whether what allowed a stream still allows it.
    pub fn still_allows(&self, grant: &Grant, needed: &Needed<'_>) -> bool {
        match grant {
            Grant::Public => self.is_public(needed),
            Grant::Local => self.has_no_keys(),
            Grant::Key { id, sha256 } => {
                self.keys().of_id(id).is_some_and(|key| key.sha256() == sha256 && key.allows(needed))
            }
            Grant::Ticket { until } => unix_time() < *until,
        }
    }

    /// Returns the text with which a proxy may ask for recoveries of a stream. `None` if no text can prove what allowed the stream: it was a
    /// ticket, and the key of tickets is public, or it was the stream's way straight from the machine of the service.
    pub fn pass(&self, grant: &Grant, needed: &Needed<'_>) -> Option<String> {
        match grant {
            Grant::Public => Some(Pass::Public.signed(b"", needed)),
            Grant::Local => None,
            Grant::Key { id, sha256 } => Some(Pass::Key(id).signed(sha256, needed)),
            Grant::Ticket { until } => {
                let secret = self.tickets.as_ref()?.secret()?;
                Some(Pass::Ticket(*until).signed(secret, needed))
            }
        }
    }

    /// Returns what allowed the stream for which [`Access::pass`] has made this text, if it still allows the stream.
    pub fn of_pass(&self, pass: &str, needed: &Needed<'_>) -> Option<Grant> {
        let (pass, signature) = Pass::parse(pass)?;
        let (grant, is_signed) = match pass {
            Pass::Public => (Grant::Public, true),
            Pass::Key(id) => {
                let sha256 = *self.keys().of_id(id)?.sha256();
                (Grant::Key { id: id.to_owned(), sha256 }, pass.is_signed(signature, &sha256, needed))
            }
            Pass::Ticket(until) => {
                let secret = self.tickets.as_ref()?.secret()?;
                (Grant::Ticket { until }, pass.is_signed(signature, secret, needed))
            }
        };
        (is_signed && self.still_allows(&grant, needed)).then_some(grant)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::test_keys::{READ, access_to_routes, key, presented, secret};
    use crate::access::{AccessOptions, Keys, Presented, Space, TicketVerifier, Verb, new_ticket};
    use crate::jwt::SigningKey;

    #[test]
    fn a_pass_is_good_as_long_as_what_it_stands_for() {
        let (one, other) = (secret(), secret());
        let access = access_to_routes(vec![key("a", &one, "read:routes/a/")], &[]);
        let grant = access.admit(&presented(one.expose()), &READ, false).expect("a grant");
        let pass = access.pass(&grant, &READ).expect("a pass");
        assert!(access.of_pass(&pass, &READ).is_some_and(|found| found == grant));
        assert!(!pass.contains(&one.expose()[12..]) && !pass.contains(&one.sha256()));
        let elsewhere = Needed::One(Verb::Read, Space::Routes, "a/c");
        for (pass, needed) in [
            (&*pass, &elsewhere),
            ("public", &READ),
            ("", &READ),
            (&pass[..pass.len() - 1], &READ),
            (&format!("k.{}.{}", other.id(), &pass[11..]), &READ),
        ] {
            assert!(access.of_pass(pass, needed).is_none(), "{pass}");
        }
        // Neither another secret nor another scope under the same name lets the stream go on.
        for keys in [vec![key("a", &other, "read:routes/a/")], vec![key("a", &one, "read:routes/b/")], vec![]]
        {
            access.replace_keys(Keys::new(keys).expect("keys"));
            assert!(access.of_pass(&pass, &READ).is_none() && !access.still_allows(&grant, &READ));
        }
    }

    #[test]
    fn the_pass_of_a_ticket_ends_with_the_ticket_and_needs_a_secret() {
        let key: SigningKey = "a-secret-of-18-byt".parse().expect("a key");
        let access = Access::new(AccessOptions {
            tickets: key.verify_key().map(TicketVerifier::new),
            ..AccessOptions::default()
        });
        let ticket = new_ticket(&key, &["read:".parse().expect("a scope")], Duration::from_secs(60));
        let ticket = Presented::Ticket(ticket.expect("a ticket").into());
        let grant = access.admit(&ticket, &READ, false).expect("a grant");
        let pass = access.pass(&grant, &READ).expect("a pass");
        assert!(access.of_pass(&pass, &READ).is_some_and(|found| found == grant));
        let over = access.pass(&Grant::Ticket { until: 60 }, &READ).expect("a pass");
        assert!(access.of_pass(&over, &READ).is_none());
        let public = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEl5Y6UhIro3dmFgZVn022h1/BHwPmdwrIg2BfgI7m7VgqNe6YLO59Bo/7DtIxf8iN7dPgqL6jUywGQHpVLU7uJQ==";
        let tickets = Some(TicketVerifier::new(public.parse().expect("a key")));
        let public = Access::new(AccessOptions { tickets, ..AccessOptions::default() });
        assert!(public.pass(&grant, &READ).is_none() && public.of_pass(&pass, &READ).is_none());
    }
}
