//! The parameters of an endpoint's address that are for this program, and not for the proxy.

use percent_encoding::percent_decode_str;
use url::Url;

use super::endpoint_error::ParseEndpointError;

/// The names of the parameters of this program.
const NAMES: [&str; 4] = ["iss", "key", "verify-iss", "verify-key"];

/// Whether two names differ only in case and in the characters between their words.
fn is_like(name: &str, other: &str) -> bool {
    let letters = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    letters(name) == letters(other)
}

/// The parameters of this program, decoded.
#[derive(Default)]
pub(super) struct EndpointParameters {
    pub(super) iss: Option<String>,
    pub(super) key: Option<String>,
    pub(super) verify_iss: Option<String>,
    pub(super) verify_key: Option<String>,
}

impl EndpointParameters {
    /// Takes the parameters of this program out of the URL's query, and leaves the others as they are written.
    pub(super) fn take(url: &mut Url) -> Result<Self, ParseEndpointError> {
        let query = url.query().unwrap_or_default().to_owned();
        let (mut ours, mut rest) = (EndpointParameters::default(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // Some programs encode names in URLs, too. "verify%2Dkey" must not be sent as a parameter of the control URI.
            let name = percent_decode_str(name).decode_utf8_lossy();
            let (name, slot) = match &*name {
                "iss" => ("iss", &mut ours.iss),
                "key" => ("key", &mut ours.key),
                "verify-iss" => ("verify-iss", &mut ours.verify_iss),
                "verify-key" => ("verify-key", &mut ours.verify_key),
                other => {
                    if let Some(meant) = NAMES.into_iter().find(|name| is_like(name, other)) {
                        return Err(ParseEndpointError::Misspelt(meant));
                    }
                    rest.push(pair);
                    continue;
                }
            };
            let value =
                percent_decode_str(value).decode_utf8().map_err(|_| ParseEndpointError::NotText(name))?;
            if slot.replace(value.into_owned()).is_some() {
                return Err(ParseEndpointError::Twice(name));
            }
        }
        url.set_query((!rest.is_empty()).then(|| rest.join("&")).as_deref());
        Ok(ours)
    }
}
