//! Checks whether a request came through one of the proxies in `GRIP_URL`, by the JWT in `Grip-Sig`.

use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::{Endpoint, Refused, SignatureError};
use crate::jwt::{LONGEST_TOKEN, OutOfTime, TokenTimes, TokenVerifier};

/// How many verified tokens are remembered. There are few proxies, and each renews its token every second.
const REMEMBERED: usize = 16;

/// Checks `Grip-Sig` against the keys of all endpoints. One matching key is enough.
///
/// **An endpoint without a verify key switches the check off**: then any `Grip-Sig` counts, as in every GRIP library. This is for
/// networks where only the proxy reaches the origin. In other networks a client can send the header itself, and gets hold
/// instructions instead of a stream.
///
/// The algorithm belongs to the key (HS256 for secrets, ES256 for P-256). A token must have `exp`, and its `nbf` counts if it has
/// one. The `iss` must match if `verify-iss` is set. A token whose header has `crit` is refused, as the verifier knows none of its
/// extensions. Verified tokens are remembered, since a proxy sends the same token for a second.
pub struct Verifier {
    checks: Vec<SignatureCheck>,
    trusts_any: bool,
    recent: RwLock<Recent>,
    refused: Refused,
    hasher: RandomState,
}

struct SignatureCheck {
    verifier: TokenVerifier,
    iss: Option<String>,
}

#[derive(Deserialize)]
struct SignatureClaims {
    exp: f64,
    nbf: Option<f64>,
    iss: Option<String>,
}

impl Verifier {
    /// A verifier for requests through these proxies. Without proxies, the verifier refuses every request.
    pub fn new(endpoints: &[Endpoint]) -> Self {
        let check = |endpoint: &Endpoint| {
            let (key, iss) = (endpoint.verify_key()?.clone(), endpoint.verify_iss().map(str::to_owned));
            Some(SignatureCheck { verifier: TokenVerifier::new(key), iss })
        };
        Verifier {
            checks: endpoints.iter().filter_map(check).collect(),
            trusts_any: endpoints.iter().any(|endpoint| endpoint.verify_key().is_none()),
            recent: RwLock::default(),
            refused: Refused::default(),
            hasher: RandomState::new(),
        }
    }

    /// Whether every `Grip-Sig` counts because an endpoint has no verify key. The program must warn of this at its start.
    pub fn trusts_any(&self) -> bool {
        self.trusts_any
    }

    /// Whether the value of a `Grip-Sig` header proves that a known proxy sent the request, now. If the value proves nothing, or if
    /// the header is missing and `needed`, the refusal is counted and, at most once in a time, logged.
    pub fn accepts(&self, grip_sig: Option<&str>, needed: bool) -> bool {
        let verified = match grip_sig {
            None if !needed => return false,
            None => Err(SignatureError::Missing),
            Some(grip_sig) => self.verify(grip_sig),
        };
        verified.map_err(|error| self.refused.note(error)).is_ok()
    }

    /// The counts of refused signatures.
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Whether the value of a `Grip-Sig` header proves that a known proxy sent the request, now.
    pub fn verify(&self, grip_sig: &str) -> Result<(), SignatureError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.verify_at(grip_sig, now.as_secs())
    }

    fn verify_at(&self, grip_sig: &str, now: u64) -> Result<(), SignatureError> {
        if self.trusts_any {
            return Ok(());
        }
        if grip_sig.len() > LONGEST_TOKEN {
            return Err(SignatureError::Invalid);
        }
        let hash = self.hasher.hash_one(grip_sig);
        let known = self.recent.read().unwrap_or_else(PoisonError::into_inner).times(hash, grip_sig);
        if let Some(times) = known {
            return Ok(times.at(now)?);
        }
        let mut reason = SignatureError::Invalid;
        for check in &self.checks {
            match check.times(grip_sig).and_then(|times| Ok(times.at(now).map(|()| times)?)) {
                Ok(times) => {
                    let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
                    recent.remember(hash, grip_sig, times);
                    return Ok(());
                }
                Err(SignatureError::Invalid) => {}
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }
}

impl SignatureCheck {
    /// The times at which the token is good, if this key has signed it and its issuer is right.
    fn times(&self, token: &str) -> Result<TokenTimes, SignatureError> {
        let claims: SignatureClaims = self.verifier.claims(token).map_err(|_| SignatureError::Invalid)?;
        match &self.iss {
            Some(iss) if claims.iss.as_ref() != Some(iss) => Err(SignatureError::Issuer),
            _ => Ok(TokenTimes::of(claims.exp, claims.nbf)),
        }
    }
}

impl From<OutOfTime> for SignatureError {
    fn from(error: OutOfTime) -> Self {
        match error {
            OutOfTime::Early => SignatureError::Early,
            OutOfTime::Expired => SignatureError::Expired,
        }
    }
}

/// The last verified tokens. A new token replaces the oldest.
#[derive(Default)]
struct Recent {
    tokens: Vec<Remembered>,
    next: usize,
}

struct Remembered {
    /// The hash is compared before the text. As the hash contains a random key, the time of the comparison does not show how
    /// many characters of a client's guess are right.
    hash: u64,
    token: Box<str>,
    times: TokenTimes,
}

impl Recent {
    fn times(&self, hash: u64, token: &str) -> Option<TokenTimes> {
        let found = self.tokens.iter().find(|known| known.hash == hash && *known.token == *token)?;
        Some(found.times)
    }

    fn remember(&mut self, hash: u64, token: &str, times: TokenTimes) {
        if self.times(hash, token).is_some() {
            return;
        }
        let entry = Remembered { hash, token: token.into(), times };
        if self.tokens.len() < REMEMBERED {
            self.tokens.push(entry);
        } else {
            self.tokens[self.next] = entry;
            self.next = (self.next + 1) % REMEMBERED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::{LEEWAY, VerifyKey};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    // A pair made for these tests with openssl.
    const PRIVATE_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"l5Y6UhIro3dmFgZVn022h1_BHwPmdwrIg2BfgI7m7Vg","y":"KjXumCzufQaP-w7SMX_Ije3T4Ki-o1MsBkB6VS1O7iU","d":"-yBO0t7mkSEGgidhgsnqRuczYxk0ecDfrWogY9wyNxg"}"#;
    const PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEl5Y6UhIro3dmFgZVn022h1/BHwPm\n\
        dwrIg2BfgI7m7VgqNe6YLO59Bo/7DtIxf8iN7dPgqL6jUywGQHpVLU7uJQ==\n\
        -----END PUBLIC KEY-----";
    const SECRET: &[u8] = b"a-secret-of-18-byt";
    const NOW: u64 = 1_800_000_000;

    fn verifier(words: &[&str]) -> Verifier {
        let endpoints: Vec<Endpoint> = words.iter().map(|word| word.parse().expect("an endpoint")).collect();
        Verifier::new(&endpoints)
    }

    fn hs256(secret: &[u8], claims: Value) -> String {
        crate::jwt::install();
        jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret)).expect("a token")
    }

    fn es256(claims: Value) -> String {
        let key: crate::jwt::SigningKey = PRIVATE_JWK.parse().expect("a key");
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, key.encoding()).expect("a token")
    }

    fn public_key() -> VerifyKey {
        PUBLIC_PEM.parse().expect("a key")
    }

    fn es256_verifier() -> Verifier {
        let endpoint: Endpoint =
            "https://api.fastly.com/service/S?key=T&verify-iss=fastly:S".parse().expect("ok");
        Verifier::new(&[endpoint.with_default_verify_key(public_key())])
    }

    #[test]
    fn the_key_of_any_endpoint_suffices() {
        let verifier =
            verifier(&["http://a/?iss=x&key=one-of-two-secrets", "http://b/?verify-key=two-of-two-secrets"]);
        for secret in ["one-of-two-secrets", "two-of-two-secrets"] {
            assert_eq!(verifier.verify_at(&hs256(secret.as_bytes(), json!({"exp": NOW + 60})), NOW), Ok(()));
        }
        let forged = hs256(b"three-of-two-secrets", json!({"exp": NOW + 60}));
        assert_eq!(verifier.verify_at(&forged, NOW), Err(SignatureError::Invalid));
        assert!(!verifier.trusts_any());
    }

    #[test]
    fn a_token_with_the_shape_of_fanouts_is_accepted() {
        let token = es256(json!({"exp": NOW + 3600, "iss": "fastly:S"}));
        assert_eq!(es256_verifier().verify_at(&token, NOW), Ok(()));
    }

    #[test]
    fn a_token_is_over_a_few_seconds_after_its_exp_and_never_without_one() {
        let verifier = verifier(&["http://p/?iss=x&key=a-secret-of-18-byt"]);
        let token = hs256(SECRET, json!({"exp": NOW}));
        assert_eq!(verifier.verify_at(&token, NOW + LEEWAY + 1), Err(SignatureError::Expired));
        assert_eq!(verifier.verify_at(&token, NOW + LEEWAY), Ok(()));
        assert_eq!(verifier.verify_at(&token, NOW + LEEWAY + 1), Err(SignatureError::Expired), "remembered");
        let fraction = hs256(SECRET, json!({"exp": NOW as f64 + 0.5}));
        assert_eq!(verifier.verify_at(&fraction, NOW), Ok(()));
        for claims in [json!({}), json!({"exp": null}), json!({"exp": "9999999999"}), json!({"iss": "x"})] {
            assert_eq!(verifier.verify_at(&hs256(SECRET, claims), NOW), Err(SignatureError::Invalid));
        }
        assert_eq!(verifier.verify_at(&hs256(SECRET, json!({"exp": -1})), NOW), Err(SignatureError::Expired));
    }

    #[test]
    fn a_token_that_is_not_valid_yet_is_refused_and_remembered_only_later() {
        let verifier = verifier(&["http://p/?iss=x&key=a-secret-of-18-byt"]);
        for (nbf, expected) in [
            (json!(NOW + LEEWAY), Ok(())),
            (json!(NOW + LEEWAY + 1), Err(SignatureError::Early)),
            (json!((NOW + LEEWAY) as f64 + 0.5), Err(SignatureError::Early)),
            (json!(null), Ok(())),
            (json!(-1), Ok(())),
            (json!("now"), Err(SignatureError::Invalid)),
        ] {
            let token = hs256(SECRET, json!({"exp": NOW + 60, "nbf": nbf}));
            assert_eq!(verifier.verify_at(&token, NOW), expected, "{nbf}");
        }
        let token = hs256(SECRET, json!({"exp": NOW + 60, "nbf": NOW + 30}));
        assert_eq!(verifier.verify_at(&token, NOW), Err(SignatureError::Early));
        assert_eq!(verifier.verify_at(&token, NOW + 30), Ok(()));
        assert_eq!(verifier.verify_at(&token, NOW), Err(SignatureError::Early), "remembered");
    }

    #[test]
    fn a_token_with_an_unknown_demand_is_refused() {
        let verifier = verifier(&["http://p/?iss=x&key=a-secret-of-18-byt"]);
        let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("b64"), json!(7)] {
            let header = json!({"alg": "HS256", "crit": crit, "b64": false});
            let signed = format!("{}.{}", part(header), part(json!({"exp": NOW + 60})));
            let key = EncodingKey::from_secret(SECRET);
            let signature =
                jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).expect("signed");
            let token = format!("{signed}.{signature}");
            assert_eq!(verifier.verify_at(&token, NOW), Err(SignatureError::Invalid), "{crit}");
        }
    }

    #[test]
    fn another_issuer_or_none_is_refused_where_one_is_asked_for() {
        let strict = verifier(&["http://p/?verify-key=a-secret-of-18-byt&verify-iss=us"]);
        assert_eq!(strict.verify_at(&hs256(SECRET, json!({"exp": NOW, "iss": "us"})), NOW), Ok(()));
        for claims in [json!({"exp": NOW}), json!({"exp": NOW, "iss": "them"})] {
            assert_eq!(strict.verify_at(&hs256(SECRET, claims), NOW), Err(SignatureError::Issuer));
        }
        let listed = hs256(SECRET, json!({"exp": NOW, "iss": ["us", "them"]}));
        assert_eq!(strict.verify_at(&listed, NOW), Err(SignatureError::Invalid));
        let open = verifier(&["http://p/?iss=us&key=a-secret-of-18-byt"]);
        assert_eq!(open.verify_at(&hs256(SECRET, json!({"exp": NOW, "iss": "them"})), NOW), Ok(()));
    }

    #[test]
    fn the_algorithm_is_the_keys_and_not_the_tokens() {
        let claims = json!({"exp": NOW, "iss": "fastly:S"});
        let verifier = es256_verifier();
        let der = public_key().decoding().try_get_as_bytes().expect("bytes").to_vec();
        for secret in [PUBLIC_PEM.as_bytes(), format!("{PUBLIC_PEM}\n").as_bytes(), &der] {
            let confused = hs256(secret, claims.clone());
            assert_eq!(verifier.verify_at(&confused, NOW), Err(SignatureError::Invalid));
        }
        let body = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signature = es256(claims).rsplit_once('.').expect("a token").1.to_owned();
        for alg in ["none", "None", "RS256", "HS256", "ES384", "HS512", ""] {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "JWT"}).to_string());
            for signature in ["", &signature] {
                let token = format!("{header}.{body}.{signature}");
                assert_eq!(verifier.verify_at(&token, NOW), Err(SignatureError::Invalid), "{alg}");
            }
        }
        // And the other way round: an ES256 token where a secret is expected, the secret being the public key's text.
        let symmetric =
            Verifier::new(&["http://p/?verify-key=a-secret-of-18-byt".parse().expect("an endpoint")]);
        assert_eq!(symmetric.verify_at(&es256(json!({"exp": NOW})), NOW), Err(SignatureError::Invalid));
    }

    #[test]
    fn one_changed_byte_spoils_a_remembered_token() {
        let verifier = verifier(&["http://p/?iss=x&key=a-secret-of-18-byt"]);
        let token = hs256(SECRET, json!({"exp": NOW}));
        assert_eq!(verifier.verify_at(&token, NOW), Ok(()));
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            assert!(verifier.verify_at(&changed, NOW).is_err(), "byte {at}");
        }
        assert_eq!(verifier.recent.read().expect("unpoisoned").tokens.len(), 1);
    }

    #[test]
    fn the_remembered_tokens_stay_bounded() {
        let verifier = verifier(&["http://p/?iss=x&key=a-secret-of-18-byt"]);
        for second in 0..100 {
            let token = hs256(SECRET, json!({"exp": NOW + second}));
            assert_eq!((verifier.verify_at(&token, NOW), verifier.verify_at(&token, NOW)), (Ok(()), Ok(())));
        }
        assert_eq!(verifier.recent.read().expect("unpoisoned").tokens.len(), REMEMBERED);
    }

    #[test]
    fn without_a_key_any_grip_sig_counts_and_without_a_proxy_none() {
        let open = verifier(&["http://a/?iss=x&key=a-secret-of-18-byt", "http://b/"]);
        assert!(open.trusts_any());
        assert_eq!(open.verify("anything"), Ok(()));
        let none = Verifier::new(&[]);
        assert_eq!(none.verify(&hs256(b"", json!({"exp": u32::MAX}))), Err(SignatureError::Invalid));
    }

    #[test]
    fn the_signature_of_a_remembered_token_is_not_checked_again() {
        let mut verifier = es256_verifier();
        let token = es256(json!({"exp": NOW + 3600, "iss": "fastly:S"}));
        assert_eq!(verifier.verify_at(&token, NOW), Ok(()));
        // Without its key, the verifier can only accept the token because it has remembered it.
        verifier.checks.clear();
        assert_eq!(verifier.verify_at(&token, NOW), Ok(()));
    }

    proptest! {
        #[test]
        fn no_text_is_accepted_or_makes_the_verifier_panic(text in "\\PC{0,80}|[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}") {
            prop_assert!(es256_verifier().verify(&text).is_err());
        }
    }
}
