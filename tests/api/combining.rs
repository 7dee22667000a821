//! Requests that arrive during a round trip to Redis are sent together in the next one.

use std::collections::HashMap;

use futures_util::future::join_all;

use crate::support::app::TestApp;
use crate::support::http::{Ask, client};
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::witness::Witness;

const POSTS: usize = 100;
/// For how long Redis answers no command, in milliseconds. A request may take longer than that.
const STALL: &str = "1000";

/// How often Redis has executed each command, those of scripts included.
fn calls(redis: &RedisServer) -> HashMap<String, usize> {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let call = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
    };
    stats.lines().filter_map(call).collect()
}

#[tokio::test]
async fn posts_that_wait_for_redis_become_one_addition_with_a_value_for_each() {
    let (redis, proxy) = (RedisServer::start(), Witness::start().await);
    let (url, grip) = (redis.url(), proxy.grip_url());
    let settings = [("REDIS_URL", url.as_str()), ("GRIP_URL", &grip), ("LIVECOUNTER__WORKERS", "1")];
    let app = TestApp::with(&settings).await;
    let client = client();
    // The worker has its connection before Redis stalls.
    app.add("other").await;
    redis.cli(&["CONFIG", "RESETSTAT"]);
    redis.cli(&["CLIENT", "PAUSE", STALL, "ALL"]);
    let posts = join_all((0..POSTS).map(async |_| {
        let text = client.post(app.counter("2")).text().await;
        text.trim().parse::<usize>().unwrap_or_else(|_| panic!("{text}"))
    }));
    let mut values = posts.await;
    values.sort_unstable();
    assert_eq!(values, (1..=POSTS).collect::<Vec<_>>());
    let calls = calls(&redis);
    // Two for each addition: the value and the number of changes.
    assert!((2..POSTS / 2).contains(&calls["hincrby"]), "{calls:?}");
    assert!(calls["evalsha"] < POSTS / 2, "{calls:?}");
}
