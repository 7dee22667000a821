//! The credential of publish requests, which is renewed before it expires.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{EncodingKey, Header};
use reqwest::header::HeaderValue;
use serde::Serialize;

use crate::jwt::SigningKey;

/// How long a token of this program is valid: ten minutes, as in every GRIP library.
const TOKEN_LIFE: Duration = Duration::from_secs(600);
/// The age at which a token is replaced. The rest of its time is for retries and for clocks that differ.
const TOKEN_RENEWAL: Duration = Duration::from_secs(300);

/// How an endpoint authorizes requests.
#[derive(Clone)]
pub(super) enum Credential {
    /// Not at all: only trusted programs reach the control port.
    Open,
    /// A complete `Authorization` value: Basic, or a bearer that is the key itself.
    Fixed(HeaderValue),
    /// A bearer that is a JWT made by this program.
    Signed { iss: String, key: SigningKey },
}

impl Credential {
    /// The key as the bearer; `None` when it has characters that no header can carry.
    pub(super) fn bearer(key: &str) -> Option<Self> {
        let visible = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
        visible.then(|| sensitive(&["Bearer ", key].concat())).flatten().map(Credential::Fixed)
    }

    pub(super) fn basic(user: &str, password: &str) -> Option<Self> {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        sensitive(&["Basic ", &pair].concat()).map(Credential::Fixed)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::Open => "Open",
            Credential::Fixed(_) => "Fixed(..)",
            Credential::Signed { .. } => "Signed(..)",
        })
    }
}

/// Makes `Authorization` values, and keeps the last one as long as it is good.
pub(super) struct Authorizer {
    credential: Credential,
    token: Option<(HeaderValue, Instant)>,
}

#[derive(Serialize)]
struct PublishClaims<'a> {
    iss: &'a str,
    exp: u64,
}

impl Authorizer {
    pub(super) fn new(credential: Credential) -> Self {
        Authorizer { credential, token: None }
    }

    /// The value to send now; `None` if the endpoint needs none.
    pub(super) fn authorization(&mut self) -> Option<HeaderValue> {
        match &self.credential {
            Credential::Open => None,
            Credential::Fixed(value) => Some(value.clone()),
            Credential::Signed { iss, key } => {
                self.token = self.token.take().filter(|(_, made)| made.elapsed() < TOKEN_RENEWAL);
                if self.token.is_none() {
                    self.token = sign(iss, key).map(|value| (value, Instant::now()));
                }
                self.token.as_ref().map(|(value, _)| value.clone())
            }
        }
    }

    /// Makes a new value next time, as the endpoint has refused the last one, perhaps because a clock was set.
    pub(super) fn renew(&mut self) {
        self.token = None;
    }
}

/// The value with a new token. `None` cannot happen, as a key is parsed only if it can sign.
fn sign(iss: &str, key: &SigningKey) -> Option<HeaderValue> {
    let exp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TOKEN_LIFE;
    let (header, key): (Header, &EncodingKey) = (Header::new(key.algorithm()), key.encoding());
    let token = jsonwebtoken::encode(&header, &PublishClaims { iss, exp: exp.as_secs() }, key).ok()?;
    sensitive(&["Bearer ", &token].concat())
}

/// The text as a header value that no library prints.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, Validation};

    fn signed(key: &str) -> Authorizer {
        Authorizer::new(Credential::Signed { iss: "realm".into(), key: key.parse().expect("a key") })
    }

    #[test]
    fn a_signed_token_carries_the_issuer_and_ten_minutes() {
        let key: SigningKey = "a-secret-of-18-byt".parse().expect("a key");
        let value = signed("a-secret-of-18-byt").authorization().expect("a value");
        let token = value.to_str().expect("text").strip_prefix("Bearer ").expect("a bearer");
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&["realm"]);
        let verify = key.verify_key().expect("a secret");
        let claims = jsonwebtoken::decode::<serde_json::Value>(token, verify.decoding(), &validation)
            .expect("a valid token")
            .claims;
        let left = claims["exp"].as_u64().expect("exp") - jsonwebtoken::get_current_timestamp();
        assert!((595..=600).contains(&left), "{left}");
        assert!(value.is_sensitive());
    }

    #[test]
    fn a_token_is_kept_until_it_is_old_or_refused() {
        // ES256 signatures of one message differ only by the message, so a past instant stands in for waiting.
        let mut authorizer = signed("a-secret-of-18-byt");
        let first = authorizer.authorization();
        let made = |authorizer: &Authorizer| authorizer.token.as_ref().expect("a token").1;
        let then = made(&authorizer);
        assert_eq!(authorizer.authorization(), first);
        assert_eq!(made(&authorizer), then, "the second call signs nothing");
        if let Some((_, made)) = &mut authorizer.token {
            *made = made.checked_sub(TOKEN_RENEWAL).expect("a machine that is up for five minutes");
        }
        authorizer.authorization();
        assert!(made(&authorizer) > then, "an old token is replaced");
        authorizer.renew();
        assert!(authorizer.token.is_none());
    }

    #[test]
    fn bearer_and_basic_are_sent_as_they_are() {
        let value = |credential: Option<Credential>| {
            Authorizer::new(credential.expect("a credential")).authorization().expect("a value")
        };
        assert_eq!(value(Credential::bearer("k+/=")), "Bearer k+/=");
        assert_eq!(value(Credential::basic("user", "pa:ss")), "Basic dXNlcjpwYTpzcw==");
        assert!(Credential::bearer("a\r\nb").is_none() && Credential::bearer("").is_none());
    }
}
