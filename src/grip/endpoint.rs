//! One GRIP proxy, as a word of `GRIP_URL` names it.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use super::credential::Credential;
use super::endpoint_error::{ParseEndpointError, ParseEndpointsError};
use super::endpoint_parameters::EndpointParameters;
use crate::jwt::{SigningKey, VerifyKey, bearer_bytes};

/// A proxy's control address, and the keys for both directions: `http://localhost:5561/?iss=realm&key=a-secret-of-18-byt`.
///
/// The query parameters `iss`, `key`, `verify-iss` and `verify-key` are taken out; others stay part of the control URI. In all of
/// them `+` is a plus. With `iss` and `key`, the publisher signs a JWT for its requests. A `key` alone is the bearer itself, and
/// user info is for Basic. A `key` that is a shared secret and has an `iss` also checks the proxy's signatures, unless there is a
/// `verify-key` or a default one. The `iss` does not check them: only `verify-iss` says which issuer the signatures must name.
#[derive(Clone)]
pub struct Endpoint {
    publish_url: Url,
    name: String,
    credential: Credential,
    verify_key: Option<VerifyKey>,
    /// The `key`, if it is a shared secret with an `iss`. It checks signatures if there is no `verify_key`.
    shared_key: Option<VerifyKey>,
    verify_iss: Option<String>,
}

/// The endpoints in `text`, separated by white space; none in a blank text.
pub fn endpoints_from(text: &str) -> Result<Vec<Endpoint>, ParseEndpointsError> {
    let parse = |(index, word): (usize, &str)| {
        word.parse().map_err(|source| ParseEndpointsError { position: index + 1, source })
    };
    text.split_whitespace().enumerate().map(parse).collect()
}

impl Endpoint {
    /// The URL to which items are posted: the control URI with `/publish/` behind its path, with exactly one slash between.
    pub fn publish_url(&self) -> &Url {
        &self.publish_url
    }

    /// The name of the endpoint in logs and metrics: host, port and path of the control URI, without secrets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that checks this proxy's signatures. With `None` they are not checked, see [`super::Verifier`].
    pub fn verify_key(&self) -> Option<&VerifyKey> {
        self.verify_key.as_ref().or(self.shared_key.as_ref())
    }

    /// The issuer that this proxy's signatures must name; `None` accepts any.
    pub fn verify_iss(&self) -> Option<&str> {
        self.verify_iss.as_deref()
    }

    /// The endpoint, whose signatures `key` checks if the endpoint has no `verify-key`.
    pub fn with_default_verify_key(self, key: VerifyKey) -> Self {
        Endpoint { verify_key: self.verify_key.or(Some(key)), ..self }
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }
}

/// Leaves out the parameters that stay in the URL, as they may be secrets.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { name, credential, verify_iss, .. } = self;
        write!(f, "Endpoint({name}, {credential:?}, {:?}, {verify_iss:?})", self.verify_key())
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url: Url = text.parse()?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ParseEndpointError::Scheme);
        }
        if url.fragment().is_some() {
            return Err(ParseEndpointError::Fragment);
        }
        let mut parameters = EndpointParameters::take(&mut url)?;
        let verify_key = parameters.verify_key.map(|text| text.parse()).transpose();
        let verify_key = verify_key.map_err(|e| ParseEndpointError::Key("verify-key", e))?;
        let basic = take_user_info(&mut url)?;
        let credential = match (parameters.iss.take(), parameters.key.take(), basic) {
            (None, None, None) => Credential::Open,
            (None, None, Some(basic)) => basic,
            (_, Some(_), Some(_)) => return Err(ParseEndpointError::TwoCredentials),
            (None, Some(key), None) => bearer(&key)?,
            (Some(iss), Some(key), None) => {
                Credential::Signed { iss, key: key.parse().map_err(|e| ParseEndpointError::Key("key", e))? }
            }
            (Some(_), None, _) => return Err(ParseEndpointError::IssWithoutKey),
        };
        let shared_key = match &credential {
            Credential::Signed { key, .. } => SigningKey::verify_key(key),
            _ => None,
        };
        let control_path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{control_path}/publish/"));
        let name = [url.authority(), &control_path].concat();
        let verify_iss = parameters.verify_iss;
        Ok(Endpoint { publish_url: url, name, credential, verify_key, shared_key, verify_iss })
    }
}

fn take_user_info(url: &mut Url) -> Result<Option<Credential>, ParseEndpointError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(String::from)
            .map_err(|_| ParseEndpointError::NotText("user"))
    };
    let (user, password) = (decode(url.username())?, decode(url.password().unwrap_or_default())?);
    // These calls cannot fail, as a URL of http or https always has a host.
    let _ = (url.set_username(""), url.set_password(None));
    Ok(Credential::basic(&user, &password))
}

/// The credential of a key without an issuer, which may be written in base64, too.
fn bearer(key: &str) -> Result<Credential, ParseEndpointError> {
    if !key.starts_with("base64:") {
        return Credential::bearer(key).ok_or(ParseEndpointError::Bearer);
    }
    let bytes = bearer_bytes(key).map_err(|e| ParseEndpointError::Key("key", e))?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| Credential::bearer(&text)).ok_or(ParseEndpointError::Bearer)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;
    use proptest::prelude::*;

    use super::super::credential::Authorizer;
    use super::*;
    use crate::jwt::ParseKeyError;

    /// A public key of P-256.
    const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE69ry50ljn/sZfCww5NRvBQ7kmbvP\n\
        GqopZ29wXJIea6thhm9FjQycyiCh6gFvyzsF9Zgkwo/J3E0k89mRoX6LTA==\n\
        -----END PUBLIC KEY-----";

    fn endpoint(text: &str) -> Endpoint {
        text.parse().expect("an endpoint")
    }

    fn authorization(text: &str) -> String {
        let value = Authorizer::new(endpoint(text).credential().clone()).authorization();
        value.map(|v| v.to_str().expect("text").to_owned()).unwrap_or_default()
    }

    #[test]
    fn the_publish_url_has_one_slash_wherever_the_control_uri_ends() {
        for (text, url, name) in [
            ("http://localhost:5561", "http://localhost:5561/publish/", "localhost:5561"),
            ("http://localhost:5561/", "http://localhost:5561/publish/", "localhost:5561"),
            ("http://p/a//?x=1+2&key=k&y=%2f", "http://p/a/publish/?x=1+2&y=%2f", "p/a"),
            (
                "https://api.fastly.com/service/SID?key=TOKEN&verify-iss=fastly:SID",
                "https://api.fastly.com/service/SID/publish/",
                "api.fastly.com/service/SID",
            ),
            ("http://user:pw@p:1/", "http://p:1/publish/", "p:1"),
        ] {
            assert_eq!(endpoint(text).publish_url().as_str(), url, "{text}");
            assert_eq!(endpoint(text).name(), name, "{text}");
        }
    }

    #[test]
    fn the_authorization_that_is_sent_follows_from_the_parameters() {
        assert_eq!(authorization("http://p/"), "");
        assert_eq!(authorization("http://p/?key=a+b%2Bc/="), "Bearer a+b+c/=");
        assert_eq!(authorization("http://p/?key=base64:c2VjcmV0"), "Bearer secret");
        assert_eq!(authorization("http://us%40er:p%3Aw@p/"), "Basic dXNAZXI6cDp3");
        assert!(authorization("http://p/?iss=realm&key=a-secret-of-18-byt").starts_with("Bearer eyJ"));
    }

    #[test]
    fn only_a_shared_secret_with_an_issuer_checks_what_it_signs() {
        let fastly = "https://api.fastly.com/service/S?key=TOKEN&verify-iss=fastly:S";
        assert!(endpoint("http://p/?iss=realm&key=a-secret-of-18-byt").verify_key().is_some());
        assert!(endpoint("http://p/?key=bearer").verify_key().is_none());
        assert!(endpoint(fastly).verify_key().is_none());
        assert_eq!(endpoint(fastly).verify_iss(), Some("fastly:S"));
        assert_eq!(endpoint("http://p/?iss=realm&key=a-secret-of-18-byt").verify_iss(), None);
        let encoded = endpoint("http://p/?verify%2Dkey=a-secret-of-18-byt&verify%2diss=us&other%2Dkey=k");
        assert!(encoded.verify_key().is_some());
        assert_eq!(encoded.verify_iss(), Some("us"));
        assert_eq!(encoded.publish_url().as_str(), "http://p/publish/?other%2Dkey=k");
    }

    #[test]
    fn a_default_key_stands_behind_a_verify_key_and_before_what_signs() {
        let verified_by = |text: &str| {
            let default = PUBLIC_KEY.parse().expect("a key");
            let endpoint = endpoint(text).with_default_verify_key(default);
            endpoint.verify_key().map(VerifyKey::algorithm)
        };
        assert_eq!(verified_by("http://p/?verify-key=a-secret-of-18-byt"), Some(Algorithm::HS256));
        for text in ["http://p/", "http://p/?key=bearer", "http://p/?iss=realm&key=a-secret-of-18-byt"] {
            assert_eq!(verified_by(text), Some(Algorithm::ES256), "{text}");
        }
    }

    #[test]
    fn a_jwk_fits_a_word_encoded_and_bare() {
        for key in [
            r#"{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0"}"#,
            "%7B%22kty%22%3A%22oct%22%2C%22k%22%3A%22c2VjcmV0c2VjcmV0c2VjcmV0%22%7D",
        ] {
            assert!(endpoint(&format!("http://p/?verify-key={key}")).verify_key().is_some());
        }
    }

    #[test]
    fn the_mistake_in_an_endpoint_is_named_without_its_secret() {
        use ParseEndpointError as E;
        for (text, expected) in [
            ("localhost", E::Url(url::ParseError::RelativeUrlWithoutBase)),
            ("http://", E::Url(url::ParseError::EmptyHost)),
            ("redis://p/?key=hunter2", E::Scheme),
            ("http://p/?key=hunter2#x", E::Fragment),
            ("http://p/?key=hunter2&key=hunter2", E::Twice("key")),
            ("http://p/?verify_key=hunter2", E::Misspelt("verify-key")),
            ("http://p/?verifyIss=hunter2", E::Misspelt("verify-iss")),
            ("http://p/?Key=hunter2", E::Misspelt("key")),
            ("http://p/?key=hunter2%ff", E::NotText("key")),
            ("http://p/?key=hunter2%0d%0aX:y", E::Bearer),
            ("http://p/?key=", E::Bearer),
            ("http://p/?iss=hunter2", E::IssWithoutKey),
            ("http://p/?iss=a&key=base64:hunter2!", E::Key("key", ParseKeyError::Base64)),
            ("http://p/?verify-key=base64:hunter2!", E::Key("verify-key", ParseKeyError::Base64)),
            ("http://p/?iss=a&key=hunter2", E::Key("key", ParseKeyError::Short)),
            ("http://p/?verify%2Dkey=hunter2", E::Key("verify-key", ParseKeyError::Short)),
            ("http://p/?%6bey=hunter2&key=hunter2", E::Twice("key")),
            ("http://p/?verify%5Fkey=hunter2", E::Misspelt("verify-key")),
            ("http://u:hunter2@p/?key=k", E::TwoCredentials),
        ] {
            let error = text.parse::<Endpoint>().expect_err("an error");
            assert_eq!(error, expected, "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        let error = endpoints_from("http://p/ http://p/?iss=x").expect_err("an error");
        assert_eq!(error.to_string(), "address 2 has the parameter iss but no key");
    }

    #[test]
    fn several_are_separated_by_any_white_space() {
        assert_eq!(endpoints_from(" http://a/\n\thttp://b/ ").map(|all| all.len()), Ok(2));
        assert_eq!(endpoints_from(" \n").map(|all| all.len()), Ok(0));
    }

    #[test]
    fn debugging_an_endpoint_shows_no_secret() {
        for text in [
            "http://user:hunter2@p/",
            "http://p/?key=hunter2",
            "http://p/?iss=i&key=hunter2hunter2hunter2",
            "http://p/?verify-key=hunter2hunter2hunter2",
        ] {
            assert!(!format!("{:?}", endpoint(text)).contains("hunter2"), "{text}");
            assert!(!format!("{:?}", endpoint(text)).contains("aHVudGVyMg"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn well_formed_ones_survive(
            path in "(/[a-z0-9]{1,8}){0,3}", iss in "\\PC{1,12}", key in "s\\PC{15,27}", other in "[a-z]{5}=[a-z+]{0,5}",
        ) {
            let encode = |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
            let text =
                format!("http://h:1{path}?{other}&verify-iss={}&iss=i&key={}", encode(&iss), encode(&key));
            let endpoint: Endpoint = text.parse().expect("an endpoint");
            prop_assert_eq!(endpoint.publish_url().as_str(), format!("http://h:1{path}/publish/?{other}"));
            prop_assert_eq!(endpoint.verify_iss(), Some(iss.as_str()));
            match endpoint.credential() {
                Credential::Signed { key: signing, .. } => {
                    prop_assert_eq!(signing.encoding().as_bytes(), key.as_bytes());
                }
                _ => prop_assert!(false, "iss and key sign"),
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic_or_tells_the_secret(
            start in "(https?://[a-z@:#]{0,5}/?)?\\PC{0,20}", rest in "[?&=%+#a-z]{0,20}",
        ) {
            let text = format!("{start}?key=hunter2{rest}&verify-key=hunter2");
            let told = match text.parse::<Endpoint>() {
                Ok(endpoint) => format!("{endpoint:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!told.contains("hunter2"), "{}", told);
        }
    }
}
