//! Thousands of changes that one of the proxies does not accept: they are announced again and again, and new changes beside
//! them.

use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::redis::RedisStore;
use livecounter::store::{Values, Write};

use crate::support::app::TestApp;
use crate::support::redis::RedisServer;
use crate::support::server::Server;
use crate::witness::Witness;

/// More counters than can be announced again within a lease.
const BEHIND: usize = 20_000;
/// The number of announcements that reach the proxy before the new change comes: by then, sweeps without a limit would have queued topics
/// faster than they are announced.
const IN_FULL_SWING: usize = 8_000;
/// How many announcements may come before the new change: those that one sweep queues, and those of the rounds under way.
const BEFORE: usize = 1_280 + 4 * 64;

async fn leave_behind(redis: &RedisServer) {
    let store = RedisStore::connect(&redis.url(), Duration::from_secs(10)).expect("a good address");
    let topic = |number| Topic::counter(&format!("behind-{number}").parse().expect("an id"));
    let adds = (0..BEHIND).map(|number| Write::add(topic(number), 1, None)).collect();
    assert!(store.write(adds).await.iter().all(Result::is_ok));
}

/// The channels of all that a proxy was told, in order.
fn told(proxy: &Witness) -> Vec<String> {
    proxy.told().into_iter().map(|(_, channel, _)| channel).collect()
}

#[tokio::test]
async fn repeated_announcements_do_not_hold_up_new_changes() {
    let (redis, well, ill) = (RedisServer::start(), Witness::start().await, Witness::start().await);
    ill.answer_with(500);
    leave_behind(&redis).await;
    let grip = [&well, &ill].map(Witness::grip_url).join(" ");
    let app = TestApp::with(&[("REDIS_URL", &redis.url()), ("GRIP_URL", &grip)]).await;
    let mut poll = tokio::time::interval(Duration::from_millis(50));
    let patience = Duration::from_secs(30);
    let swing = async {
        while told(&well).len() < IN_FULL_SWING {
            poll.tick().await;
        }
    };
    tokio::time::timeout(patience, swing).await.expect("what was left behind to be announced");
    app.add("new").await;
    let before = told(&well).len();
    let new = async {
        loop {
            if let Some(position) = told(&well).iter().position(|channel| channel == "counter-new") {
                return position;
            }
            poll.tick().await;
        }
    };
    let position = tokio::time::timeout(patience, new).await.expect("the new change to be announced");
    let passed = position.saturating_sub(before);
    assert!(passed <= BEFORE, "{passed} of what was left behind went before it");
}
