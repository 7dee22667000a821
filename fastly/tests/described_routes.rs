//! The program treats each route as `x-edge` in the description of the interface says; so does the cache
//! (`the_cache_keeps_the_routes_that_the_interface_describes_so` in the service's tests).

use livecounter_edge::{Plan, RequestFacts};
use serde_json::Value;

/// The description of the interface.
const DESCRIPTION: &str = include_str!("../../src/http/openapi.json");

/// The path of a request to a route, with an example of each part.
fn example(route: &str) -> String {
    [
        ("{id}", "2"),
        ("{names}", "counter-1,site-a"),
        ("{type}", "a"),
        ("{key}", "k"),
        ("{route}", "a"),
        ("{name}", "x.css"),
    ]
    .iter()
    .fold(route.to_owned(), |path, (part, example)| path.replace(part, example))
}

fn plan(method: &str, path: &str, accept: &str) -> &'static str {
    // Routes about pages get the address of one.
    let query = if path.contains("count") { "url=www.example.com" } else { "" };
    let facts = RequestFacts {
        method,
        path,
        query,
        accept,
        signed: false,
        handed_off: false,
        recovers: false,
        private: false,
    };
    match facts.plan() {
        Plan::HandOff => "hand over",
        Plan::Lookup(_) => "look up",
        Plan::Pass => "pass",
        Plan::Refuse(_) => "refuse",
    }
}

#[test]
fn each_route_goes_where_the_interface_says() {
    let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
    for (route, described) in description["paths"].as_object().expect("paths") {
        let edge = &described["x-edge"];
        let path = example(route);
        assert_eq!(edge["read"].as_str(), Some(plan("GET", &path, "*/*")), "{route}");
        let streams = described["get"].to_string().contains("text/event-stream");
        if streams && !path.ends_with("/recover") {
            assert!(edge["stream"].is_string(), "{route}: where do its streams go?");
        }
        if let Some(way) = edge["stream"].as_str() {
            assert_eq!(way, plan("GET", &path, "text/event-stream"), "{route}");
        }
        for method in ["POST", "PUT", "DELETE"] {
            let expected = if edge["read"] == "refuse" { "refuse" } else { "pass" };
            assert_eq!(plan(method, &path, "*/*"), expected, "{method} {route}");
        }
    }
}
