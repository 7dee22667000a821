//! Listeners, other origins and proxies are told of a value that is set, and of a deletion.

use super::{deleted, list, origin, owner, set};
use crate::access::told;
use crate::support::app::TestApp;
use crate::support::http::client;
use crate::support::keys::secret;
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::stream_checks::Checked;
use crate::support::wait::until;
use crate::witness::Witness;

#[tokio::test]
async fn listeners_of_one_process_see_set_values_and_deletions() {
    let key = secret();
    let server = &TestApp::with(&[("LIVECOUNTER__KEYS", &owner(&key))]).await;
    let service = Checked { server, key: key.expose() };
    service.listeners_see_a_set_value_and_a_deletion().await;
    service.one_stream_shows_all_its_counters().await;
}

#[tokio::test]
async fn a_change_at_one_origin_is_read_at_the_other_and_published() {
    let (redis, proxy, key) = (RedisServer::start(), Witness::start().await, secret());
    let (redis, grip) = (redis.url(), proxy.grip_url());
    let environment = [("REDIS_URL", redis.as_str()), ("GRIP_URL", &grip)];
    let (one, other) = (origin(&key, &environment).await, origin(&key, &environment).await);
    let published = async |data: &str| {
        let content = format!("\ndata: {data}\n\n");
        until(data, async || proxy.last_content().ends_with(&content)).await;
    };
    assert_eq!(told(set(&one.address, &key, "2", 26)).await.0, 200);
    assert_eq!(other.read("2").await, 26);
    published("26").await;
    assert_eq!(other.add("2").await, 27);
    published("27").await;
    deleted(client().delete(other.counter("2")).bearer_auth(key.expose())).await;
    assert_eq!(one.read("2").await, 0);
    published("0").await;
    assert_eq!(told(list(&one.address, &key, "")).await, (200, String::new()));
    assert_eq!(one.add("2").await, 1);
    published("1").await;
    assert_eq!(told(list(&other.address, &key, "")).await, (200, "2 1\n".to_owned()));
}
