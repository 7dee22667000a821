//! What every verifier asks of a token, whatever else the token claims: the signature, and its time.

use jsonwebtoken::{TokenData, Validation};
use serde::de::DeserializeOwned;

use super::key::VerifyKey;

/// How far the signer's clock and this one may be apart, in seconds; as much as the program at the edge allows.
pub const LEEWAY: u64 = 5;
/// The longest token, in bytes. Tokens have some hundred.
pub const LONGEST_TOKEN: usize = 4096;

/// Checks that a key has signed a token. The algorithm belongs to the key and not to the token.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    key: VerifyKey,
    validation: Validation,
}

/// The key did not sign this, or it is no JWT with the claims that are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

impl TokenVerifier {
    /// Checks tokens with this key. A token that names an audience does not count.
    pub fn new(key: VerifyKey) -> Self {
        let mut validation = Validation::new(key.algorithm());
        // [`TokenTimes`] checks the times: the library would let a token without them pass.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        TokenVerifier { key, validation }
    }

    /// Lets tokens count whatever audience they name: the caller checks it.
    pub fn for_any_audience(mut self) -> Self {
        self.validation.validate_aud = false;
        self
    }

    /// The claims of a token that the key has signed.
    pub fn claims<C: DeserializeOwned>(&self, token: &str) -> Result<C, InvalidToken> {
        if token.len() > LONGEST_TOKEN {
            return Err(InvalidToken);
        }
        let decoded = jsonwebtoken::decode::<C>(token, self.key.decoding(), &self.validation);
        let TokenData { header, claims } = decoded.map_err(|_| InvalidToken)?;
        // RFC 7515, section 4.1.11: a verifier must know the extensions that `crit` lists. This one knows none.
        if header.crit.is_some() { Err(InvalidToken) } else { Ok(claims) }
    }
}

/// When a token is good, in seconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTimes {
    /// From then on.
    pub begin: u64,
    /// Until then.
    pub end: u64,
}

/// A token is not good at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfTime {
    /// Its time has not come.
    Early,
    /// Its time is over.
    Expired,
}

impl TokenTimes {
    /// The times of the claims `exp` and `nbf`, which may have fractions (RFC 7519, section 2).
    pub fn of(exp: f64, nbf: Option<f64>) -> Self {
        // The conversions saturate: a negative time is 1970, an absurd one the end of time.
        TokenTimes { begin: nbf.unwrap_or_default().ceil() as u64, end: exp as u64 }
    }

    /// Whether the token is good at this time, give or take the [`LEEWAY`].
    pub fn at(self, now: u64) -> Result<(), OutOfTime> {
        if now.saturating_add(LEEWAY) < self.begin {
            return Err(OutOfTime::Early);
        }
        if self.end.saturating_add(LEEWAY) < now {
            return Err(OutOfTime::Expired);
        }
        Ok(())
    }
}
