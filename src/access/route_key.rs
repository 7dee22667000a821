//! A key whose secret stands in a public page.

use super::keys::Keys;
use super::prefix::Space;
use super::scope::Scope;
use super::verb::Verb;

/// The secret of a key that writes below one route and can do nothing else, so that a page may show the secret to all its visitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteKey {
    /// The secret of the key.
    pub secret: String,
    /// The route. The key writes to it and to the routes below it.
    pub route: String,
}

/// The reason for keeping a secret out of public pages. The message never quotes the text, which may be the secret of another key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteKeyError {
    /// No key of the settings has this secret.
    #[error("must be the secret of one of the keys, lc_…, as `livecounter key new` prints it")]
    NoKey,
    /// The key may do more than to write below one route.
    #[error(
        "every visitor can read the secret, so the key {0} must have the scope write:routes/ROUTE/ alone, with the slash at the end"
    )]
    MayDoMore(String),
}

impl RouteKey {
    /// Finds the key that has this secret.
    pub fn find(secret: &str, keys: &Keys) -> Result<Self, RouteKeyError> {
        let key = keys.find(secret).ok_or(RouteKeyError::NoKey)?;
        let route = match key.scopes() {
            [Scope::On(Verb::Write, prefix)] => {
                prefix.rest(Space::Routes).and_then(|it| it.strip_suffix('/'))
            }
            _ => None,
        };
        let route = route.filter(|route| !route.is_empty());
        let route = route.ok_or_else(|| RouteKeyError::MayDoMore(key.name().to_owned()))?;
        Ok(RouteKey { secret: secret.to_owned(), route: route.to_owned() })
    }
}
