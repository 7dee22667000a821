//! Listeners, other origins and proxies are told of a value that is set, and of a deletion.

use super::{Managed, SOON, deleted, list, origin, owner, set};
use crate::access::{secret, told};
use crate::support::deployment::Deployment;
use crate::support::http::client;
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::support::wait::until;
use crate::witness::Witness;

#[tokio::test]
async fn listeners_see_a_set_value_0_after_a_deletion_and_the_next_value() {
    let key = secret();
    let app = &Deployment::in_process(&[("LIVECOUNTER__KEYS", &owner(&key))]).await;
    let service = Managed { app, key: &key };
    app.add_by("2", 26).await;
    let mut listener = app.listen("2").await;
    assert_eq!(listener.next(SOON).await.data, "26");
    assert_eq!(told(service.set("2", 7)).await.0, 200);
    assert_eq!(listener.next(SOON).await.data, "7");
    deleted(service.delete("2")).await;
    assert_eq!(listener.next(SOON).await.data, "0");
    // A listener that comes now begins with 0 as well.
    let mut late = app.listen("2").await;
    assert_eq!(late.next(SOON).await.data, "0");
    deleted(service.delete("2")).await;
    assert_eq!(app.add("2").await, 1);
    for listener in [&mut listener, &mut late] {
        assert_eq!(listener.next(SOON).await.data, "1", "and nothing in between");
    }
}

#[tokio::test]
async fn a_change_at_one_origin_is_read_at_the_other_and_published() {
    let (redis, proxy, key) = (RedisServer::start(), Witness::start().await, secret());
    let (redis, grip) = (redis.url(), proxy.grip_url());
    let environment = [("REDIS_URL", redis.as_str()), ("GRIP_URL", &grip)];
    let (one, other) = (origin(&key, &environment).await, origin(&key, &environment).await);
    let published = async |data: &str| {
        let content = format!("\ndata: {data}\n\n");
        until(data, async || proxy.told().last().is_some_and(|(_, _, told)| told.ends_with(&content))).await;
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
