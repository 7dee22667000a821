//! Keys of the service, as its settings have them.

use livecounter::access::NewSecret;

/// A new secret.
pub fn secret() -> NewSecret {
    NewSecret::generate().expect("random numbers")
}

/// The table of a key, as written in the file and in `LIVECOUNTER__KEYS`. The scopes are a list as in the file: `["admin"]`.
pub fn key_table(name: &str, secret: &NewSecret, scopes: &str) -> String {
    let (id, digest) = (secret.id(), secret.sha256());
    format!("[[keys]]\nname = \"{name}\"\nid = \"{id}\"\nsha256 = \"{digest}\"\nscopes = {scopes}\n")
}

/// A secret, and the setting with a key that has it and may do everything.
pub fn owner() -> (NewSecret, &'static str) {
    let secret = secret();
    let keys = key_table("owner", &secret, r#"["admin"]"#);
    (secret, keys.leak())
}
