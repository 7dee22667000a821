//! The answers of the edge program itself: `application/problem+json` (RFC 9457), in the form of the service's.

/// Why the edge program answers in the place of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Clients may not use this path.
    NotFound,
    /// Clients may not use this method.
    NotAllowed,
    /// No origin answers, and the cache has no stale answer.
    Unavailable,
    /// The answer of an origin cannot be passed on.
    BadGateway,
    /// The request has come back from Fanout with a signature that is not accepted: the key or the issuer belongs to another service.
    Unverified,
    /// The address of a stream is longer than Fanout takes it.
    AddressTooLong,
    /// Fanout does not take streams.
    NoFanout,
}

impl Problem {
    /// The status code.
    pub fn status(self) -> u16 {
        self.table().0
    }

    /// The body.
    pub fn body(self) -> String {
        let (status, kind, title, detail) = self.table();
        // No text has a character that JSON must escape.
        format!(
            "{{\"type\":\"urn:livecounter:problem:{kind}\",\"title\":\"{title}\",\"status\":{status},\"detail\":\"{detail}\"}}"
        )
    }

    /// After how many seconds the client may try again.
    pub fn retry_after(self) -> Option<u32> {
        (self.status() >= 502).then_some(1)
    }

    /// The methods that are allowed instead.
    pub fn allow(self) -> Option<&'static str> {
        (self == Problem::NotAllowed).then_some("GET, HEAD, POST, PUT, DELETE, OPTIONS")
    }

    fn table(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Problem::NotFound => (404, "not-found", "Not found", "there is nothing here"),
            Problem::NotAllowed => (
                405,
                "method-not-allowed",
                "Method not allowed",
                "this resource answers GET, HEAD, POST, PUT, DELETE, OPTIONS",
            ),
            Problem::Unavailable => (503, "unavailable", "Unavailable", "no origin answers; try again"),
            Problem::BadGateway => {
                (502, "bad-gateway", "Bad gateway", "the origin's answer could not be understood; try again")
            }
            Problem::Unverified => (
                502,
                "bad-gateway",
                "Bad gateway",
                "this service does not accept the signature of its own Fanout: check verify_key and issuer",
            ),
            Problem::AddressTooLong => (
                414,
                "address-too-long",
                "Address too long",
                "the address of a stream may have at most 4096 bytes: listen to fewer numbers in one stream",
            ),
            Problem::NoFanout => {
                (503, "unavailable", "Unavailable", "Fanout takes no streams now; try again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_json_with_its_status() {
        for problem in [
            Problem::NotFound,
            Problem::NotAllowed,
            Problem::Unavailable,
            Problem::BadGateway,
            Problem::Unverified,
            Problem::AddressTooLong,
            Problem::NoFanout,
        ] {
            let body: serde_json::Value = serde_json::from_str(&problem.body()).expect("JSON");
            assert_eq!(body["status"], problem.status());
            assert!(body["type"].as_str().is_some_and(|kind| kind.starts_with("urn:livecounter:problem:")));
            assert_eq!(problem.retry_after().is_some(), problem.status() >= 500);
            assert_eq!(problem.allow().is_some(), problem.status() == 405);
        }
    }
}
