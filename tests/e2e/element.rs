//! The module for pages of other sites, from the cache: the front sends requests that are for no stream there.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::support::chain::Chain;
use crate::support::http::{Ask, client, header};

#[tokio::test]
async fn the_cache_keeps_the_module_compressed_for_all_clients() {
    let chain = Chain::start(1).await;
    let plain = client().get(format!("{}/live-counter.js", chain.origins[0].address)).text().await;
    for (query, coding, from) in [
        ("", "gzip, deflate, br, zstd", "MISS"),
        ("", "gzip", "HIT"),
        ("?v=2", "gzip", "HIT"),
        ("", "identity", "HIT"),
    ] {
        let url = chain.cache.url(&format!("/live-counter.js{query}"));
        let request = client().get(&url).header("accept-encoding", coding);
        let answer = request.header("origin", "https://www.example.com").answer().await;
        assert_eq!((answer.status().as_u16(), header(&answer, "x-cache")), (200, from), "{query} {coding}");
        assert_eq!(header(&answer, "cross-origin-resource-policy"), "cross-origin");
        assert_eq!(header(&answer, "cache-control"), "public, max-age=3600");
        assert!(!header(&answer, "access-control-allow-origin").is_empty());
        let compressed = header(&answer, "content-encoding") == "gzip";
        assert_eq!(compressed, coding.contains("gzip"), "{coding}");
        let etag = header(&answer, "etag").to_owned();
        let body = answer.bytes().await.expect("a body");
        let mut text = String::new();
        let unpacked = GzDecoder::new(&*body).read_to_string(&mut text);
        if compressed {
            unpacked.expect("gzip");
            assert!(body.len() < 4000, "{} bytes", body.len());
        } else {
            text = String::from_utf8(body.to_vec()).expect("a text");
        }
        assert_eq!(text, plain, "{coding}");
        let known = client().get(&url).header("accept-encoding", coding).header("if-none-match", &etag);
        assert_eq!(known.answer().await.status(), 304, "{coding} {etag}");
    }
    // Pushpin passes no `Accept-Encoding` on.
    let through = client().get(chain.pushpin.url("/live-counter.js")).text().await;
    assert_eq!(through, plain);
}
