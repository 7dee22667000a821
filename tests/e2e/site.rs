//! The service behind Caddy and nginx, all with the files that docs/your-site.md tells its readers to copy.

use std::collections::HashMap;
use std::time::Duration;

use livecounter::settings::Settings;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client, metric};
use crate::support::port::Port;
use crate::support::process::repository;
use crate::support::site_proxy::SiteProxy;
use crate::support::wait::until;

const SETTINGS: &str = "docs/examples/site/livecounter.toml";

/// The service with the settings to copy, on ports of its own, and what its operators ask.
struct Site {
    app: TestApp,
    operators: Port,
}

impl Site {
    async fn start(environment: &[(&str, &str)]) -> Site {
        let operators = Port::reserve();
        let listen = operators.addr().to_string();
        let environment = [environment, &[("LIVECOUNTER__OPS__LISTEN", &listen)]].concat();
        let app = TestApp::with_file(&repository(SETTINGS), &environment).await;
        Site { app, operators }
    }

    /// The streams that the service holds.
    async fn listeners(&self) -> f64 {
        let address = format!("http://{}", self.operators.addr());
        metric(&address, "livecounter_listeners").await.expect("the number of listeners")
    }
}

async fn each_change_comes_at_once(site: &Site, proxy: &SiteProxy) {
    let path = "/counters/visits/";
    let mut listener = proxy.listen(path);
    let head = listener.head().await;
    assert_eq!(head[0].trim(), "http/2 200", "{head:?}");
    assert!(head.contains(&"content-type: text/event-stream".to_owned()), "{head:?}");
    assert!(!head.iter().any(|line| line.starts_with("content-encoding")), "{head:?}");
    assert_eq!(listener.until("data: ").await, "0");
    for expected in ["1", "2", "3"] {
        let printed = proxy.printed(&["-X", "POST", "-w", "%{http_version}", &proxy.url(path)]).await;
        assert_eq!(printed, format!("{expected}\n2"));
        assert_eq!(listener.until("data: ").await, expected, "while the stream stays open");
    }
    assert_eq!(site.listeners().await, 1.0);
    drop(listener);
    until("the service sees that the listener has gone", async || site.listeners().await == 0.0).await;
}

#[tokio::test]
async fn caddy_shows_each_change_at_once_and_ends_streams_of_the_gone() {
    let site = Site::start(&[]).await;
    each_change_comes_at_once(&site, &SiteProxy::caddy(site.app.addr).await).await;
}

#[tokio::test]
async fn nginx_shows_each_change_at_once_and_ends_streams_of_the_gone() {
    let site = Site::start(&[]).await;
    each_change_comes_at_once(&site, &SiteProxy::nginx(site.app.addr).await).await;
}

async fn status(proxy: &SiteProxy, arguments: &[&str]) -> String {
    proxy.printed(&[&["-o", "/dev/null", "-w", "%{http_code}"], arguments].concat()).await
}

/// Visitors are told apart by their addresses, operators' numbers and private routes stay inside, and cookies are for https alone.
async fn the_public_gets_what_is_public(site: &Site, proxy: &SiteProxy) {
    let counter = proxy.url("/counters/visits/");
    for address in ["127.0.0.2", "127.0.0.3"] {
        // A header that the client itself has written must not count, nor make it an administrator.
        let forged = format!("x-forwarded-for: 192.0.2.{}", &address[8..]);
        let add = ["--interface", address, "-H", &forged, "-X", "POST", &counter];
        let answers = [status(proxy, &add).await, status(proxy, &add).await];
        assert_eq!(answers, ["200", "429"], "{address}");
    }
    assert_eq!(status(proxy, &[&proxy.url("/metrics")]).await, "404");
    for (path, refused) in [("/admin", "403"), ("/entity/a/", "403"), ("/counters/", "401")] {
        let url = proxy.url(path);
        assert_eq!(status(proxy, &[&url]).await, refused, "{path}");
        // A client may claim to mean this machine. nginx has only the one site; Caddy answers for no other name, with 200 and nothing.
        let local = ["-H", "host: localhost", &url];
        let (status, body) = (status(proxy, &local).await, proxy.printed(&local).await);
        assert!(status == refused || (status == "200" && body.is_empty()), "{path}: {status} {body}");
    }
    let hit = proxy.printed(&["-i", &proxy.url("/count?url=https://www.example.com/a")]).await;
    let cookie = hit.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
    assert!(cookie.is_some_and(|cookie| cookie.contains("; Secure")), "{hit}");
    let redirect =
        client().get(proxy.without_tls("/a?b")).header("host", "counters.example.com").answer().await;
    assert_eq!(redirect.status().as_u16() / 100, 3, "{redirect:?}");
    assert_eq!(site.listeners().await, 0.0);
}

#[tokio::test]
async fn caddy_names_each_visitor_and_keeps_inside_what_is_private() {
    let site = Site::start(&[("LIVECOUNTER__LIMITS__WRITES", "1/h")]).await;
    the_public_gets_what_is_public(&site, &SiteProxy::caddy(site.app.addr).await).await;
}

#[tokio::test]
async fn nginx_names_each_visitor_and_keeps_inside_what_is_private() {
    let site = Site::start(&[("LIVECOUNTER__LIMITS__WRITES", "1/h")]).await;
    the_public_gets_what_is_public(&site, &SiteProxy::nginx(site.app.addr).await).await;
}

#[test]
fn the_service_keeps_connections_longer_than_caddy_and_nginx_do() {
    let settings = Settings::load(Some(&repository(SETTINGS)), HashMap::new(), None).expect("settings");
    // Caddy keeps an idle connection for 2 minutes, nginx for 1. A POST on a connection that has just been closed would be a 502.
    assert!(settings.connections_keep_alive > Duration::from_secs(120));
}
