//! The checks that every verifier of tokens needs: of the signature, and of the time.

use jsonwebtoken::{TokenData, Validation};
use serde::de::DeserializeOwned;

use super::key::VerifyKey;

/// The most seconds by which the signer's clock and the clock of this machine may differ. The edge program allows as many.
pub const LEEWAY: u64 = 5;
/// The most bytes of a token. A usual token has some hundred bytes.
pub const LONGEST_TOKEN: usize = 4096;

/// Checks that a key has signed a token. The algorithm belongs to the key and not to the token.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    key: VerifyKey,
    validation: Validation,
}

/// The error for a text that the key has not signed, or that is no JWT with the necessary claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

impl TokenVerifier {
    /// A verifier with this key. The verifier refuses tokens that name an audience.
    pub fn new(key: VerifyKey) -> Self {
        let mut validation = Validation::new(key.algorithm());
        // [`TokenTimes`] checks the times: the library would let a token without them pass.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        TokenVerifier { key, validation }
    }

    /// The same, but the verifier accepts tokens with any audience, as the caller checks the audience.
    pub fn for_any_audience(mut self) -> Self {
        self.validation.validate_aud = false;
        self
    }

    /// The secret that signs the tokens; `None` if the key is public.
    pub fn secret(&self) -> Option<&[u8]> {
        self.key.secret()
    }

    /// The claims of a token that the key has signed.
    pub fn claims<C: DeserializeOwned>(&self, token: &str) -> Result<C, InvalidToken> {
        if token.len() > LONGEST_TOKEN {
            return Err(InvalidToken);
        }
        let decoded = jsonwebtoken::decode::<C>(token, self.key.decoding(), &self.validation);
        let TokenData { header, claims } = decoded.map_err(|_| InvalidToken)?;
        // RFC 7515, section 4.1.11: a verifier must know the extensions that `crit` lists. This verifier knows none.
        if header.crit.is_some() { Err(InvalidToken) } else { Ok(claims) }
    }
}

/// When a token is good, in seconds of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTimes {
    /// The first second at which the token is good.
    pub begin: u64,
    /// The last second at which the token is good.
    pub end: u64,
}

/// A token is not good at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfTime {
    /// The token is not good yet.
    Early,
    /// The token has expired.
    Expired,
}

impl TokenTimes {
    /// The times of the claims `exp` and `nbf`, which may have fractions (RFC 7519, section 2).
    pub fn of(exp: f64, nbf: Option<f64>) -> Self {
        // The conversions saturate: a negative time becomes 0, and a time beyond the range becomes the largest number.
        TokenTimes { begin: nbf.unwrap_or_default().ceil() as u64, end: exp as u64 }
    }

    /// Whether the token is good at this time, within the [`LEEWAY`].
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
