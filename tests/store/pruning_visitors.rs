//! A pruned site has had no visitors, and Redis forgets the salt at the end of the day.

use std::time::Duration;

use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::{self, SqliteStore};
use livecounter::store::{Change, Store, Values, Visit, Visitors, Write};
use rusqlite::Connection;

use crate::contract::{Backend, eventually};
use crate::pruning::{HOUR, announce, millis_ago, topic};
use crate::sqlite::opened_again;
use crate::support::redis::RedisServer;

const OLD: &str = "site-old.example.com";
const YOUNG: &str = "site-young.example.com";

/// Two sites with three visitors, two of them yesterday.
async fn fill(store: &dyn Store) {
    let day = store.daily_salt().await.expect("a salt").day;
    for name in [OLD, YOUNG] {
        let visits = [(day - 1, 1), (day - 1, u64::MAX), (day, 1)].map(|(day, visitor)| Write {
            visit: Some(Visit { day, visitor }),
            ..Write::add(topic(name), 1, None)
        });
        assert!(store.write(visits.to_vec()).await.iter().all(Result::is_ok));
        announce(store, name).await;
    }
}

async fn visitors(store: &dyn Store) -> [(i64, usize); 2] {
    let mut told = [(0, 0); 2];
    for (told, name) in told.iter_mut().zip([OLD, YOUNG]) {
        let uniques = store.uniques(&topic(name)).await.expect("a number");
        *told = (uniques.all, uniques.days.len());
    }
    told
}

#[tokio::test]
async fn a_site_pruned_in_redis_has_had_no_visitors() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address");
    fill(&store).await;
    let hash = format!("lc:{{b{}}}:t:{OLD}", topic(OLD).bucket());
    server.cli(&["HSET", &hash, "s", &millis_ago(2 * HOUR).to_string()]);
    for remove in [false, true] {
        assert_eq!(visitors(&store).await, [(3, 1), (3, 1)]);
        store.prune(millis_ago(HOUR), remove, |_| ()).await.expect("pruned");
    }
    assert_eq!(visitors(&store).await, [(0, 0), (3, 1)]);
    assert_eq!(server.cli(&["--scan", "--pattern", "*site-old*"]), "");
}

#[tokio::test]
async fn a_site_pruned_from_a_file_has_had_no_visitors() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open(&path).expect("a new file");
    fill(&store).await;
    drop(store);
    let sql = format!("UPDATE topic SET claimed = {} WHERE name = '{OLD}'", millis_ago(2 * HOUR));
    Connection::open(&path).and_then(|file| file.execute_batch(&sql)).expect("a change from outside");
    for remove in [false, true] {
        assert_eq!(visitors(&opened_again(&path)).await, [(3, 1), (3, 1)]);
        let prune = async || sqlite::prune(&path, millis_ago(HOUR), remove, |_| ()).ok();
        eventually("the file to be free", prune).await;
    }
    assert_eq!(visitors(&opened_again(&path)).await, [(0, 0), (3, 1)]);
    for table in ["visitors", "visitors_of_day"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows = |file: Connection| file.query_row(&sql, [], |row| row.get::<_, i64>(0));
        assert_eq!(Connection::open(&path).and_then(rows).expect("a number"), 1, "{table}");
    }
}

#[tokio::test]
async fn redis_forgets_a_salt_when_its_day_is_over() {
    let server = RedisServer::start();
    let store = server.store();
    let salt = store.daily_salt().await.expect("a salt");
    let key = "lc:{b0}:salt";
    let left: u64 = server.cli(&["PTTL", key]).trim().parse().expect("a lifetime");
    let told = salt.left.as_millis() as u64;
    assert!(left <= told && told - left < 60_000, "{left} {told}");
    // A salt of another day is left only if the clock was set.
    let kept = server.cli(&["GET", key]);
    let text = kept.trim().strip_prefix(&format!("{} ", salt.day)).expect("the day, then the salt");
    server.cli(&["SET", key, &format!("{} {text}", salt.day - 1)]);
    let other = store.daily_salt().await.expect("another salt");
    assert!(other.day == salt.day && other.secret != salt.secret);
    assert_ne!(server.cli(&["PTTL", key]).trim(), "-1");
    server.cli(&["DEL", key]);
    assert_ne!(store.daily_salt().await.expect("a third salt").secret, other.secret);
}

#[tokio::test]
async fn what_other_programs_write_as_visitors_fails_no_hit() {
    let server = RedisServer::start();
    let store = server.store();
    let day = store.daily_salt().await.expect("a salt").day;
    let bucket = topic(OLD).bucket();
    let [visitors, sketch] = ["v", "s"].map(|kind| format!("lc:{{b{bucket}}}:{kind}:{OLD}"));
    let visit = || Write { visit: Some(Visit { day, visitor: 7 }), ..Write::add(topic(OLD), 1, None) };
    for (value, foreign) in [(1, &visitors), (2, &sketch)] {
        server.cli(&["SET", foreign, "foreign"]);
        let written = store.write(vec![visit()]).await.remove(0);
        assert_eq!(written.expect("counted").value, value);
        assert_eq!(server.cli(&["GET", foreign]), "foreign");
        server.cli(&["DEL", foreign]);
    }
}

#[tokio::test]
async fn a_file_has_the_visitors_of_many_sites_after_another_start() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    let store = SqliteStore::open(&path).expect("a new file");
    let day = store.daily_salt().await.expect("a salt").day;
    let site = |number: u64| topic(&format!("site-{number}.example.com"));
    // More sites than the writer keeps in memory, some of them visited again, and one deleted.
    for visitor in [1_u64 << 50, 2 << 50, 2 << 50] {
        let visits = (0..150).map(|number| Write {
            visit: Some(Visit { day, visitor: visitor + number }),
            ..Write::add(site(number), 1, None)
        });
        assert!(store.write(visits.collect()).await.iter().all(Result::is_ok));
    }
    let deletion = Write::new(site(7), Change::Delete);
    assert!(store.write(vec![deletion]).await.iter().all(Result::is_ok));
    drop(store);
    let store = opened_again(&path);
    for number in 0..150 {
        let expected = if number == 7 { 0 } else { 2 };
        let told = store.uniques(&site(number)).await.expect("a number").today;
        assert_eq!(told, expected, "{number}");
    }
    assert_ne!(store.daily_salt().await.expect("another salt").left, Duration::ZERO);
}
