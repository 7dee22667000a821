//! All keys of the settings.

use std::collections::{HashMap, HashSet};

use super::key::AccessKey;
use super::secret::{id_of, sha256_of};

/// All keys, by the ids that their secrets contain.
#[derive(Clone, Debug, Default)]
pub struct Keys(HashMap<String, AccessKey>);

/// Two keys have the same name or the same id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DuplicateKey {
    /// Two keys have the same name, so messages could not tell which one they mean.
    #[error("two keys have the name {0}")]
    Name(String),
    /// Two keys have the same id, so a secret could not tell which one it belongs to.
    #[error("the keys {0} and {1} have the same id: make a new secret for one of them")]
    Id(String, String),
}

impl Keys {
    /// Makes the table of these keys. Refuses two keys with the same name or the same id.
    pub fn new(keys: Vec<AccessKey>) -> Result<Self, DuplicateKey> {
        let mut names = HashSet::new();
        let mut by_id: HashMap<String, AccessKey> = HashMap::new();
        for key in keys {
            if !names.insert(key.name().to_owned()) {
                return Err(DuplicateKey::Name(key.name().to_owned()));
            }
            if let Some(first) = by_id.get(key.id()) {
                return Err(DuplicateKey::Id(first.name().to_owned(), key.name().to_owned()));
            }
            by_id.insert(key.id().to_owned(), key);
        }
        Ok(Keys(by_id))
    }

    /// Returns the key that has this secret.
    pub fn find(&self, secret: &str) -> Option<&AccessKey> {
        match id_of(secret).and_then(|id| self.0.get(id)) {
            Some(key) => key.has_secret(secret).then_some(key),
            None => {
                // The digest is computed for an unknown id, too: the time of the answer must not show whether a key has this id.
                std::hint::black_box(sha256_of(&secret[..secret.floor_char_boundary(64)]));
                None
            }
        }
    }

    /// Returns the key that has this id.
    pub(super) fn of_id(&self, id: &str) -> Option<&AccessKey> {
        self.0.get(id)
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::NewSecret;

    fn key(name: &str, secret: &NewSecret) -> AccessKey {
        let scopes = vec!["write:".parse().expect("a scope")];
        AccessKey::new(name, secret.id(), &secret.sha256(), scopes).expect("a key")
    }

    #[test]
    fn a_key_is_found_by_its_whole_secret_alone() {
        let secrets: Vec<NewSecret> =
            (0..3).map(|_| NewSecret::generate().expect("random numbers")).collect();
        let (one, other, none) = (&secrets[0], &secrets[1], &secrets[2]);
        let keys = Keys::new(vec![key("one", one), key("other", other)]).expect("keys");
        assert_eq!((keys.len(), keys.is_empty(), Keys::default().is_empty()), (2, false, true));
        assert_eq!(keys.find(one.expose()).map(AccessKey::name), Some("one"));
        assert_eq!(keys.find(other.expose()).map(AccessKey::name), Some("other"));
        // `mixed` has the id of one key and the random part of another.
        let mixed = format!("lc_{}_{}", one.id(), other.expose().rsplit('_').next().expect("a part"));
        let cut = &one.expose()[..one.expose().len() - 1];
        let long = "\u{e9}".repeat(5_000);
        for wrong in [none.expose(), &mixed, cut, one.id(), &one.sha256(), "", "lc_", &long] {
            assert_eq!(keys.find(wrong), None, "{wrong}");
        }
        assert_eq!(Keys::default().find(one.expose()), None);
    }

    #[test]
    fn two_keys_of_one_name_or_id_are_refused() {
        let (one, other) =
            (NewSecret::generate().expect("random numbers"), NewSecret::generate().expect("random numbers"));
        let same_name = Keys::new(vec![key("a", &one), key("a", &other)]).expect_err("a refusal");
        assert_eq!(same_name.to_string(), "two keys have the name a");
        let same_id = Keys::new(vec![key("a", &one), key("b", &one)]).expect_err("a refusal");
        assert_eq!(
            same_id.to_string(),
            "the keys a and b have the same id: make a new secret for one of them"
        );
    }
}
