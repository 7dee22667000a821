//! The spellings of keys in settings: a secret as plain text or base64, and P-256 keys as PEM, JWK or DER.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

/// Why a text is no key. The message never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeyError {
    /// The text is empty, or has nothing behind `base64:`. With an empty secret, every client could sign.
    #[error("is empty")]
    Empty,
    /// The secret can be guessed: a client that has one token can try all secrets of this length.
    #[error(
        "is a secret of fewer than 16 bytes, which can be guessed: make one with openssl rand -base64 32"
    )]
    Short,
    /// The text behind `base64:` is not base64.
    #[error("starts with base64: but what follows is not base64")]
    Base64,
    /// The text begins with `-----BEGIN`, but its PEM is of another kind or incomplete.
    #[error("is not a PEM of kind PUBLIC KEY, or PRIVATE KEY (PKCS#8)")]
    Pem,
    /// The text begins like JSON, but is no key of type `oct` or `EC`.
    #[error("is not a JWK of type oct or EC")]
    Jwk,
    /// The key is of another curve than P-256 or another algorithm, or its point is not on the curve.
    #[error("is not a P-256 key (a private one must carry its public half, as openssl writes it)")]
    Curve,
    /// The setting needs a public key or a secret, and this is a private key, which must not be in more places than necessary.
    #[error("is a private key where a public key or a secret is needed")]
    Private,
    /// The setting needs a key that can sign, and this is a public key.
    #[error("is a public key, which cannot sign")]
    Public,
}

/// The bytes of a key by their kind, whether the key has to sign or to verify.
pub(super) enum Material {
    Secret(Vec<u8>),
    /// A point of P-256 in the form of SEC 1.
    PublicPoint(Vec<u8>),
    /// PKCS#8 in DER.
    PrivateKey(Vec<u8>),
}

/// `AlgorithmIdentifier` of a P-256 key in DER: id-ecPublicKey, prime256v1 (RFC 5480).
const P256: [u8; 21] =
    *b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// The bytes before the [`P256`], before the 32 bytes of a private key and before its public point in PKCS#8 (RFC 5915, 5958).
const PKCS8_HEAD: [u8; 6] = *b"\x30\x81\x87\x02\x01\x00";
const PKCS8_PRIVATE: [u8; 9] = *b"\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
const PKCS8_PUBLIC: [u8; 5] = *b"\xa1\x44\x03\x42\x00";

/// The standard alphabet, with or without padding, as operators copy keys by hand.
const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

const fn lenient(alphabet: &alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

impl Material {
    /// Reads the text of a key; the error says what is wrong with it and never quotes it.
    pub(super) fn parse(text: &str) -> Result<Self, ParseKeyError> {
        let trimmed = text.trim();
        if let Some(encoded) = trimmed.strip_prefix("base64:") {
            return Self::from_bytes(base64(encoded).ok_or(ParseKeyError::Base64)?);
        }
        if trimmed.starts_with("-----BEGIN") {
            return Self::from_pem(trimmed);
        }
        if trimmed.starts_with('{') {
            return Self::from_jwk(trimmed).ok_or(ParseKeyError::Jwk);
        }
        if let Some(point) = base64(trimmed).as_deref().and_then(public_point) {
            return Ok(Material::PublicPoint(point));
        }
        if text.is_empty() { Err(ParseKeyError::Empty) } else { Ok(Material::Secret(text.into())) }
    }

    fn from_bytes(bytes: Vec<u8>) -> Result<Self, ParseKeyError> {
        if let Ok(text) = std::str::from_utf8(&bytes) {
            if text.starts_with("-----BEGIN") {
                return Self::from_pem(text);
            }
            // A random secret may begin with a brace, so a text that is no JWK is still a secret.
            if let Some(key) = Self::from_jwk(text) {
                return Ok(key);
            }
        }
        match public_point(&bytes) {
            Some(point) => Ok(Material::PublicPoint(point)),
            None if bytes.is_empty() => Err(ParseKeyError::Empty),
            None => Ok(Material::Secret(bytes)),
        }
    }

    fn from_pem(text: &str) -> Result<Self, ParseKeyError> {
        let body = |kind: &str| {
            let begin = format!("-----BEGIN {kind}-----");
            let (body, _) = text.strip_prefix(&begin)?.split_once("-----END ")?;
            // Environment files often carry the line breaks as the two characters \n.
            base64(&body.replace("\\n", "").split_whitespace().collect::<String>())
        };
        if let Some(der) = body("PUBLIC KEY") {
            return public_point(&der).map(Material::PublicPoint).ok_or(ParseKeyError::Curve);
        }
        body("PRIVATE KEY").map(Material::PrivateKey).ok_or(ParseKeyError::Pem)
    }

    fn from_jwk(text: &str) -> Option<Self> {
        let jwk: Jwk = serde_json::from_str(text).ok()?;
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("oct", _) => Some(Material::Secret(base64(&jwk.k?)?)).filter(|key| !key.is_empty_secret()),
            ("EC", Some("P-256")) => {
                let point = [vec![4], base64(&jwk.x?)?, base64(&jwk.y?)?].concat();
                let Some(d) = jwk.d else { return Some(Material::PublicPoint(point)) };
                let d = base64(&d).filter(|d| d.len() == 32 && point.len() == 65)?;
                let parts = [&PKCS8_HEAD[..], &P256, &PKCS8_PRIVATE, &d, &PKCS8_PUBLIC, &point];
                Some(Material::PrivateKey(parts.concat()))
            }
            _ => None,
        }
    }

    fn is_empty_secret(&self) -> bool {
        matches!(self, Material::Secret(secret) if secret.is_empty())
    }
}

/// The members of a JWK (RFC 7517 and 7518) that keys of these types need.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<String>,
    k: Option<String>,
}

/// The point in a `SubjectPublicKeyInfo` of P-256; `None` for anything else.
fn public_point(der: &[u8]) -> Option<Vec<u8>> {
    let bits = der.strip_prefix(b"\x30")?.get(1..)?.strip_prefix(&P256)?;
    Some(bits.strip_prefix(b"\x03")?.get(1..)?.strip_prefix(b"\0")?.to_vec())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;
    use proptest::prelude::*;

    use super::*;
    use crate::jwt::{SigningKey, VerifyKey};

    /// Fastly Fanout's public key, as its documentation prints it.
    const FASTLY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECKo5A1ebyFcnmVV8SE5On+8G81JyBjSvcrx4VLetWCjuDAmppTo3xM/zz763COTCgHfp/6lPdCyYjjqc+GM7sw==";
    // A pair made for these tests with openssl.
    const PRIVATE_DER: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+yBO0t7mkSEGgidhgsnqRuczYxk0ecDfrWogY9wyNxihRANCAASXljpSEiujd2YWBlWfTbaHX8EfA+Z3CsiDYF+AjubtWCo17pgs7n0Gj/sO0jF/yI3t0+CovqNTLAZAelUtTu4l";
    const PUBLIC_DER: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEl5Y6UhIro3dmFgZVn022h1/BHwPmdwrIg2BfgI7m7VgqNe6YLO59Bo/7DtIxf8iN7dPgqL6jUywGQHpVLU7uJQ==";
    const PRIVATE_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"l5Y6UhIro3dmFgZVn022h1_BHwPmdwrIg2BfgI7m7Vg","y":"KjXumCzufQaP-w7SMX_Ije3T4Ki-o1MsBkB6VS1O7iU","d":"-yBO0t7mkSEGgidhgsnqRuczYxk0ecDfrWogY9wyNxg"}"#;
    const PUBLIC_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"l5Y6UhIro3dmFgZVn022h1_BHwPmdwrIg2BfgI7m7Vg","y":"KjXumCzufQaP-w7SMX_Ije3T4Ki-o1MsBkB6VS1O7iU"}"#;
    const P384_DER: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEGK9TI3AH4HcltV76oDSU1LFiGQ0mNmNfwVNaSlK2lr5q6YSXGC/RyYfNe6/J+Bi0qmOnQQIP/GbG1SxF3nc3o3dZa4KVvgtP1Qodcr9BXyxjKH//D+81XhrQW4AxXHAd";

    /// The key as openssl writes it, in lines of 64 characters.
    fn pem(kind: &str, der: &str) -> String {
        let lines: Vec<&str> =
            (0..der.len()).step_by(64).map(|at| &der[at..der.len().min(at + 64)]).collect();
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
    }

    fn verify(text: &str) -> Result<Algorithm, ParseKeyError> {
        text.parse::<VerifyKey>().map(|key| key.algorithm())
    }

    fn sign(text: &str) -> Result<Algorithm, ParseKeyError> {
        text.parse::<SigningKey>().map(|key| key.algorithm())
    }

    fn in_base64(text: &str) -> String {
        format!("base64:{}", STANDARD.encode(text))
    }

    #[test]
    fn every_spelling_of_a_public_key_is_es256() {
        let pem = pem("PUBLIC KEY", PUBLIC_DER);
        for text in [
            FASTLY,
            &format!("base64:{FASTLY}"),
            &pem,
            &pem.replace('\n', "\\n"),
            &in_base64(&pem),
            PUBLIC_JWK,
            &in_base64(PUBLIC_JWK),
        ] {
            assert_eq!(verify(text), Ok(Algorithm::ES256), "{text}");
            assert_eq!(sign(text), Err(ParseKeyError::Public), "{text}");
        }
    }

    #[test]
    fn a_private_key_signs_but_is_refused_where_tokens_are_checked() {
        let pem = pem("PRIVATE KEY", PRIVATE_DER);
        for text in [&pem, &in_base64(&pem), PRIVATE_JWK, &in_base64(PRIVATE_JWK)] {
            assert_eq!(sign(text), Ok(Algorithm::ES256), "{text}");
            assert_eq!(verify(text), Err(ParseKeyError::Private), "{text}");
            assert!(text.parse::<SigningKey>().expect("a key").verify_key().is_none());
        }
    }

    #[test]
    fn both_spellings_of_a_pair_are_the_same_pair() {
        for (private, public) in [(&*pem("PRIVATE KEY", PRIVATE_DER), PUBLIC_JWK), (PRIVATE_JWK, PUBLIC_DER)]
        {
            let (private, public): (SigningKey, VerifyKey) =
                (private.parse().expect("a key"), public.parse().expect("a key"));
            let signature =
                jsonwebtoken::crypto::sign(b"m", private.encoding(), Algorithm::ES256).expect("signed");
            assert!(
                jsonwebtoken::crypto::verify(&signature, b"m", public.decoding(), Algorithm::ES256)
                    .expect("checked")
            );
        }
    }

    #[test]
    fn everything_else_is_a_secret_byte_for_byte() {
        let bytes = |text: &str| {
            assert_eq!((verify(text), sign(text)), (Ok(Algorithm::HS256), Ok(Algorithm::HS256)), "{text}");
            text.parse::<SigningKey>().expect("a key").encoding().as_bytes().to_vec()
        };
        let jwk = r#"{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0"}"#;
        assert_eq!(bytes("secretsecretsecret"), b"secretsecretsecret");
        assert_eq!(bytes("base64:c2VjcmV0c2VjcmV0c2VjcmV0"), b"secretsecretsecret");
        assert_eq!(bytes("base64:c2VjcmV0c2VjcmV0c2VjcmV0Cg"), b"secretsecretsecret\n");
        assert_eq!(bytes(jwk), b"secretsecretsecret");
        assert_eq!(bytes("a+b = a+b = a+b ="), b"a+b = a+b = a+b =");
        assert_eq!(bytes(&in_base64("{not a jwk, but long")), b"{not a jwk, but long");
        assert_eq!(bytes(&format!("base64:{}", "-_-_".repeat(6))), [0xfb, 0xff, 0xbf].repeat(6));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_however_it_is_written() {
        for text in [
            "s",
            "fifteen-bytes-x",
            &in_base64("fifteen-bytes-x"),
            r#"{"kty":"oct","k":"c2VjcmV0"}"#,
            &in_base64(r#"{"kty":"oct","k":"c2VjcmV0"}"#),
        ] {
            assert_eq!(
                (verify(text), sign(text)),
                (Err(ParseKeyError::Short), Err(ParseKeyError::Short)),
                "{text}"
            );
        }
        for text in ["sixteen-bytes-xx", &in_base64("sixteen-bytes-xx")] {
            assert_eq!((verify(text), sign(text)), (Ok(Algorithm::HS256), Ok(Algorithm::HS256)), "{text}");
        }
    }

    #[test]
    fn the_mistake_in_a_key_is_named() {
        let wrong_point = PUBLIC_JWK.replace("\"x\":\"", "\"x\":\"AAAA");
        for (text, expected) in [
            ("", ParseKeyError::Empty),
            ("base64:", ParseKeyError::Empty),
            ("base64:%%", ParseKeyError::Base64),
            ("{brace", ParseKeyError::Jwk),
            (r#"{"kty":"oct","k":""}"#, ParseKeyError::Jwk),
            (r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#, ParseKeyError::Jwk),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", ParseKeyError::Pem),
            ("-----BEGIN PUBLIC KEY-----\nAAAA", ParseKeyError::Pem),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ParseKeyError::Curve),
            (&pem("EC PRIVATE KEY", PRIVATE_DER), ParseKeyError::Pem),
            (&pem("PUBLIC KEY", P384_DER), ParseKeyError::Curve),
            (&wrong_point, ParseKeyError::Curve),
        ] {
            assert_eq!(verify(text), Err(expected), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(base64:|-----BEGIN PUBLIC KEY-----|\\{\"kty\":)?\\PC{0,60}") {
            let _ = (verify(&text), sign(&text));
        }
    }
}
