//! Tickets: tokens with scopes that a browser uses for a short time. A server that has the key signs them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::Header;
use serde::{Deserialize, Serialize};

use super::scope::Scope;
use crate::jwt::{LEEWAY, OutOfTime, SigningKey, TokenTimes, TokenVerifier, VerifyKey};

/// The longest time that a ticket may be good. The time is short because every script of a page can read the page's ticket.
pub const LONGEST_TICKET: Duration = Duration::from_secs(3600);
/// The audience of a ticket for this service. A ticket may leave its audience out.
const AUDIENCE: &str = "livecounter";

/// Checks tickets. The key decides the algorithm, not the ticket.
#[derive(Clone, Debug)]
pub struct TicketVerifier(TokenVerifier);

/// The contents of a ticket that is good now.
#[derive(Debug, PartialEq)]
pub(super) struct GoodTicket {
    /// What the ticket allows.
    pub(super) scopes: Vec<Scope>,
    /// The second since 1970 in which the ticket expires.
    pub(super) exp: u64,
}

/// The reason for refusing a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The ticket is not signed with the key, or is no JWT with scopes and an end.
    #[error("the ticket is not signed with access.ticket_key, or is no JWT with exp and a list of scopes")]
    Invalid,
    /// The ticket has expired.
    #[error("the ticket has expired")]
    Expired,
    /// The ticket is not valid yet.
    #[error("the ticket is not valid yet: the signer's clock, or this machine's, is wrong")]
    Early,
    /// The ticket is good for longer than an hour.
    #[error("the ticket is good for longer than an hour")]
    Long,
    /// The ticket is for another service.
    #[error("the ticket is for another audience than livecounter")]
    Audience,
    /// One of the ticket's scopes cannot be parsed.
    #[error("the ticket has something among its scopes that is no scope")]
    Scope,
}

#[derive(Deserialize)]
struct TicketClaims {
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    aud: Option<Audience>,
    scopes: Vec<String>,
}

/// The services that a ticket is for. This module checks them, because the library ignores an audience that is not a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn is_ours(&self) -> bool {
        match self {
            Audience::One(name) => name == AUDIENCE,
            Audience::Several(names) => names.iter().any(|name| name == AUDIENCE),
        }
    }
}

#[derive(Serialize)]
struct NewTicket<'a> {
    aud: &'a str,
    iat: u64,
    exp: u64,
    scopes: Vec<String>,
}

impl TicketVerifier {
    /// Makes a verifier that checks tickets with this key.
    pub fn new(key: VerifyKey) -> Self {
        TicketVerifier(TokenVerifier::new(key).for_any_audience())
    }

    /// Returns the contents of the ticket if it is good now.
    pub(super) fn open(&self, ticket: &str) -> Result<GoodTicket, TicketError> {
        self.verify_at(ticket, unix_time())
    }

    /// The secret that signs and checks tickets; `None` if the key is public, so that it is no secret.
    pub(super) fn secret(&self) -> Option<&[u8]> {
        self.0.secret()
    }

    fn verify_at(&self, ticket: &str, now: u64) -> Result<GoodTicket, TicketError> {
        let claims: TicketClaims = self.0.claims(ticket).map_err(|_| TicketError::Invalid)?;
        claims.check_times(now)?;
        if claims.aud.as_ref().is_some_and(|audience| !audience.is_ours()) {
            return Err(TicketError::Audience);
        }
        let scopes = claims.scopes.iter().map(|scope| scope.parse().map_err(|_| TicketError::Scope));
        Ok(GoodTicket { scopes: scopes.collect::<Result<_, _>>()?, exp: claims.exp.ceil() as u64 })
    }
}

impl TicketClaims {
    fn check_times(&self, now: u64) -> Result<(), TicketError> {
        let times = TokenTimes::of(self.exp, self.nbf);
        times.at(now)?;
        let (most, latest) = (LONGEST_TICKET.as_secs(), now.saturating_add(LEEWAY));
        // A ticket without `iat` counts as issued now.
        let issued = self.iat.map_or(now, |iat| iat.ceil() as u64);
        if issued > latest {
            return Err(TicketError::Early);
        }
        // A ticket that was issued for a day is refused even in its last hour.
        if times.end > latest.saturating_add(most) || times.end.saturating_sub(issued) > most + LEEWAY {
            return Err(TicketError::Long);
        }
        Ok(())
    }
}

impl From<OutOfTime> for TicketError {
    fn from(error: OutOfTime) -> Self {
        match error {
            OutOfTime::Early => TicketError::Early,
            OutOfTime::Expired => TicketError::Expired,
        }
    }
}

/// Makes a ticket with these scopes that is good from now on for `good_for`, at most for [`LONGEST_TICKET`]. Returns the library's error if
/// the key cannot sign.
pub fn new_ticket(
    key: &SigningKey,
    scopes: &[Scope],
    good_for: Duration,
) -> Result<String, jsonwebtoken::errors::Error> {
    let now = unix_time();
    let exp = now.saturating_add(good_for.min(LONGEST_TICKET).as_secs());
    let scopes = scopes.iter().map(Scope::to_string).collect();
    let claims = NewTicket { aud: AUDIENCE, iat: now, exp, scopes };
    jsonwebtoken::encode(&Header::new(key.algorithm()), &claims, key.encoding())
}

/// Returns the present time in seconds since 1970.
pub(super) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::LONGEST_TOKEN;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, EncodingKey};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    // This pair of keys was made with openssl for these tests.
    const PRIVATE_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"l5Y6UhIro3dmFgZVn022h1_BHwPmdwrIg2BfgI7m7Vg","y":"KjXumCzufQaP-w7SMX_Ije3T4Ki-o1MsBkB6VS1O7iU","d":"-yBO0t7mkSEGgidhgsnqRuczYxk0ecDfrWogY9wyNxg"}"#;
    const PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEl5Y6UhIro3dmFgZVn022h1/BHwPm\n\
        dwrIg2BfgI7m7VgqNe6YLO59Bo/7DtIxf8iN7dPgqL6jUywGQHpVLU7uJQ==\n\
        -----END PUBLIC KEY-----";
    const SECRET: &str = "a-secret-of-18-byt";
    const NOW: u64 = 1_800_000_000;

    fn hs256() -> TicketVerifier {
        TicketVerifier::new(SECRET.parse().expect("a key"))
    }

    fn es256() -> TicketVerifier {
        TicketVerifier::new(PUBLIC_PEM.parse().expect("a key"))
    }

    fn signed(key: &str, claims: &Value) -> String {
        let key: SigningKey = key.parse().expect("a key");
        jsonwebtoken::encode(&Header::new(key.algorithm()), claims, key.encoding()).expect("a token")
    }

    fn ticket(claims: Value) -> Result<Vec<Scope>, TicketError> {
        hs256().verify_at(&signed(SECRET, &claims), NOW).map(|ticket| ticket.scopes)
    }

    fn scopes(texts: &[&str]) -> Vec<Scope> {
        texts.iter().map(|text| text.parse().expect("a scope")).collect()
    }

    #[test]
    fn a_ticket_carries_its_scopes_whichever_kind_of_key_signed_it() {
        let claims = json!({"exp": NOW + 600, "scopes": ["write:counters/1/", "read:"]});
        let expected = GoodTicket { scopes: scopes(&["write:counters/1/", "read:"]), exp: NOW + 600 };
        assert_eq!(hs256().verify_at(&signed(SECRET, &claims), NOW).as_ref(), Ok(&expected));
        assert_eq!(es256().verify_at(&signed(PRIVATE_JWK, &claims), NOW).as_ref(), Ok(&expected));
        assert_eq!(ticket(json!({"exp": NOW + 600, "scopes": []})), Ok(Vec::new()));
    }

    #[test]
    fn this_program_accepts_what_this_program_signs() {
        let scopes = scopes(&["write:counters/1/"]);
        for (key, verifier) in [(SECRET, hs256()), (PRIVATE_JWK, es256())] {
            let key: SigningKey = key.parse().expect("a key");
            for good_for in [1, 3600, 999_999] {
                let ticket = new_ticket(&key, &scopes, Duration::from_secs(good_for)).expect("a ticket");
                assert_eq!(
                    verifier.open(&ticket).map(|ticket| ticket.scopes),
                    Ok(scopes.clone()),
                    "{good_for}"
                );
            }
        }
    }

    #[test]
    fn a_ticket_is_good_for_an_hour_at_most_and_only_in_its_time() {
        let hour = LONGEST_TICKET.as_secs();
        for (claims, expected) in [
            (json!({"exp": NOW + hour + LEEWAY}), None),
            (json!({"exp": NOW + hour + LEEWAY + 1}), Some(TicketError::Long)),
            (json!({"exp": 1e300}), Some(TicketError::Long)),
            (json!({"exp": NOW as f64 + 0.5}), None),
            (json!({"exp": NOW - LEEWAY}), None),
            (json!({"exp": NOW - LEEWAY - 1}), Some(TicketError::Expired)),
            (json!({"exp": -1}), Some(TicketError::Expired)),
            (json!({"exp": NOW + 60, "nbf": NOW + LEEWAY}), None),
            (json!({"exp": NOW + 60, "nbf": NOW + LEEWAY + 1}), Some(TicketError::Early)),
            (json!({"exp": NOW + 60, "iat": NOW + LEEWAY}), None),
            (json!({"exp": NOW + 60, "iat": NOW + LEEWAY + 1}), Some(TicketError::Early)),
            // This ticket is in the last minute of a whole day.
            (json!({"exp": NOW + 60, "iat": NOW + 60 - 86_400}), Some(TicketError::Long)),
            (json!({"exp": NOW + 60, "iat": NOW + 60 - hour}), None),
            (json!({"exp": NOW + 60, "iat": null, "nbf": null}), None),
            (json!({}), Some(TicketError::Invalid)),
            (json!({"exp": null}), Some(TicketError::Invalid)),
            (json!({"exp": "9999999999"}), Some(TicketError::Invalid)),
            (json!({"exp": NOW + 60, "iat": "now"}), Some(TicketError::Invalid)),
        ] {
            let mut claims = claims;
            claims["scopes"] = json!(["read:"]);
            assert_eq!(ticket(claims.clone()).err(), expected, "{claims}");
        }
    }

    #[test]
    fn scopes_and_audience_are_what_they_should_be_or_the_ticket_is_refused() {
        for (claims, expected) in [
            (json!({}), TicketError::Invalid),
            (json!({"scopes": "read:"}), TicketError::Invalid),
            (json!({"scopes": null}), TicketError::Invalid),
            (json!({"scopes": [1]}), TicketError::Invalid),
            (json!({"scopes": ["read:", "write:counters/.*"]}), TicketError::Scope),
            (json!({"scopes": ["read: write:"]}), TicketError::Scope),
            (json!({"scopes": ["read:"], "aud": "another"}), TicketError::Audience),
            (json!({"scopes": ["read:"], "aud": ["a", "b"]}), TicketError::Audience),
            (json!({"scopes": ["read:"], "aud": []}), TicketError::Audience),
            (json!({"scopes": ["read:"], "aud": 7}), TicketError::Invalid),
        ] {
            let mut claims = claims;
            claims["exp"] = json!(NOW + 60);
            assert_eq!(ticket(claims.clone()), Err(expected), "{claims}");
        }
        for aud in [json!("livecounter"), json!(["another", "livecounter"]), json!(null)] {
            assert!(ticket(json!({"exp": NOW + 60, "scopes": ["read:"], "aud": aud})).is_ok(), "{aud}");
        }
    }

    #[test]
    fn the_algorithm_is_the_keys_and_not_the_tickets() {
        let claims = json!({"exp": NOW + 60, "scopes": ["admin"]});
        // A forger signs with the public key, which is not secret, as the secret of HS256.
        let key: VerifyKey = PUBLIC_PEM.parse().expect("a key");
        let point = key.decoding().try_get_as_bytes().expect("bytes").to_vec();
        for secret in [PUBLIC_PEM.as_bytes(), format!("{PUBLIC_PEM}\n").as_bytes(), &point] {
            let confused =
                jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret));
            assert_eq!(es256().verify_at(&confused.expect("a token"), NOW), Err(TicketError::Invalid));
        }
        assert_eq!(hs256().verify_at(&signed(PRIVATE_JWK, &claims), NOW), Err(TicketError::Invalid));
        let good = signed(SECRET, &claims);
        let signature = good.rsplit('.').next().expect("a signature");
        let body = URL_SAFE_NO_PAD.encode(claims.to_string());
        for alg in ["none", "None", "nOnE", "HS384", "HS512", "RS256", "ES256", ""] {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "JWT"}).to_string());
            for signature in ["", signature] {
                let forged = format!("{header}.{body}.{signature}");
                assert_eq!(hs256().verify_at(&forged, NOW), Err(TicketError::Invalid), "{alg}");
            }
        }
    }

    #[test]
    fn a_ticket_with_an_unknown_demand_is_refused() {
        hs256();
        for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("b64")] {
            let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
            let header = json!({"alg": "HS256", "crit": crit});
            let text = format!("{}.{}", part(&header), part(&json!({"exp": NOW + 60, "scopes": ["read:"]})));
            let key = EncodingKey::from_secret(SECRET.as_bytes());
            let signature =
                jsonwebtoken::crypto::sign(text.as_bytes(), &key, Algorithm::HS256).expect("a signature");
            assert_eq!(
                hs256().verify_at(&format!("{text}.{signature}"), NOW),
                Err(TicketError::Invalid),
                "{crit}"
            );
        }
    }

    #[test]
    fn one_changed_byte_spoils_a_ticket_and_a_cut_one_is_none() {
        let good = signed(SECRET, &json!({"exp": NOW + 60, "scopes": ["read:"]}));
        assert!(hs256().verify_at(&good, NOW).is_ok());
        for at in 0..good.len() {
            let mut changed = good.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            assert!(hs256().verify_at(&changed, NOW).is_err(), "byte {at}");
            assert!(hs256().verify_at(&good[..at], NOW).is_err(), "cut at {at}");
        }
        let long = json!({"exp": NOW + 60, "scopes": ["read:"], "x": "x".repeat(LONGEST_TOKEN)});
        assert_eq!(ticket(long), Err(TicketError::Invalid));
    }

    proptest! {
        #[test]
        fn no_text_is_accepted_or_makes_it_panic(text in "\\PC{0,80}|[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}") {
            prop_assert!(hs256().open(&text).is_err());
        }
    }
}
