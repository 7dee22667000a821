//! Keys and what they open, for the tests of this module.

use super::{
    Access, AccessKey, AccessOptions, Keys, Needed, NewSecret, Presented, PublicRoutes, Space, Verb,
};

/// What reading the route `a/b` needs.
pub(super) const READ: Needed<'static> = Needed::One(Verb::Read, Space::Routes, "a/b");

pub(super) fn key(name: &str, secret: &NewSecret, scope: &str) -> AccessKey {
    let scopes = vec![scope.parse().expect("a scope")];
    AccessKey::new(name, secret.id(), &secret.sha256(), scopes).expect("a key")
}

pub(super) fn secret() -> NewSecret {
    NewSecret::generate().expect("random numbers")
}

pub(super) fn presented(secret: &str) -> Presented<'_> {
    Presented::Key(secret.into())
}

pub(super) fn access_to_routes(keys: Vec<AccessKey>, public: &[&str]) -> Access {
    Access::new(AccessOptions {
        keys: Keys::new(keys).expect("keys"),
        public: PublicRoutes::parse(public.iter().copied()).expect("rules"),
        ..AccessOptions::default()
    })
}
