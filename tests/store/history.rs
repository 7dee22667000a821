//! How much of the past of a topic each store keeps, when the clock has been set back, and what it costs.

use std::time::Duration;

use livecounter::domain::{FeedRetention, Retention, Topic, Unit};
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Claim, ClaimTerms, LONGEST_LEASE, Outbox, Store, Values, Write};
use rusqlite::{Connection, params};

use crate::support::redis::RedisServer;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };
const OFF: Retention = Retention { hours: 0, days: 0, feeds: FeedRetention::DEFAULT };
const LIMITS: Retention = Retention { hours: 3, days: 2, feeds: FeedRetention::DEFAULT };

fn counter() -> Topic {
    "counter-2".parse().expect("a topic")
}

fn key(kind: &str) -> String {
    format!("lc:{{b{}}}:{kind}:counter-2", counter().bucket())
}

fn connected(server: &RedisServer) -> RedisStore {
    RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a store")
}

/// Adds 1 and claims.
async fn change(store: &dyn Store) {
    assert!(store.write(vec![Write::add(counter(), 1, None)]).await[0].is_ok());
    let claims = store.claim(vec![counter()], TERMS).await;
    assert!(matches!(claims[0], Ok(Claim::Announce(_))), "{claims:?}");
}

/// The present number of a unit; then, how far each entry lies behind it, and its value.
async fn past(store: &dyn Store, unit: Unit) -> (i64, Vec<(i64, i64)>) {
    let history = store.history(&counter(), unit, u16::MAX).await.expect("a history");
    let present = unit.number(history.now);
    (present, history.points.iter().map(|point| (present - point.number, point.value)).collect())
}

#[tokio::test]
async fn redis_keeps_one_entry_more_than_asked_for_and_none_that_lies_ahead() {
    let server = RedisServer::start();
    let store = connected(&server).with_retention(LIMITS);
    change(&store).await;
    let (hour, _) = past(&store, Unit::Hour).await;
    let (day, _) = past(&store, Unit::Day).await;
    // The last claim was three hours ago.
    server.cli(&["HSET", &key("t"), "h", &format!("{}:7", hour - 3)]);
    let numbers = [-2, 8, 9, 20, 30].map(|ago| format!("h{}", hour - ago));
    let days = [-1, 4, 5, 6, 7].map(|ago| format!("d{}", day - ago));
    let of_today = hour - 3 >= day * 24;
    for field in numbers.iter().chain(&days) {
        server.cli(&["HSET", &key("h"), field, "7"]);
    }
    // What lies ahead is not shown, even before the next claim deletes it.
    assert_eq!(past(&store, Unit::Hour).await.1, [(30, 7), (20, 7), (9, 7), (8, 7), (3, 7)]);
    change(&store).await;
    assert_eq!(past(&store, Unit::Hour).await.1, [(9, 7), (8, 7), (3, 7), (0, 2)]);
    let days = if of_today { [(5, 7), (4, 7), (0, 2)] } else { [(4, 7), (1, 7), (0, 2)] };
    assert_eq!(past(&store, Unit::Day).await.1, days);
    assert_eq!(server.cli(&["HLEN", &key("h")]), "5", "the present hour and day are in the topic");
    // The clock is set back within an hour that has an entry already: only the time of the last claim shows it.
    server.cli(&["HSET", &key("h"), &format!("h{}", hour + 1), "9"]);
    server.cli(&["HINCRBY", &key("t"), "s", "3600000"]);
    change(&store).await;
    assert_eq!(server.cli(&["HEXISTS", &key("h"), &format!("h{}", hour + 1)]), "0");
}

#[tokio::test]
async fn redis_completes_an_hour_with_the_first_claim_of_another_hour() {
    let server = RedisServer::start();
    let store = connected(&server);
    change(&store).await;
    change(&store).await;
    assert_eq!(server.cli(&["EXISTS", &key("h")]), "0", "the present hour is in the topic");
    let (hour, _) = past(&store, Unit::Hour).await;
    assert_eq!(server.cli(&["HGET", &key("t"), "h"]), format!("{hour}n2"));
    server.cli(&["HSET", &key("t"), "h", &format!("{}n2", hour - 30)]);
    server.cli(&["HSET", &key("h"), &format!("h{}", hour - 40), "9"]);
    assert_eq!(past(&store, Unit::Hour).await.1, [(hour, 0), (30, 2)], "another topic has left the rest");
    for _ in 0..2 {
        change(&store).await;
    }
    assert_eq!(past(&store, Unit::Hour).await.1, [(hour, 0), (30, 2), (0, 4)]);
    let day = past(&store, Unit::Day).await;
    let ago = day.0 - (hour - 30).div_euclid(24);
    assert_eq!(day.1, [(day.0, 0), (ago, 2), (0, 4)]);
    assert_eq!(server.cli(&["HLEN", &key("h")]), "4");
    // The clock is set back by two hours: the hours ahead are dropped.
    server.cli(&["HSET", &key("t"), "h", &format!("{}:77", hour + 2)]);
    server.cli(&["HSET", &key("h"), &format!("h{}", hour + 1), "76"]);
    change(&store).await;
    assert_eq!(past(&store, Unit::Hour).await.1, [(hour, 0), (30, 2), (0, 5)]);
    assert_eq!(server.cli(&["HLEN", &key("h")]), "4");
    // An earlier program of this version wrote the present hour into the history, too.
    server.cli(&["HSET", &key("h"), &format!("h{hour}"), "5"]);
    change(&store).await;
    assert_eq!(past(&store, Unit::Hour).await.1, [(hour, 0), (30, 2), (0, 6)]);
}

#[tokio::test]
async fn redis_packs_a_full_past_closely() {
    let server = RedisServer::start();
    let store = connected(&server);
    change(&store).await;
    let (hour, _) = past(&store, Unit::Hour).await;
    let (day, _) = past(&store, Unit::Day).await;
    for ago in 1..=70 {
        for field in [format!("h{}", hour - ago), format!("d{}", day - ago)] {
            server.cli(&["HSET", &key("h"), &field, &(1_000_000 - ago).to_string()]);
        }
    }
    server.cli(&["HSET", &key("t"), "h", &format!("{}:7", hour - 1)]);
    change(&store).await;
    // 48 hours and 60 days, and the present ones in the topic.
    assert_eq!(server.cli(&["HLEN", &key("h")]), "108");
    let copy = server.cli(&["COPY", &key("h"), "copy"]);
    assert_eq!(copy, "1");
    let bytes: u64 = server.cli(&["MEMORY", "USAGE", "copy"]).parse().expect("a number");
    assert!(bytes < 2000, "{bytes} bytes");
}

#[tokio::test]
async fn redis_keeps_nothing_where_that_is_off_and_pruning_takes_the_past_along() {
    let server = RedisServer::start();
    let store = connected(&server).with_retention(OFF);
    change(&store).await;
    assert_eq!(server.cli(&["EXISTS", &key("h")]), "0");
    let days_only = connected(&server).with_retention(Retention { hours: 0, days: 5, ..OFF });
    change(&days_only).await;
    // What it stood at before is not known.
    assert_eq!(past(&days_only, Unit::Hour).await.1, []);
    assert_eq!(past(&days_only, Unit::Day).await.1, [(0, 2)]);
    let Ok(Claim::Announce(last)) = ({
        days_only.write(vec![Write::add(counter(), 1, None)]).await;
        days_only.claim(vec![counter()], TERMS).await.remove(0)
    }) else {
        panic!("a claim")
    };
    days_only.acknowledge(vec![(counter(), last.id)]).await.expect("acknowledged");
    assert_eq!(store.prune(u64::MAX >> 12, true, |_| ()).await.expect("pruned").old, 1);
    assert_eq!(server.cli(&["EXISTS", &key("h")]), "0");
}

#[tokio::test]
async fn another_programs_key_in_the_place_of_a_past_harms_no_claim() {
    let server = RedisServer::start();
    let store = connected(&server);
    change(&store).await;
    let (hour, _) = past(&store, Unit::Hour).await;
    server.cli(&["SET", &key("h"), "no hash"]);
    server.cli(&["HSET", &key("t"), "h", &format!("{}:1", hour - 1)]);
    change(&store).await;
    assert_eq!(past(&store, Unit::Hour).await.1, [(0, 2)], "only what is in the topic");
}

#[tokio::test]
async fn a_file_keeps_one_entry_more_than_asked_for_and_none_that_lies_ahead() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open_with(&path, LIMITS).expect("a store");
    change(&store).await;
    let (hour, entries) = past(&store, Unit::Hour).await;
    assert_eq!(entries, [(hour, 0), (0, 1)]);
    drop(store);
    let file = Connection::open(&path).expect("the file");
    let ages = |unit: i64| -> Vec<(i64, i64)> {
        let sql = "SELECT ?1 - number, value FROM history WHERE unit = ?2 ORDER BY number";
        let mut statement = file.prepare(sql).expect("a statement");
        let present = [hour, hour / 24][unit as usize];
        let rows = statement.query_map([present, unit], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.expect("rows").collect::<Result<_, _>>().expect("numbers")
    };
    assert_eq!([ages(0), ages(1)], [vec![], vec![]], "the present hour is in the topic");
    // The last claim was three hours ago.
    let sql = "UPDATE topic SET claimed = 3600000 * ?1, claimed_value = 7, is_new = 0";
    file.execute(sql, params![hour - 3]).expect("updated");
    for ago in [-2, 8, 9, 20, 30] {
        let sql = "INSERT INTO history VALUES ('counter-2', 0, ?1, 7)";
        file.execute(sql, params![hour - ago]).expect("inserted");
    }
    let store = SqliteStore::open_with(&path, LIMITS).expect("a store");
    assert_eq!(past(&store, Unit::Hour).await.1, [(30, 7), (20, 7), (9, 7), (8, 7), (3, 7)]);
    change(&store).await;
    drop(store);
    assert_eq!(ages(0), [(9, 7), (8, 7), (3, 7)]);
    let deleted = {
        let store = SqliteStore::open_with(&path, LIMITS).expect("a store");
        let deletion = Write::new(counter(), livecounter::store::Change::Delete);
        store.write(vec![deletion]).await.remove(0).expect("deleted")
    };
    assert!(deleted.removed);
    assert_eq!([ages(0), ages(1)], [vec![], vec![]]);
}
