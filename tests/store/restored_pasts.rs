//! A past from another store, in the place of one that began hours ago.

use std::time::Duration;

use livecounter::domain::{Past, Point, Topic, Unit};
use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Claim, ClaimTerms, LONGEST_LEASE, Store, Write};
use rusqlite::{Connection, params};

use crate::support::redis::RedisServer;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

fn counter() -> Topic {
    "counter-2".parse().expect("a topic")
}

/// Adds 1 and claims; returns the present hour.
async fn change(store: &dyn Store) -> i64 {
    assert!(store.write(vec![Write::add(counter(), 1, None)]).await[0].is_ok());
    let claims = store.claim(vec![counter()], TERMS).await;
    assert!(matches!(claims[0], Ok(Claim::Announce(_))), "{claims:?}");
    let history = store.history(&counter(), Unit::Hour, 1).await.expect("a history");
    Unit::Hour.number(history.now)
}

async fn kept(store: &dyn Store) -> Past {
    store.pasts(&[counter()]).await.expect("an answer").remove(0)
}

/// Restores hours and days, each without the others, to a counter whose last claim was `claimed`.
async fn restore_one_unit_after_the_other(store: &dyn Store, claimed: i64) {
    let points = |first: i64| (first..).zip([3, 5]).map(|(number, value)| Point { number, value }).collect();
    let hours = Past { hours: points(claimed - 30), days: Vec::new() };
    let days = Past { hours: Vec::new(), days: points(claimed / 24 - 3) };
    assert!(kept(store).await.hours.iter().any(|point| point.number == claimed));
    for past in [&hours, &days, &hours] {
        let restored = store.restore_pasts(&[(counter(), past.clone())], false).await;
        assert_eq!(restored.expect("an answer"), [true]);
        assert_eq!(kept(store).await, *past);
    }
    let present = change(store).await;
    let now = kept(store).await;
    assert_eq!(now.hours[..2], hours.hours);
    assert_eq!(
        now.hours[2..].iter().map(|point| (present - point.number, point.value)).collect::<Vec<_>>(),
        [(0, 2)]
    );
}

#[tokio::test]
async fn redis_forgets_the_hour_of_the_last_claim() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a store");
    let claimed = change(&store).await - 3;
    let key = format!("lc:{{b{}}}:t:counter-2", counter().bucket());
    server.cli(&["HSET", &key, "h", &format!("{claimed}:1")]);
    restore_one_unit_after_the_other(&store, claimed).await;
}

#[tokio::test]
async fn a_file_forgets_the_hour_of_the_last_claim() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open(&path).expect("a store");
    let claimed = change(&store).await - 3;
    drop(store);
    let file = Connection::open(&path).expect("the file");
    let sql = "UPDATE topic SET claimed = 3600000 * ?1, claimed_value = 1, is_new = 0";
    assert_eq!(file.execute(sql, params![claimed]), Ok(1));
    drop(file);
    let store = SqliteStore::open(&path).expect("a store");
    restore_one_unit_after_the_other(&store, claimed).await;
}
