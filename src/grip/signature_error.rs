//! Why a signature is refused.

/// Why a `Grip-Sig` is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The request has no `Grip-Sig`, though only a proxy can hold the stream.
    #[error("no Grip-Sig: the request came past every proxy, or through one without a sig_key")]
    Missing,
    /// No known key has made the signature, or the value is no JWT with an `exp`.
    #[error("Grip-Sig is not signed by a known proxy: forged, or the proxy's key is not the one in GRIP_URL")]
    Invalid,
    /// The signature is good, but its `iss` is not `verify-iss`.
    #[error("Grip-Sig is signed by a known proxy for another issuer than verify-iss")]
    Issuer,
    /// The signature is good, but not valid yet.
    #[error(
        "Grip-Sig is signed by a known proxy but is not valid yet: this machine's clock, or the proxy's, is wrong"
    )]
    Early,
    /// The signature is good, but has expired: one of the proxies has made it.
    #[error(
        "Grip-Sig is signed by a known proxy but has expired: this machine's clock, or the proxy's, is wrong"
    )]
    Expired,
}

impl SignatureError {
    pub(super) const ALL: [SignatureError; 5] = [
        SignatureError::Missing,
        SignatureError::Invalid,
        SignatureError::Issuer,
        SignatureError::Early,
        SignatureError::Expired,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            SignatureError::Missing => "missing",
            SignatureError::Invalid => "invalid",
            SignatureError::Issuer => "issuer",
            SignatureError::Early => "early",
            SignatureError::Expired => "expired",
        }
    }
}
