//! Checks whether a request comes from Fanout, by the JWT in `Grip-Sig`, which is signed with ES256.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// The public key that Fastly documents for its Fanout: P-256, as base64 of its SubjectPublicKeyInfo
/// (<https://www.fastly.com/documentation/guides/concepts/real-time-messaging/fanout/>).
pub const FASTLY_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECKo5A1ebyFcnmVV8SE5On+8G81JyBjSvcrx4VLetWCjuDAmppTo3xM/zz763COTCgHfp/6lPdCyYjjqc+GM7sw==";

/// How far Fanout's clock and this machine's may differ, in seconds; as much as the origin allows.
const LEEWAY: f64 = 5.0;
/// The longest token in bytes. Fanout's have a few hundred, so longer ones are refused unread.
const MAX_LEN: usize = 4096;

/// The issuer that Fanout names in the tokens of a service.
pub fn issuer_of(service_id: &str) -> String {
    format!("fastly:{service_id}")
}

/// Checks signatures against one key and one issuer.
#[derive(Debug)]
pub struct Verifier {
    key: VerifyingKey,
    issuer: String,
}

/// The error for a text that is no public key on P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// The token is no JWT that is signed with ES256 and this key, or it has no `exp`.
    Invalid,
    /// The token is signed, but for another service.
    Issuer,
    /// The token is signed, but not valid yet.
    Early,
    /// The token is signed, but has expired.
    Expired,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that a verifier must know (RFC 7515, section 4.1.11). This one knows none.
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    /// The end of the token's time, in seconds since 1970. RFC 7519 allows fractions.
    exp: f64,
    /// The beginning of the token's time. Fanout's tokens have none.
    nbf: Option<f64>,
    iss: Option<String>,
}

impl Verifier {
    /// A verifier with this key, as PEM or as base64 of its DER (SubjectPublicKeyInfo).
    pub fn new(key: &str, issuer: impl Into<String>) -> Result<Self, KeyError> {
        let key = key.trim();
        let key = if key.starts_with("-----BEGIN") {
            VerifyingKey::from_public_key_pem(key).map_err(|_| KeyError)?
        } else {
            let der = STANDARD.decode(key).map_err(|_| KeyError)?;
            VerifyingKey::from_public_key_der(&der).map_err(|_| KeyError)?
        };
        Ok(Verifier { key, issuer: issuer.into() })
    }

    /// Checks that Fanout has made the token for this service and that it is valid now; `now` in seconds since 1970.
    pub fn verify(&self, token: &str, now: u64) -> Result<(), SignatureError> {
        if token.len() > MAX_LEN {
            return Err(SignatureError::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(SignatureError::Invalid)?;
        let (header, claims) = signed.split_once('.').ok_or(SignatureError::Invalid)?;
        let header: Header = parse(header)?;
        // The key, not the token, decides about the algorithm.
        if header.alg != "ES256" || header.crit.is_some() {
            return Err(SignatureError::Invalid);
        }
        let signature = decode(signature)?;
        let signature = Signature::from_slice(&signature).map_err(|_| SignatureError::Invalid)?;
        self.key.verify(signed.as_bytes(), &signature).map_err(|_| SignatureError::Invalid)?;
        let claims: Claims = parse(claims)?;
        if claims.iss.as_deref() != Some(&self.issuer) {
            return Err(SignatureError::Issuer);
        }
        let now = now as f64;
        if claims.nbf.is_some_and(|begin| now + LEEWAY < begin) {
            return Err(SignatureError::Early);
        }
        if claims.exp + LEEWAY < now {
            return Err(SignatureError::Expired);
        }
        Ok(())
    }
}

fn decode(part: &str) -> Result<Vec<u8>, SignatureError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| SignatureError::Invalid)
}

fn parse<T: DeserializeOwned>(part: &str) -> Result<T, SignatureError> {
    serde_json::from_slice(&decode(part)?).map_err(|_| SignatureError::Invalid)
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer;
    use p256::pkcs8::{EncodePublicKey, LineEnding};
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;
    const ISSUER: &str = "fastly:SERVICE";

    fn key(number: u8) -> SigningKey {
        SigningKey::from_slice(&[number; 32]).expect("a scalar")
    }

    fn sign(key: &SigningKey, header: Value, claims: Value) -> String {
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature: Signature = key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn token(claims: Value) -> String {
        sign(&key(1), json!({"alg": "ES256", "typ": "JWT"}), claims)
    }

    fn verifier() -> Verifier {
        let der = key(1).verifying_key().to_public_key_der().expect("DER");
        Verifier::new(&STANDARD.encode(der.as_bytes()), ISSUER).expect("a key")
    }

    #[test]
    fn a_token_of_fanout_s_shape_is_accepted_until_it_is_over() {
        let token = token(json!({"exp": NOW, "iss": ISSUER}));
        assert_eq!(verifier().verify(&token, NOW), Ok(()));
        assert_eq!(verifier().verify(&token, NOW + 5), Ok(()));
        assert_eq!(verifier().verify(&token, NOW + 6), Err(SignatureError::Expired));
    }

    #[test]
    fn another_key_issuer_or_none_is_refused() {
        let claims = json!({"exp": NOW, "iss": ISSUER});
        let forged = sign(&key(2), json!({"alg": "ES256"}), claims);
        assert_eq!(verifier().verify(&forged, NOW), Err(SignatureError::Invalid));
        for claims in [json!({"exp": NOW, "iss": "fastly:OTHER"}), json!({"exp": NOW})] {
            assert_eq!(verifier().verify(&token(claims), NOW), Err(SignatureError::Issuer));
        }
        for claims in [json!({"iss": ISSUER}), json!({"exp": "9999999999", "iss": ISSUER})] {
            assert_eq!(verifier().verify(&token(claims), NOW), Err(SignatureError::Invalid));
        }
    }

    #[test]
    fn the_key_decides_about_the_algorithm() {
        let claims = json!({"exp": NOW, "iss": ISSUER});
        for alg in ["none", "HS256", "ES384", "es256", ""] {
            let token = sign(&key(1), json!({"alg": alg}), claims.clone());
            assert_eq!(verifier().verify(&token, NOW), Err(SignatureError::Invalid), "{alg}");
            let unsigned = format!("{}.", token.rsplit_once('.').expect("a token").0);
            assert_eq!(verifier().verify(&unsigned, NOW), Err(SignatureError::Invalid), "{alg}");
        }
    }

    #[test]
    fn a_token_not_valid_yet_or_with_an_unknown_demand_is_refused() {
        let claims = |nbf: Value| json!({"exp": NOW + 60, "iss": ISSUER, "nbf": nbf});
        for (nbf, outcome) in [
            (json!(NOW + 5), Ok(())),
            (json!(NOW + 6), Err(SignatureError::Early)),
            (json!("now"), Err(SignatureError::Invalid)),
        ] {
            assert_eq!(verifier().verify(&token(claims(nbf.clone())), NOW), outcome, "{nbf}");
        }
        let header = json!({"alg": "ES256", "crit": ["b64"], "b64": false});
        let critical = sign(&key(1), header, json!({"exp": NOW, "iss": ISSUER}));
        assert_eq!(verifier().verify(&critical, NOW), Err(SignatureError::Invalid));
    }

    #[test]
    fn a_token_with_a_claim_twice_is_refused() {
        for claims in [
            format!(r#"{{"exp":{NOW},"iss":"fastly:OTHER","iss":"{ISSUER}"}}"#),
            format!(r#"{{"exp":0,"exp":{NOW},"iss":"{ISSUER}"}}"#),
        ] {
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            let signed = format!("{}.{}", part(r#"{"alg":"ES256"}"#), part(&claims));
            let signature: Signature = key(1).sign(signed.as_bytes());
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
            assert_eq!(verifier().verify(&token, NOW), Err(SignatureError::Invalid), "{claims}");
        }
    }

    #[test]
    fn one_changed_byte_spoils_a_token_and_no_text_makes_a_panic() {
        let good = token(json!({"exp": NOW, "iss": ISSUER}));
        for at in 0..good.len() {
            let mut changed = good.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            assert!(verifier().verify(&changed, NOW).is_err(), "byte {at}");
        }
        for text in ["", ".", "..", "...", "a.b.c", "é.é.é", &"x".repeat(5000)] {
            assert_eq!(verifier().verify(text, NOW), Err(SignatureError::Invalid), "{text}");
        }
    }

    #[test]
    fn keys_are_pem_or_base64_and_fastly_s_own_is_one() {
        assert!(Verifier::new(FASTLY_KEY, ISSUER).is_ok());
        let pem = key(1).verifying_key().to_public_key_pem(LineEnding::LF).expect("PEM");
        let verifier = Verifier::new(&format!("\n{pem}\n"), issuer_of("SERVICE")).expect("a key");
        assert_eq!(verifier.verify(&token(json!({"exp": NOW, "iss": ISSUER})), NOW), Ok(()));
        for text in ["", "secret", "-----BEGIN PUBLIC KEY-----", &FASTLY_KEY[4..]] {
            assert_eq!(Verifier::new(text, ISSUER).expect_err("no key"), KeyError, "{text}");
        }
    }
}
