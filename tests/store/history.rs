//! How much history is kept, in each store.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use livecounter::domain::{Point, Retention, Topic, Unit};
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{ClaimTerms, LONGEST_LEASE, Store, Write};
use rusqlite::Connection;

use crate::sqlite::opened_again;
use crate::support::redis::RedisServer;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

fn topic() -> Topic {
    "counter-1".parse().expect("a topic")
}

/// The number of the present hour. The tests need no other one, so they begin again where it ends meanwhile.
fn hour() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
    Unit::Hour.number(now.as_millis() as i64)
}

async fn claim(store: &dyn Store) {
    store.write(vec![Write::add(topic(), 1, None)]).await.remove(0).expect("counted");
    store.claim(vec![topic()], TERMS).await.remove(0).expect("claimed");
}

async fn numbers(store: &dyn Store, unit: Unit, last: u16) -> Vec<i64> {
    let points = store.history(&topic(), unit, last).await.expect("a history");
    points.iter().map(|Point { number, .. }| *number).collect()
}

/// Hours of before, as far back as this, and one that a wrong clock has written.
const AGES: [i64; 5] = [47, 48, 49, 1, -5];

#[tokio::test]
async fn redis_keeps_so_many_hours_and_days() {
    let (server, now) = (RedisServer::start(), hour());
    let key = format!("lc:{{b{}}}:h:counter-1", topic().bucket());
    for age in AGES {
        server.cli(&["HSET", &key, &format!("h{}", now - age), "7", &format!("d{}", now / 24 - age), "7"]);
    }
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("an address");
    claim(&store).await;
    assert_eq!(numbers(&store, Unit::Hour, 200).await, [now - 47, now - 1, now]);
    assert_eq!(numbers(&store, Unit::Hour, 1).await, [now - 1, now]);
    let day = now / 24;
    assert_eq!(numbers(&store, Unit::Day, 200).await, [day - 49, day - 48, day - 47, day - 1, day]);
    assert_eq!(server.cli(&["HLEN", &key]), "8");
    assert_eq!(server.cli(&["OBJECT", "ENCODING", &key]), "listpack");
    // With other settings, what there is too much of goes with the next hour or day.
    server.cli(&["HDEL", &key, &format!("d{day}")]);
    let retention = Retention { hours: 0, days: 2 };
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("an address");
    let store = store.with_retention(retention);
    claim(&store).await;
    assert_eq!(numbers(&store, Unit::Hour, 200).await, [0; 0]);
    assert_eq!(numbers(&store, Unit::Day, 200).await, [day - 1, day]);
}

#[tokio::test]
async fn sqlite_keeps_so_many_hours_and_days() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, now) = (directory.path().join("livecounter.db"), hour());
    drop(SqliteStore::open(&path).expect("a new file"));
    for age in AGES {
        let sql = "INSERT INTO history VALUES ('counter-1', 0, ?1, 7), ('counter-1', 1, ?2, 7)";
        let file = Connection::open(&path).expect("the file");
        file.execute(sql, [now - age, now / 24 - age]).expect("two rows");
    }
    let store = opened_again(&path);
    claim(&store).await;
    drop(store); // saves what is only in memory
    let store = opened_again(&path);
    assert_eq!(numbers(&store, Unit::Hour, 200).await, [now - 47, now - 1, now]);
    let day = now / 24;
    assert_eq!(numbers(&store, Unit::Day, 200).await, [day - 49, day - 48, day - 47, day - 1, day]);
    drop(store);
    let retention = Retention { hours: 0, days: 2 };
    let store = SqliteStore::open_with(&path, retention).expect("the file");
    claim(&store).await;
    drop(store);
    let store = opened_again(&path);
    assert_eq!(numbers(&store, Unit::Hour, 200).await, [0; 0]);
    assert_eq!(numbers(&store, Unit::Day, 200).await, [day - 1, day]);
}

#[tokio::test]
async fn without_a_history_nothing_is_written() {
    let server = RedisServer::start();
    let none = Retention { hours: 0, days: 0 };
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("an address");
    claim(&store.with_retention(none)).await;
    assert_eq!(server.cli(&["KEYS", "lc:*:h:*"]), "");
}
