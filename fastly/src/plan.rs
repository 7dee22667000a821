//! Decides where a request goes.

use crate::accept::Variant;
use crate::hits::{is_hits, names_page};
use crate::past::accept_of_past;
use crate::problem::Problem;
use crate::resource::Resource;

/// The facts on which the decision depends.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path without the query, [normalized](crate::normalize_path).
    pub path: &'a str,
    /// The query; empty where there is none.
    pub query: &'a str,
    /// All values of `Accept`, joined by commas; empty where there is none.
    pub accept: &'a str,
    /// Whether the request came through Fanout: its `Grip-Sig` is valid.
    pub signed: bool,
    /// Whether this program has handed the request over to Fanout before.
    pub handed_off: bool,
    /// Whether the request says in `Grip-Last` what its listeners have seen. This counts only in a signed request.
    pub recovers: bool,
    /// Whether the request has credentials, so that the answer is for this client only.
    pub private: bool,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// To Fanout, which holds the listener and sends a signed request to this program.
    HandOff,
    /// To the cache, with this `Accept`. If the cache has no answer, it asks the origin.
    Lookup(&'static str),
    /// To the origin, past the cache.
    Pass,
    /// Nowhere: this program answers it.
    Refuse(Problem),
}

impl RequestFacts<'_> {
    /// Decides where this request goes.
    pub fn plan(&self) -> Plan {
        // Metrics are not public, and those of an arbitrary origin would be of no use.
        if self.path.trim_end_matches('/') == "/metrics" {
            return Plan::Refuse(Problem::NotFound);
        }
        match self.method {
            "GET" | "HEAD" => self.plan_of_read(),
            // If the request were sent on from here, Fastly would purge without asking for a key.
            "PURGE" => Plan::Refuse(Problem::NotAllowed),
            _ => Plan::Pass,
        }
    }

    /// Decides where a GET or a HEAD goes.
    fn plan_of_read(&self) -> Plan {
        // A recovery needs the present value: with a cached answer the proxy's listeners would miss all later events.
        if self.signed && self.recovers {
            return Plan::Pass;
        }
        let variant = Variant::of(self.accept);
        match Resource::of(self.path) {
            Resource::Past => self.look_up(accept_of_past(self.accept)),
            Resource::OneForm => self.look_up("*/*"),
            Resource::Feed if !self.signed => self.hold(),
            Resource::Uncached | Resource::Public if variant.may_stream() && !self.signed => self.hold(),
            Resource::Public => variant.normal().map_or(Plan::Pass, |accept| self.look_up(accept)),
            Resource::Feed | Resource::Uncached | Resource::OfOrigin => Plan::Pass,
        }
    }

    /// The plan for a request whose answer may be a stream, and which Fanout has not sent.
    fn hold(&self) -> Plan {
        match (self.method, self.handed_off) {
            // Fanout would hold the answer as if it had a body, and the cache must not keep the origin's answer in the place of a stream.
            ("HEAD", _) => Plan::Pass,
            // The request has come back from Fanout with a signature that is not accepted. Handing it over again would never end.
            (_, true) => Plan::Refuse(Problem::Unverified),
            (_, false) => Plan::HandOff,
        }
    }

    /// The plan for a request whose answer the cache may keep, unless the answer depends on the client: on its credentials, or on `Referer`, which
    /// names the page where the query names none. Neither is part of the cache's key.
    fn look_up(&self, accept: &'static str) -> Plan {
        let by_referer = is_hits(self.path) && !names_page(self.query);
        if self.private || by_referer { Plan::Pass } else { Plan::Lookup(accept) }
    }
}

/// Whether a header belongs to the protocol between origin and proxy. A client may neither send nor see it.
pub fn is_grip(header: &str) -> bool {
    has_prefix(header, "grip-")
}

/// Whether a header is for the cache only.
pub fn is_surrogate(header: &str) -> bool {
    has_prefix(header, "surrogate-")
}

fn has_prefix(header: &str, prefix: &str) -> bool {
    header.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "text/event-stream";

    fn facts<'a>(method: &'a str, path: &'a str, accept: &'a str) -> RequestFacts<'a> {
        RequestFacts {
            method,
            path,
            query: "",
            accept,
            signed: false,
            handed_off: false,
            recovers: false,
            private: false,
        }
    }

    #[test]
    fn a_listener_is_handed_over_once_and_then_served_from_the_cache() {
        let listener = facts("GET", "/counters/2/", STREAM);
        assert_eq!(listener.plan(), Plan::HandOff);
        assert_eq!(RequestFacts { signed: true, ..listener }.plan(), Plan::Lookup(STREAM));
        let back = RequestFacts { signed: true, handed_off: true, ..listener };
        assert_eq!(back.plan(), Plan::Lookup(STREAM));
    }

    #[test]
    fn an_unsigned_request_that_comes_back_is_not_handed_over_again() {
        for accept in [STREAM, "text/event-stream;q=0.5"] {
            let back = RequestFacts { handed_off: true, ..facts("GET", "/counters/2/", accept) };
            assert_eq!(back.plan(), Plan::Refuse(Problem::Unverified));
        }
        // A client can forge the mark of a hand-over, but gains nothing.
        let plain = RequestFacts { handed_off: true, ..facts("GET", "/counters/2/", "*/*") };
        assert_eq!(plain.plan(), Plan::Lookup("*/*"));
    }

    #[test]
    fn plain_reads_are_looked_up_and_changes_pass() {
        assert_eq!(facts("GET", "/counters/2/", "").plan(), Plan::Lookup("*/*"));
        assert_eq!(
            facts("HEAD", "/counters/2/", "application/json").plan(),
            Plan::Lookup("application/json")
        );
        assert_eq!(facts("HEAD", "/counters/2/", STREAM).plan(), Plan::Pass);
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(facts(method, "/counters/2/", STREAM).plan(), Plan::Pass, "{method}");
        }
    }

    #[test]
    fn no_client_can_purge_through_the_edge() {
        let purge = facts("PURGE", "/counters/2/", "*/*");
        for signed in [false, true] {
            assert_eq!(RequestFacts { signed, ..purge }.plan(), Plan::Refuse(Problem::NotAllowed));
        }
    }

    #[test]
    fn a_recovery_is_never_looked_up_and_never_handed_over() {
        for path in ["/counters/2/recover", "/counters/2/recover/", "/topics/counter-2+site-a/recover"] {
            for accept in ["*/*", STREAM] {
                let recovery = facts("GET", path, accept);
                assert_eq!(recovery.plan(), Plan::Pass, "{path}");
                assert_eq!(RequestFacts { signed: true, recovers: true, ..recovery }.plan(), Plan::Pass);
            }
        }
        let elsewhere = RequestFacts { signed: true, recovers: true, ..facts("GET", "/counters/2/", "*/*") };
        assert_eq!(elsewhere.plan(), Plan::Pass);
        // A client's own Grip-Last does not count.
        assert_eq!(RequestFacts { signed: false, ..elsewhere }.plan(), Plan::Lookup("*/*"));
    }

    #[test]
    fn a_counter_may_be_called_recover() {
        for path in ["/counters/recover", "/counters/recover/"] {
            assert_eq!(facts("GET", path, STREAM).plan(), Plan::HandOff, "{path}");
            assert_eq!(facts("GET", path, "*/*").plan(), Plan::Lookup("*/*"), "{path}");
        }
        assert_eq!(facts("GET", "/counters/recover/recover", STREAM).plan(), Plan::Pass);
    }

    #[test]
    fn private_streams_are_handed_over_and_all_else_of_entities_passes() {
        for (path, accept) in
            [("/entity/a/b/k", STREAM), ("/live/a/b", STREAM), ("/live/a", "*/*"), ("/live/*", "")]
        {
            let listener = facts("GET", path, accept);
            assert_eq!(listener.plan(), Plan::HandOff, "{path}");
            assert_eq!(RequestFacts { private: true, ..listener }.plan(), Plan::HandOff, "{path}");
            assert_eq!(
                RequestFacts { signed: true, handed_off: true, ..listener }.plan(),
                Plan::Pass,
                "{path}"
            );
            let back = RequestFacts { handed_off: true, ..listener };
            assert_eq!(back.plan(), Plan::Refuse(Problem::Unverified), "{path}");
            assert_eq!(facts("HEAD", path, accept).plan(), Plan::Pass, "{path}");
        }
        for path in
            ["/entity/a/k", "/entity/a/", "/drop", "/feed/a", "/sql", "/exec", "/recover/public/entity-a/k"]
        {
            for method in ["GET", "POST", "DELETE"] {
                assert_eq!(facts(method, path, "application/json").plan(), Plan::Pass, "{method} {path}");
            }
        }
        assert_eq!(facts("GET", "/recover/public/entity-a/k", STREAM).plan(), Plan::Pass);
    }

    #[test]
    fn the_list_of_counters_passes_with_its_query() {
        for path in ["/counters", "/counters/"] {
            for accept in ["*/*", "application/json", STREAM] {
                assert_eq!(facts("GET", path, accept).plan(), Plan::Pass, "{path} {accept}");
            }
        }
        assert_eq!(facts("GET", "/counters/counters/", "*/*").plan(), Plan::Lookup("*/*"));
    }

    #[test]
    fn hits_pass_whatever_their_accept_says() {
        for path in ["/count/", "/nocount/", "/count/tag.svg", "/nocount/tag.svg", "/count/site"] {
            for (method, accept) in [("GET", "*/*"), ("GET", STREAM), ("HEAD", "image/*"), ("GET", "")] {
                assert_eq!(facts(method, path, accept).plan(), Plan::Pass, "{method} {path} {accept}");
            }
        }
        for path in ["/counters/2/", "/counters/count/"] {
            assert_eq!(facts("GET", path, "*/*").plan(), Plan::Lookup("*/*"), "{path}");
        }
    }

    #[test]
    fn a_stream_that_counts_is_handed_over_once_and_never_looked_up() {
        let listener = facts("GET", "/count", STREAM);
        assert_eq!(listener.plan(), Plan::HandOff);
        assert_eq!(RequestFacts { signed: true, handed_off: true, ..listener }.plan(), Plan::Pass);
        assert_eq!(RequestFacts { handed_off: true, ..listener }.plan(), Plan::Refuse(Problem::Unverified));
        for (method, accept) in [("GET", "*/*"), ("GET", ""), ("HEAD", STREAM), ("POST", STREAM)] {
            assert_eq!(facts(method, "/count", accept).plan(), Plan::Pass, "{method} {accept}");
        }
    }

    #[test]
    fn paths_of_other_services_pass_because_they_may_count() {
        for path in ["/country", "/nocounts", "/hit/ns/key", "/user/repo.svg", "/busuanzi", "/count.svg", ""]
        {
            for accept in ["*/*", STREAM, "application/json"] {
                assert_eq!(facts("GET", path, accept).plan(), Plan::Pass, "{path} {accept}");
            }
        }
        for path in ["/", "/assets/home.js", "/favicon.ico", "/live-counter.js", "/openapi.json", "/healthz"]
        {
            assert_eq!(facts("GET", path, "*/*").plan(), Plan::Lookup("*/*"), "{path}");
        }
    }

    #[test]
    fn reads_of_hits_are_looked_up_if_the_query_names_the_page() {
        for path in ["/nocount", "/nocount/site"] {
            for (query, named) in [("", false), ("curl=a", false), ("url=a", true), ("x=y&url=a&url=b", true)]
            {
                let asked = |method, accept| RequestFacts { query, ..facts(method, path, accept) };
                let looked_up = |accept| if named { Plan::Lookup(accept) } else { Plan::Pass };
                for accept in ["*/*", "application/json"] {
                    assert_eq!(asked("GET", accept).plan(), looked_up(accept), "{path}?{query}");
                    let private = RequestFacts { private: true, ..asked("GET", accept) };
                    assert_eq!(private.plan(), Plan::Pass, "{path}?{query}");
                }
                let listener = asked("GET", STREAM);
                assert_eq!(listener.plan(), Plan::HandOff, "{path}?{query}");
                let held = RequestFacts { signed: true, handed_off: true, ..listener };
                assert_eq!(held.plan(), looked_up(STREAM), "{path}?{query}");
                assert_eq!(asked("HEAD", STREAM).plan(), Plan::Pass);
                assert_eq!(asked("POST", "*/*").plan(), Plan::Pass);
            }
        }
    }

    #[test]
    fn the_past_of_hits_is_looked_up_if_the_query_names_the_page() {
        for (path, accept, sent) in [
            ("/nocount/history", "text/csv, */*;q=0.1", "text/csv"),
            ("/nocount/history", STREAM, "*/*"),
            ("/nocount/chart.svg", "image/*", "*/*"),
            ("/nocount/tag.json", "application/json;q=0.5", "*/*"),
        ] {
            let named = RequestFacts { query: "x=y&url=a", ..facts("GET", path, accept) };
            assert_eq!(named.plan(), Plan::Lookup(sent), "{path} {accept}");
            assert_eq!(RequestFacts { private: true, ..named }.plan(), Plan::Pass, "{path}");
            assert_eq!(RequestFacts { query: "curl=a", ..named }.plan(), Plan::Pass, "{path}");
            assert_eq!(RequestFacts { method: "POST", ..named }.plan(), Plan::Pass, "{path}");
        }
    }

    #[test]
    fn topics_are_looked_up_and_handed_over_as_counters_are() {
        let listener = facts("GET", "/topics/counter-2,site-a/", STREAM);
        assert_eq!(listener.plan(), Plan::HandOff);
        assert_eq!(RequestFacts { signed: true, ..listener }.plan(), Plan::Lookup(STREAM));
        assert_eq!(RequestFacts { accept: "*/*", ..listener }.plan(), Plan::Lookup("*/*"));
    }

    #[test]
    fn the_past_is_looked_up_and_never_handed_over() {
        for (accept, plan) in [
            ("*/*", Plan::Lookup("*/*")),
            (STREAM, Plan::Lookup("*/*")),
            ("text/csv, application/json;q=0.5", Plan::Lookup("text/csv")),
        ] {
            assert_eq!(facts("GET", "/counters/2/history", accept).plan(), plan, "{accept}");
        }
        let private = RequestFacts { private: true, ..facts("GET", "/counters/2/chart.svg", "*/*") };
        assert_eq!(private.plan(), Plan::Pass);
        assert_eq!(facts("POST", "/counters/2/history", "*/*").plan(), Plan::Pass);
    }

    #[test]
    fn a_badge_is_looked_up_whatever_is_accepted() {
        for accept in ["*/*", STREAM, "image/avif,image/*", "application/json;q=0.5"] {
            assert_eq!(facts("GET", "/counters/2/badge.svg", accept).plan(), Plan::Lookup("*/*"), "{accept}");
        }
        let private = RequestFacts { private: true, ..facts("GET", "/counters/2/badge.json", "*/*") };
        assert_eq!(private.plan(), Plan::Pass);
        assert_eq!(facts("GET", "/counters/badge.svg", STREAM).plan(), Plan::HandOff);
    }

    #[test]
    fn weighed_types_and_private_requests_pass() {
        let weighed = facts("GET", "/counters/2/", "application/json;q=0.5");
        assert_eq!(weighed.plan(), Plan::Pass);
        let private = RequestFacts { private: true, ..facts("GET", "/counters/2/", "*/*") };
        assert_eq!(private.plan(), Plan::Pass);
        assert_eq!(RequestFacts { signed: true, accept: STREAM, ..private }.plan(), Plan::Pass);
        assert_eq!(RequestFacts { accept: STREAM, ..private }.plan(), Plan::HandOff);
    }

    #[test]
    fn no_client_can_read_the_metrics_of_an_origin() {
        for path in ["/metrics", "/metrics/"] {
            assert_eq!(facts("GET", path, "*/*").plan(), Plan::Refuse(Problem::NotFound));
        }
    }

    #[test]
    fn headers_of_the_protocol_are_known_however_they_are_written() {
        for name in ["Grip-Sig", "grip-hold", "GRIP-LAST", "grip-"] {
            assert!(is_grip(name), "{name}");
        }
        for name in ["Grip", "x-grip-sig", "Gripe", "g", ""] {
            assert!(!is_grip(name), "{name}");
        }
        assert!(is_surrogate("Surrogate-Key") && !is_surrogate("Surrogate"));
    }
}
