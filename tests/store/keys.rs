//! Every store remembers idempotency keys for 24 hours, as the documentation says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use livecounter::store::redis::RedisStore;
use livecounter::store::sqlite::SqliteStore;
use livecounter::store::{Store, Values, Write, WriteError};
use rusqlite::Connection;

use crate::support::redis::RedisServer;

const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than any test here takes.
const MINUTE: Duration = Duration::from_secs(60);

async fn use_key(store: &dyn Store) {
    let topic = "counter-a".parse().expect("a topic");
    let add = Write::add(topic, 1, Some("k".parse().expect("a key")));
    assert!(store.write(vec![add]).await.remove(0).is_ok());
}

#[tokio::test]
async fn redis_forgets_a_key_after_24_hours() {
    let server = RedisServer::start();
    use_key(&RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address")).await;
    let record = server.cli(&["--scan", "--pattern", "lc:*:i:*"]);
    let left: u64 = server.cli(&["PTTL", &record]).parse().expect("one record that expires");
    let left = Duration::from_millis(left);
    assert!(left > LIFETIME - MINUTE && left <= LIFETIME, "{left:?}");
}

#[tokio::test]
async fn sqlite_forgets_a_key_after_24_hours() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    use_key(&SqliteStore::open(&path).expect("a new file")).await;
    let expires: i64 = Connection::open(&path)
        .and_then(|file| file.query_row("SELECT expires FROM idempotency", [], |row| row.get(0)))
        .expect("one record");
    let off = Duration::from_millis(expires.unsigned_abs()).abs_diff(now + LIFETIME);
    assert!(off < MINUTE, "{expires} is {off:?} off");
}

#[tokio::test]
async fn redis_keeps_nothing_of_a_topic_that_must_not_be_new() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url(), Duration::from_secs(2)).expect("a good address");
    let add = |key: Option<&str>| {
        let key = key.map(|key| key.parse().expect("a key"));
        let topic = "counter-a".parse().expect("a topic");
        Write { may_create: false, ..Write::add(topic, 1, key) }
    };
    for adds in [vec![add(None); 3], vec![add(None), add(Some("k"))]] {
        let answers = store.write(adds).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(WriteError::WouldBeNew))), "{answers:?}");
        assert_eq!(server.cli(&["DBSIZE"]), "0");
    }
}
