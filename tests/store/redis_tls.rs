//! Redis, a Cluster, and Sentinels with their servers behind TLS, with a certificate that the system's trust store vouches for.

use std::process::Command;
use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Values, Write};

use crate::support::certificates::certificates;
use crate::support::redis::RedisServer;
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_sentinels::RedisSentinels;

/// The variable by which the inner run of this test gets the address of Redis.
const URL: &str = "LIVECOUNTER_TEST_TLS_URL";

#[tokio::test]
async fn certificates_are_checked_against_the_trust_store() {
    match std::env::var(URL) {
        Ok(url) => count_over_tls(&url).await,
        Err(_) => run_with_trust_in_a_new_authority().await,
    }
}

/// The environment names the trust store, so that the test runs itself in a process of its own.
async fn run_with_trust_in_a_new_authority() {
    let certificates = certificates();
    let place = certificates.path().display();
    let settings = [
        format!("--tls-cert-file {place}/server.crt"),
        format!("--tls-key-file {place}/server.key"),
        format!("--tls-ca-cert-file {place}/ca.crt"),
        "--tls-auth-clients no".to_owned(),
    ];
    let settings = settings.each_ref().map(String::as_str);
    let of_sentinel = settings.map(|setting| setting.trim_start_matches("--")).join("\n");
    let server = RedisServer::with_port(&settings);
    let cluster = RedisCluster::start(3, 1, &settings).await;
    let sentinels = RedisSentinels::start(1, 1, &settings, &of_sentinel).await;
    let one = format!("rediss://localhost:{}", server.port());
    for url in [one, cluster.url(), sentinels.url()].map(|url| url.replace("redis+", "rediss+")) {
        let inner = |authority: &str| {
            let mut inner = Command::new(std::env::current_exe().expect("this test"));
            inner.args(["--exact", "redis_tls::certificates_are_checked_against_the_trust_store"]);
            inner.env(URL, &url).env("SSL_CERT_FILE", certificates.path().join(authority));
            inner.output().expect("this test, once more")
        };
        let trusted = inner("ca.crt");
        assert!(trusted.status.success(), "{url}: {}", String::from_utf8_lossy(&trusted.stdout));
        let untrusted = inner("other-ca.crt");
        let text = String::from_utf8_lossy(&untrusted.stdout);
        assert!(!untrusted.status.success() && text.contains("UnknownIssuer"), "{url}: {text}");
    }
}

async fn count_over_tls(url: &str) {
    let store = RedisStore::connect(url, Duration::from_secs(2)).expect("a good address");
    // In a Cluster, every node must have it.
    let topics = (0..100).map(|n| format!("counter-{n}").parse::<Topic>().expect("a topic"));
    let adds: Vec<_> = topics.map(|topic| Write::add(topic, 1, None)).collect();
    let mut before = None;
    for _ in 1..=2 {
        let values = store.write(adds.clone()).await;
        let values: Vec<_> = values.into_iter().map(|added| added.expect("counted").value).collect();
        let expected = before.unwrap_or(values[0] - 1) + 1;
        assert!(values.iter().all(|value| *value == expected), "{values:?}");
        before = Some(expected);
    }
}
