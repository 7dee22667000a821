//! `livecounter verify` through the chain, and through proxies and caches that are set up wrongly.

use std::net::SocketAddr;

use crate::support::app::TestApp;
use crate::support::chain::Chain;
use crate::support::edge::EdgeChain;
use crate::support::foreign::Foreign;
use crate::support::front::Front;
use crate::support::pushpin::Options;
use crate::support::site_proxy::SiteProxy;
use crate::support::verify::{PATIENT, Verified, verify, verify_with};

/// How long a step may take where what is awaited never comes.
const SHORT: [&str; 2] = ["--timeout", "10s"];

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

/// Panics unless this check failed with these texts, behind reads that went well.
#[track_caller]
fn assert_failed(verified: &Verified, check: &str, texts: &[&str]) {
    assert_eq!(verified.status, Some(1), "{}", verified.output);
    verified.assert_line("read", "ok", &[]);
    verified.assert_line(check, "failed", texts);
}

#[tokio::test]
async fn verify_finds_all_well_through_the_chain_and_its_front() {
    let chain = Chain::start(2).await;
    verify(&url(chain.pushpin.addr()), &PATIENT).await.assert_all_ok();
    let front = Front::start(chain.pushpin.addr(), chain.cache.addr()).await;
    verify(&url(front.addr()), &PATIENT).await.assert_all_ok();
}

#[tokio::test]
async fn verify_finds_all_well_at_the_edge() {
    let chain = EdgeChain::start(&[]).await;
    verify(&url(chain.edge.addr()), &PATIENT).await.assert_all_ok();
}

#[tokio::test]
async fn verify_finds_all_well_over_tls_and_tells_of_http2() {
    let app = TestApp::spawn().await;
    let nginx = SiteProxy::nginx(app.addr).await;
    let url = format!("https://{}/", nginx.addr());
    let trusting = |authority: &str| nginx.authority(authority).display().to_string();
    let verified = verify_with(&url, &PATIENT, &[("SSL_CERT_FILE", &trusting("ca.crt"))]).await;
    verified.assert_all_ok();
    verified.assert_line("http2", "ok", &["browsers get HTTP/2"]);
    let verified = verify_with(&url, &PATIENT, &[("SSL_CERT_FILE", &trusting("other-ca.crt"))]).await;
    assert_eq!(verified.status, Some(1), "{}", verified.output);
    verified.assert_line("read", "failed", &["certificate", "docs/your-site.md"]);
    let verified = verify(&format!("http://{}/", nginx.addr()), &PATIENT).await;
    verified.assert_line("read", "failed", &["400", "speaks TLS: is the address one of https://?"]);
}

#[tokio::test]
async fn verify_finds_all_well_behind_nginx_caddy_and_varnish_as_they_come() {
    let app = TestApp::spawn().await;
    let nginx = Foreign::nginx(app.addr, "").await;
    verify(&url(nginx.addr()), &PATIENT).await.assert_all_ok();
    let caddy = Foreign::caddy(app.addr, "").await;
    verify(&url(caddy.addr()), &PATIENT).await.assert_all_ok();
    let cache = Foreign::varnish(app.addr).await;
    verify(&url(cache.addr()), &PATIENT).await.assert_all_ok();
}

#[tokio::test]
async fn verify_names_a_proxy_that_hides_where_requests_come_from() {
    let app = TestApp::spawn().await;
    // nginx from 1.29.7 on speaks HTTP/1.1 without being told to.
    let nginx = Foreign::nginx(app.addr, "proxy_http_version 1.1;").await;
    let public = url(nginx.addr()).replace("127.0.0.1", "0.0.0.0");
    let verified = verify(&public, &PATIENT).await;
    assert_failed(&verified, "private", &["take all clients for its own machine", "make a key"]);
    let caddy = Foreign::caddy(app.addr, "").await;
    verify(&url(caddy.addr()), &PATIENT).await.assert_line("private", "ok", &["not told without a key"]);
}

#[tokio::test]
async fn verify_names_a_proxy_that_buffers() {
    let app = TestApp::spawn().await;
    let nginx = Foreign::nginx(app.addr, "proxy_ignore_headers X-Accel-Buffering;").await;
    let verified = verify(&url(nginx.addr()), &SHORT).await;
    assert_failed(&verified, "stream", &["although the counter can be read", "nginx: proxy_buffering off"]);
    verified.assert_line("add", "ok", &[]);
}

#[tokio::test]
async fn verify_names_a_proxy_that_compresses_streams() {
    let app = TestApp::spawn().await;
    let gzip = "gzip on; gzip_min_length 0; gzip_proxied any; gzip_types text/event-stream;";
    let nginx = Foreign::nginx(app.addr, gzip).await;
    let caddy = Foreign::caddy(app.addr, "encode gzip").await;
    for proxy in [nginx, caddy] {
        let verified = verify(&url(proxy.addr()), &PATIENT).await;
        assert_failed(&verified, "stream", &["compressed (\"gzip\")", "text/event-stream"]);
    }
}

#[tokio::test]
async fn verify_names_a_cache_that_is_not_purged() {
    let nowhere = [("LIVECOUNTER__FASTLY__API_URL", "http://127.0.0.1:9/")];
    let chain = Chain::with(1, &nowhere, Options::default()).await;
    let verified = verify(&url(chain.pushpin.addr()), &SHORT).await;
    assert_failed(&verified, "cache", &["is not purged", "fastly.api_url", "docs/fastly.md"]);
    verified.assert_line("add", "ok", &[]);
}

#[tokio::test]
async fn verify_names_a_cache_that_keeps_what_it_must_not() {
    let app = TestApp::spawn().await;
    let keeps_all = "proxy_cache_path kept keys_zone=kept:1m; proxy_cache kept; proxy_cache_valid 200 10m;\n\
                     proxy_cache_key $request_method$uri$http_accept;\n\
                     proxy_ignore_headers Cache-Control Expires Vary;\n\
                     map $http_accept $is_stream { text/event-stream 1; default 0; }\n\
                     proxy_no_cache $is_stream; proxy_cache_bypass $is_stream;";
    let nginx = Foreign::nginx(app.addr, keeps_all).await;
    let verified = verify(&url(nginx.addr()), &SHORT).await;
    assert_failed(&verified, "cache", &["application/json is still 0", "obey Cache-Control: no-cache"]);
    for check in ["stream", "add", "live", "reconnect"] {
        verified.assert_line(check, "ok", &[]);
    }
}
