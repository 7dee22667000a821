//! A Redis whose clock is set back: the times that it has stored are far in the future then, and must not delay an announcement.

use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::{Claim, ClaimTerms, LONGEST_LEASE, Write};

use crate::contract::{Backend, eventually};
use crate::support::redis::RedisServer;

const TERMS: ClaimTerms = ClaimTerms { interval: LONGEST_LEASE, lease: LONGEST_LEASE };

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic")
}

/// Moves every time that Redis has stored an hour ahead, which is the same as setting its clock back by an hour. (The allocator of Redis does
/// not start under faketime.)
fn set_back_by_an_hour(server: &RedisServer) {
    let script = "
        local hour, moved = 3600000, 0
        for _, key in ipairs(redis.call('KEYS', 'lc:*')) do
            local kind = redis.call('TYPE', key).ok
            if kind == 'zset' and string.find(key, ':o%d$') then
                for _, name in ipairs(redis.call('ZRANGE', key, 0, -1)) do
                    redis.call('ZINCRBY', key, hour, name)
                    moved = moved + 1
                end
            elseif kind == 'hash' then
                for _, field in ipairs({'s', 'g'}) do
                    if redis.call('HEXISTS', key, field) == 1 then
                        redis.call('HINCRBY', key, field, hour)
                        moved = moved + 1
                    end
                end
            elseif kind == 'string' and not string.find(key, ':topics') then
                redis.call('SET', key, redis.call('GET', key) + hour, 'PX', redis.call('PTTL', key) + hour)
                moved = moved + 1
            end
        end
        return moved";
    // The times are those of two marks, of a gate (two of them), and of the sweep.
    assert_eq!(server.cli(&["EVAL", script, "0"]), "5");
}

#[tokio::test]
async fn a_dead_origins_marks_are_found_and_claimed_after_a_clock_set_back() {
    let server = RedisServer::start();
    let store = server.store();
    let (marked, claimed) = (topic("counter-marked"), topic("counter-claimed"));
    let pause = Duration::from_secs(60);
    assert_eq!(store.overdue(10, pause).await.expect("a sweep"), []);
    let adds = [&marked, &claimed].map(|topic| Write::add(topic.clone(), 1, None));
    assert!(store.write(adds.to_vec()).await.iter().all(Result::is_ok));
    let claims = store.claim(vec![claimed.clone()], TERMS).await;
    assert!(matches!(claims[0], Ok(Claim::Announce(_))), "{claims:?}");

    set_back_by_an_hour(&server);

    let found = eventually("the sweep to open", async || {
        let mut found = store.overdue(10, pause).await.expect("a sweep");
        found.sort_by_key(Topic::to_string);
        (!found.is_empty()).then_some(found)
    });
    let found = found.await;
    assert_eq!(found, [claimed, marked]);
    for claim in store.claim(found, TERMS).await {
        assert!(matches!(claim, Ok(Claim::Announce(_))), "{claim:?}");
    }
}
