//! Keys that sign and verify tokens. Only the kind of a key determines the algorithm: a secret means HS256, a P-256 key means ES256. The
//! header of a token does not change it.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use super::crypto;
use super::key_text::{Material, ParseKeyError};

/// Checks tokens: a shared secret, or a P-256 public key.
///
/// The key is written as `base64:…`, PEM (`BEGIN PUBLIC KEY`), JWK (JSON), bare base64 of a P-256 public key's DER (the form in
/// which Fastly prints its key), or plain text, which is the secret itself. The bytes behind `base64:` may again be PEM, JWK or DER.
#[derive(Clone)]
pub struct VerifyKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Signs tokens: a shared secret, or a P-256 private key. The key is written like a [`VerifyKey`]; PEM is `BEGIN PRIVATE KEY`.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl VerifyKey {
    /// The one algorithm that this key verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as the library takes it.
    pub fn decoding(&self) -> &DecodingKey {
        &self.key
    }

    /// The secret; `None` if the key is public.
    pub fn secret(&self) -> Option<&[u8]> {
        if self.algorithm == Algorithm::HS256 { self.key.try_get_as_bytes().ok() } else { None }
    }

    fn of_secret(secret: &[u8]) -> Self {
        VerifyKey { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) }
    }
}

impl FromStr for VerifyKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crypto::install();
        match Material::parse(text)? {
            Material::Secret(secret) => Ok(VerifyKey::of_secret(long_enough(&secret)?)),
            Material::PrivateKey(_) => Err(ParseKeyError::Private),
            Material::PublicPoint(point) => {
                if !crypto::is_point(&point) {
                    return Err(ParseKeyError::Curve);
                }
                Ok(VerifyKey { algorithm: Algorithm::ES256, key: DecodingKey::from_ec_der(&point) })
            }
        }
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyKey({:?})", self.algorithm)
    }
}

impl SigningKey {
    /// The key that checks what this one signs; `None` for a private key, whose public half must be given separately.
    pub fn verify_key(&self) -> Option<VerifyKey> {
        (self.algorithm == Algorithm::HS256).then(|| VerifyKey::of_secret(self.key.as_bytes()))
    }

    /// The one algorithm that this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as the library takes it.
    pub fn encoding(&self) -> &EncodingKey {
        &self.key
    }
}

impl FromStr for SigningKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crypto::install();
        match Material::parse(text)? {
            Material::Secret(secret) => {
                let key = EncodingKey::from_secret(long_enough(&secret)?);
                Ok(SigningKey { algorithm: Algorithm::HS256, key })
            }
            Material::PublicPoint(_) => Err(ParseKeyError::Public),
            Material::PrivateKey(der) => {
                let (algorithm, key) = (Algorithm::ES256, EncodingKey::from_ec_der(&der));
                jsonwebtoken::crypto::sign(b"", &key, algorithm).map_err(|_| ParseKeyError::Curve)?;
                Ok(SigningKey { algorithm, key })
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm)
    }
}

/// The least length of a secret that signs tokens, in bytes. So many random bytes cannot be guessed. The rule of HS256 (RFC 7518,
/// section 3.2) asks for twice as many, and would refuse many secrets that are in use.
const SHORTEST_SECRET: usize = 16;

fn long_enough(secret: &[u8]) -> Result<&[u8], ParseKeyError> {
    if secret.len() < SHORTEST_SECRET { Err(ParseKeyError::Short) } else { Ok(secret) }
}

/// The bytes of a secret that is written like a key, but is sent as a bearer and signs nothing; `None` for one half of a key pair.
pub fn bearer_bytes(text: &str) -> Result<Option<Vec<u8>>, ParseKeyError> {
    match Material::parse(text)? {
        Material::Secret(secret) => Ok(Some(secret)),
        Material::PublicPoint(_) | Material::PrivateKey(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_a_key_does_not_show_it() {
        let (sign, verify) =
            ("hunter2hunter2hunter2".parse::<SigningKey>(), "hunter2hunter2hunter2".parse::<VerifyKey>());
        assert_eq!(format!("{sign:?} {verify:?}"), "Ok(SigningKey(HS256)) Ok(VerifyKey(HS256))");
    }
}
