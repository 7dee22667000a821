//! One key of the settings.

use std::fmt;

use ring::hmac;
use subtle::ConstantTimeEq;

use super::needed::Needed;
use super::scope::Scope;
use super::secret::{is_id, sha256_of};

/// The longest name of a key, in bytes.
const LONGEST_NAME: usize = 64;

/// A key: its name for people, its id, the digest of its secret, and its scopes.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    name: String,
    id: String,
    sha256: [u8; 32],
    scopes: Vec<Scope>,
}

/// The reason for refusing a key of the settings. The message never quotes a text that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty or too long, or has a character that is not allowed.
    #[error("the name of a key consists of 1 to {LONGEST_NAME} characters of A-Z a-z 0-9 . _ -")]
    Name,
    /// The id does not have the form of the ids that `livecounter key new` makes.
    #[error("id must be the 8 characters between the underscores of the secret")]
    Id,
    /// The digest is not SHA-256 in hexadecimal digits.
    #[error(
        "sha256 must be the 64 hexadecimal digits that `livecounter key new` prints, not the secret itself"
    )]
    Digest,
    /// The key has no scopes, so it allows nothing.
    #[error("scopes must name at least one scope, such as write:counters/shop-")]
    NoScope,
}

impl AccessKey {
    /// Makes a key of the settings; `sha256` is the digest of its secret in hexadecimal digits.
    pub fn new(name: &str, id: &str, sha256: &str, scopes: Vec<Scope>) -> Result<Self, KeyError> {
        Self::check_name(name)?;
        if !is_id(id) {
            return Err(KeyError::Id);
        }
        if scopes.is_empty() {
            return Err(KeyError::NoScope);
        }
        let sha256 = bytes_of(sha256).ok_or(KeyError::Digest)?;
        Ok(AccessKey { name: name.to_owned(), id: id.to_owned(), sha256, scopes })
    }

    /// Refuses a name that a key may not have.
    pub fn check_name(name: &str) -> Result<(), KeyError> {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if plain && (1..=LONGEST_NAME).contains(&name.len()) { Ok(()) } else { Err(KeyError::Name) }
    }

    /// The name of the key, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id, by which the service finds the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the key allows.
    pub(super) fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Returns whether `secret` is the secret of this key. The time of the comparison does not depend on how much of a guess is right.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.sha256.ct_eq(&sha256_of(secret)).into()
    }

    /// The digest of the secret.
    pub(super) fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Signs a text with the digest of the secret, which all origins know.
    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        hmac::sign(&self.signing_key(), text.as_bytes()).as_ref().to_vec()
    }

    /// Returns whether [`sign`](Self::sign) has made this signature of the text. The time of the comparison does not depend on the signature.
    pub(super) fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        hmac::verify(&self.signing_key(), text.as_bytes(), signature).is_ok()
    }

    fn signing_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.sha256)
    }

    /// Returns whether one of the key's scopes covers what a request needs.
    pub fn allows(&self, needed: &Needed<'_>) -> bool {
        self.scopes.iter().any(|scope| scope.covers(needed))
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessKey({}, {})", self.name, self.id)
    }
}

/// Decodes 64 hexadecimal digits; returns `None` if the text has another form.
fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{NewSecret, Space, Verb};

    fn scopes() -> Vec<Scope> {
        vec!["write:counters/shop-".parse().expect("a scope"), "read:".parse().expect("a scope")]
    }

    #[test]
    fn a_key_knows_its_secret_and_what_it_allows() {
        let secret = NewSecret::generate().expect("random numbers");
        let key = AccessKey::new("shop", secret.id(), &secret.sha256(), scopes()).expect("a key");
        assert!(key.has_secret(secret.expose()));
        let mut cut = secret.expose().to_owned();
        cut.pop();
        let other = NewSecret::generate().expect("random numbers");
        for wrong in ["", &cut, &secret.sha256(), other.expose(), &secret.expose().to_uppercase()] {
            assert!(!key.has_secret(wrong), "{wrong}");
        }
        assert!(key.allows(&Needed::One(Verb::Write, Space::Counters, "shop-1")));
        assert!(key.allows(&Needed::One(Verb::Read, Space::Counters, "other")));
        assert!(!key.allows(&Needed::One(Verb::Write, Space::Counters, "other")));
        assert!(!key.allows(&Needed::One(Verb::Manage, Space::Counters, "shop-1")));
        let upper = AccessKey::new("shop", secret.id(), &secret.sha256().to_uppercase(), scopes());
        assert_eq!(upper, Ok(key));
    }

    #[test]
    fn an_invalid_key_is_refused_without_being_quoted() {
        let (id, digest) = ("01234567", "ab".repeat(32));
        let long = "n".repeat(65);
        for name in ["", &long, "a b", "a\n", "caf\u{e9}", "a/b", "\"", "a\0"] {
            assert_eq!(AccessKey::new(name, id, &digest, scopes()), Err(KeyError::Name), "{name:?}");
        }
        for id in ["", "0123456", "012345678", "0123456o", "0123456I", "0123456\u{e9}"] {
            assert_eq!(AccessKey::new("a", id, &digest, scopes()), Err(KeyError::Id), "{id:?}");
        }
        let secret = NewSecret::generate().expect("random numbers");
        for digest in ["", "ab", &"xy".repeat(32), &"\u{e9}".repeat(32), secret.expose()] {
            let error = AccessKey::new("a", id, digest, scopes()).expect_err("a refusal");
            assert_eq!(error, KeyError::Digest);
            assert!(digest.is_empty() || !error.to_string().contains(digest));
        }
        assert_eq!(AccessKey::new("a", id, &digest, Vec::new()), Err(KeyError::NoScope));
    }

    #[test]
    fn debugging_a_key_shows_no_digest() {
        let key = AccessKey::new("a", "01234567", &"ab".repeat(32), scopes()).expect("a key");
        assert_eq!(format!("{key:?}"), "AccessKey(a, 01234567)");
    }
}
