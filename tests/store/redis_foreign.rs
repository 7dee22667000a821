//! What somebody else has put where the store keeps its own: it costs that one item, and nobody else's.

use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::Add;

use crate::contract::{Backend, eventually};
use crate::support::redis::RedisServer;

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic")
}

#[tokio::test]
async fn a_foreign_name_in_an_outbox_or_a_foreign_outbox_keeps_no_sweep_from_the_others() {
    let server = RedisServer::start();
    let store = server.store();
    let added = store.add(vec![Add::single(topic("counter-a"), 1, None)]).await;
    assert_eq!(added[0].as_ref().expect("counted").value, 1);
    let outbox = server.cli(&["--scan", "--pattern", "lc:*:o?"]);
    server.cli(&["ZADD", &outbox, "1", "not a topic"]);
    server.cli(&["SET", "lc:{b0}:o0", "no outbox"]);
    assert_ne!(outbox, "lc:{b0}:o0", "the topic is in another");
    let overdue = eventually("the mark to be overdue", async || {
        let topics = store.overdue(10, Duration::from_millis(1)).await.expect("a sweep");
        (!topics.is_empty()).then_some(topics)
    });
    assert_eq!(overdue.await, [topic("counter-a")]);
}
