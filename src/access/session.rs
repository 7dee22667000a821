//! Sessions of administrators: what the cookie of a browser holds after a login with a key.
//!
//! A session names the key by its id and is signed with the digest of the key's secret. So each origin accepts the sessions of all
//! others, nothing is stored, and a session ends when its key is removed.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::key::AccessKey;
use super::keys::Keys;
use super::needed::Needed;

/// How long a session is good if nothing renews it.
const LIFE: u64 = 3600;
/// How long a session can be renewed after the login.
const LONGEST: u64 = 12 * 3600;
/// What the signature covers begins with this text, so that it is good for nothing else.
const PURPOSE: &str = "livecounter session of an administrator";

/// A session that is good now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The name of the key.
    pub key: String,
    /// The text for the cookie if the session should be renewed, and for how long that text is good.
    pub renewed: Option<NewSession>,
}

/// The text of a new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The text for the cookie. It has only characters that a cookie may have.
    pub text: String,
    /// How long the session is good.
    pub lifetime: Duration,
}

/// Makes a session of the key that has this secret at this time, in seconds since 1970; `None` if there is no such key, or if the key
/// may not do everything.
pub(super) fn begin(keys: &Keys, secret: &str, now: u64) -> Option<NewSession> {
    let key = keys.find(secret).filter(|key| key.allows(&Needed::Admin))?;
    Some(session(key, now, now))
}

/// The session that a cookie holds, if it is good at this time.
pub(super) fn find(keys: &Keys, text: &str, now: u64) -> Option<Session> {
    let (signed, signature) = text.rsplit_once('.')?;
    let mut parts = signed.split('.');
    let id = parts.next()?;
    let (begun, ends) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let key = keys.of_id(id)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let is_good = parts.next().is_none() && key.has_signed(&message(signed), &signature);
    if !is_good || !key.allows(&Needed::Admin) || !(begun..ends).contains(&now) {
        return None;
    }
    let may_last = begun.saturating_add(LONGEST);
    let is_due = ends - now < LIFE / 2 && ends < may_last;
    let renewed = is_due.then(|| session(key, begun, now));
    Some(Session { key: key.name().to_owned(), renewed })
}

fn session(key: &AccessKey, begun: u64, now: u64) -> NewSession {
    let ends = now.saturating_add(LIFE).min(begun.saturating_add(LONGEST));
    let signed = format!("{}.{begun}.{ends}", key.id());
    let signature = URL_SAFE_NO_PAD.encode(key.sign(&message(&signed)));
    NewSession { text: format!("{signed}.{signature}"), lifetime: Duration::from_secs(ends - now) }
}

fn message(signed: &str) -> String {
    format!("{PURPOSE}\n{signed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::NewSecret;
    use proptest::prelude::*;

    const NOW: u64 = 1_790_000_000;

    fn secret() -> NewSecret {
        NewSecret::generate().expect("random numbers")
    }

    fn keys(of: &[(&NewSecret, &str)]) -> Keys {
        let keys = of.iter().enumerate().map(|(at, (secret, scope))| {
            let scopes = vec![scope.parse().expect("a scope")];
            AccessKey::new(&format!("key-{at}"), secret.id(), &secret.sha256(), scopes).expect("a key")
        });
        Keys::new(keys.collect()).expect("keys")
    }

    #[test]
    fn a_session_is_good_wherever_the_key_is_known_and_until_it_ends() {
        let (owner, other) = (secret(), secret());
        let here = keys(&[(&owner, "admin")]);
        let begun = begin(&here, owner.expose(), NOW).expect("a session");
        assert_eq!(begun.lifetime, Duration::from_secs(LIFE));
        assert!(!begun.text.contains(owner.expose()) && !begun.text.contains(&owner.sha256()));
        let elsewhere = keys(&[(&other, "admin"), (&owner, "admin")]);
        let found = |keys: &Keys, now| find(keys, &begun.text, now);
        assert_eq!(found(&elsewhere, NOW + 1), Some(Session { key: "key-1".to_owned(), renewed: None }));
        assert_eq!(found(&here, NOW + LIFE), None);
        assert_eq!(found(&here, NOW - 1), None);
        assert_eq!(found(&keys(&[(&other, "admin")]), NOW), None, "the key was removed");
        assert_eq!(found(&keys(&[(&owner, "manage:")]), NOW), None, "the key has lost the scope");
    }

    #[test]
    fn a_session_is_renewed_until_twelve_hours_after_the_login() {
        let owner = secret();
        let keys = keys(&[(&owner, "admin")]);
        let mut text = begin(&keys, owner.expose(), NOW).expect("a session").text;
        let mut now = NOW;
        while let Some(session) = find(&keys, &text, now) {
            text = session.renewed.map_or(text, |renewed| renewed.text);
            now += LIFE / 4;
            assert!(now <= NOW + LONGEST, "the session lasts for ever");
        }
        assert!(now > NOW + LONGEST - LIFE, "the session ended {} s early", NOW + LONGEST - now);
    }

    #[test]
    fn a_key_without_the_scope_makes_no_session() {
        let (owner, other) = (secret(), secret());
        let keys = keys(&[(&other, "manage:")]);
        for secret in [owner.expose(), other.expose(), "", "lc_", &other.sha256()] {
            assert_eq!(begin(&keys, secret, NOW), None);
        }
    }

    #[test]
    fn a_changed_session_is_none() {
        let owner = secret();
        let keys = keys(&[(&owner, "admin")]);
        let good = begin(&keys, owner.expose(), NOW).expect("a session").text;
        assert!(find(&keys, &good, NOW).is_some());
        let longer = good.replace(&(NOW + LIFE).to_string(), &(NOW + 2 * LIFE).to_string());
        let cut = &good[..good.len() - 1];
        for text in [&longer, cut, "", ".", "...", "a.1.2.", &format!("{good}."), &format!(" {good}")] {
            assert_eq!(find(&keys, text, NOW), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_cookie_makes_it_panic(text in "[0-9a-z.]{0,40}|\\PC{0,40}", now: u64) {
            let owner = secret();
            prop_assert_eq!(find(&keys(&[(&owner, "admin")]), &text, now), None);
            let _ = begin(&keys(&[(&owner, "admin")]), owner.expose(), now);
        }
    }
}
