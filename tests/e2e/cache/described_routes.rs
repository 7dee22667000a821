//! The cache treats each route as `x-edge` in the description of the interface says.

use serde_json::Value;

use super::get;
use crate::origin::Origin;
use crate::support::varnish::Varnish;

/// The description of the interface.
const DESCRIPTION: &str = include_str!("../../../src/http/openapi.json");

/// The path of a request to a route, with an example of each part.
fn example(route: &str) -> String {
    let parts = [
        ("{id}", "2"),
        ("{names}", "counter-1,site-a"),
        ("{type}", "a"),
        ("{key}", "k"),
        ("{route}", "a"),
        ("{name}", "x.css"),
    ];
    let path = parts.iter().fold(route.to_owned(), |path, (part, example)| path.replace(part, example));
    // Routes about pages get the address of one.
    if path.contains("count") && !path.contains("counter") { path + "?url=www.example.com" } else { path }
}

#[tokio::test]
async fn the_cache_keeps_the_routes_that_the_interface_describes_so() {
    let origin = Origin::start().await;
    let cache = Varnish::start(&[origin.addr()]).await;
    let description: Value = serde_json::from_str(DESCRIPTION).expect("JSON");
    // The origin of this test answers /healthz without terms for a cache.
    let described = description["paths"].as_object().expect("paths");
    for (route, described) in described.iter().filter(|(route, _)| *route != "/healthz") {
        let path = example(route);
        // The cache stands behind the proxy: it keeps a stream that is handed over unless the route is private.
        let is_kept = described["x-edge"]["read"] == "look up";
        let is_refused = described["x-edge"]["read"] == "refuse";
        let mut accepts = vec!["*/*"];
        accepts.extend(described["x-edge"]["stream"].is_string().then_some("text/event-stream"));
        for accept in accepts {
            let before = origin.requests().len();
            let answers = [get(&cache.url(&path), accept).await.1, get(&cache.url(&path), accept).await.1];
            assert_eq!(answers[1] == "HIT", is_kept, "{route} {accept}: {answers:?}");
            let asked = origin.requests().len() - before;
            if !is_kept {
                assert_eq!(asked, if is_refused { 0 } else { 2 }, "{route} {accept}");
            }
        }
    }
}
