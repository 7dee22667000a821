//! Hits through the chain: each is counted once, whatever becomes of it.

use std::time::Duration;

use futures_util::future::join_all;

use crate::managing::dying_origin;
use crate::support::chain::Chain;
use crate::support::edge::Program;
use crate::support::http::{Ask, client, header};
use crate::support::pushpin::Options;
use crate::support::raw::raw;
use crate::support::varnish::Varnish;

const PATHS: [&str; 8] = [
    "/count?url=example.com/a",
    "/count/tag.svg?url=example.com/a",
    "/%63ount?url=example.com/a",
    "/nocount",
    "/nocount/tag.svg?url=example.com/a",
    // Paths of other services.
    "/hit/example.com/visits",
    "/api/count/incr/badge.svg?url=example.com",
    "/user/repo.svg",
];

#[tokio::test]
async fn hits_pass_cache_and_edge_once_whatever_becomes_of_them() {
    let (addr, seen) = dying_origin().await;
    let (cache, edge) = (Varnish::start(&[addr, addr]).await, Program::without_fanout(addr).await);
    let sent = || seen.lock().expect("no panic").iter().filter(|method| *method == "GET").count();
    for (server, path) in
        [cache.addr(), edge.addr()].into_iter().flat_map(|addr| PATHS.map(|path| (addr, path)))
    {
        let before = sent();
        let (status, _) = raw(server, &format!("GET {path} HTTP/1.1"), &[]).await;
        assert!([502, 503].contains(&status), "{path}: {status}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(sent(), before + 1, "{server} {path}");
    }
}

/// The host is part of the request all the way, and decides at the origin.
#[tokio::test]
async fn routes_of_other_services_count_once_through_the_chain() {
    let chain =
        Chain::with(2, &[("LIVECOUNTER__COMPAT__COUNTAPI", "api.example.com")], Options::default()).await;
    let http = client();
    let hit = || http.get(chain.pushpin.url("/hit/example.com/visits"));
    let hits = join_all((0..40).map(|_| hit().header("host", "api.example.com").text())).await;
    let value = |text: &String| text.strip_prefix("{\"value\":")?.strip_suffix('}')?.parse().ok();
    let mut values: Vec<u32> =
        hits.iter().map(|text| value(text).unwrap_or_else(|| panic!("{text}"))).collect();
    values.sort_unstable();
    assert_eq!(values, (1..=40).collect::<Vec<_>>());
    assert_eq!(hit().header("host", "example.com").answer().await.status().as_u16(), 404);
}

#[tokio::test]
async fn hits_at_the_same_time_through_the_chain_are_all_counted() {
    let chain = Chain::with(2, &[], Options::default()).await;
    let url = |path: &str| format!("{}?url=https%3A%2F%2Fwww.example.com%2Fa", chain.pushpin.url(path));
    let http = client();
    let hits = join_all((0..40).map(|_| http.get(url("/count")).text())).await;
    let mut values: Vec<u32> = hits.iter().map(|text| text.parse().expect("a number")).collect();
    values.sort_unstable();
    assert_eq!(values, (1..=40).collect::<Vec<_>>());
    let origin = "https://www.example.com";
    for path in ["/count", "/nocount"] {
        let answer = client()
            .get(chain.pushpin.url(path))
            .header("referer", format!("{origin}/a"))
            .header("origin", origin);
        let answer = answer.answer().await;
        assert_eq!(header(&answer, "cache-control"), "max-age=0, no-cache, no-store, must-revalidate");
        assert_eq!(header(&answer, "access-control-allow-origin"), origin);
        assert_eq!(header(&answer, "access-control-allow-credentials"), "true");
        assert_eq!(answer.text().await.expect("a text"), "41");
    }
}
