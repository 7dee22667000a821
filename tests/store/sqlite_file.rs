//! What holds for files alone: the data stays, one process has the file, the file may be unusable, and the disk may fail.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::sqlite::{OpenError, SqliteStore};
use livecounter::store::{
    Claim, ClaimTerms, LONGEST_LEASE, Outbox, Reading, Store, Values, Write, WriteError,
};
use rusqlite::Connection;

const TERMS: ClaimTerms = ClaimTerms { interval: Duration::from_secs(600), lease: LONGEST_LEASE };

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic")
}

fn one(name: &str) -> Write {
    Write::add(topic(name), 1, None)
}

async fn read(store: &SqliteStore, name: &str) -> Reading {
    store.read(vec![topic(name)]).await.remove(0).expect("a reading")
}

async fn claim(store: &SqliteStore, name: &str) -> Claim {
    store.claim(vec![topic(name)], TERMS).await.remove(0).expect("the store to answer")
}

fn place() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    (directory, path)
}

use crate::sqlite::opened_again;

#[tokio::test]
async fn everything_is_there_after_opening_it_again() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).expect("a new file");
    let keyed = Write::add(topic("a"), 5, Some("k".parse().expect("a key")));
    store.write(vec![one("a"), keyed.clone(), one("b"), one("c")]).await;
    let Claim::Announce(announced) = claim(&store, "a").await else {
        panic!("the topic was not claimed before")
    };
    store.acknowledge(vec![(topic("a"), announced.id)]).await.expect("acknowledged");
    let Claim::Announce(unacknowledged) = claim(&store, "b").await else {
        panic!("the topic was not claimed before")
    };
    let before = [read(&store, "a").await, read(&store, "b").await, read(&store, "c").await];
    drop(store);
    assert!(!path.with_extension("db-wal").exists(), "the log is emptied into the file");

    let store = opened_again(&path);
    assert_eq!([read(&store, "a").await, read(&store, "b").await, read(&store, "c").await], before);
    let replay = store.write(vec![keyed]).await.remove(0).expect("replayed");
    assert_eq!((replay.value, replay.replayed), (6, true));
    // The process that had the lease has ended: the topic is announced again at once, with the same ids.
    assert_eq!(store.outbox_len().await.expect("a number"), 2);
    let mut overdue = store.overdue(10, Duration::ZERO).await.expect("the store to answer");
    overdue.sort_by_key(|topic| topic.name().to_owned());
    assert_eq!(overdue, [topic("b"), topic("c")]);
    assert_eq!(claim(&store, "b").await, Claim::Announce(unacknowledged));
    assert_eq!(claim(&store, "a").await, Claim::Nothing);
}

fn mode(path: &Path, suffix: &str) -> u32 {
    let path = format!("{}{suffix}", path.display());
    std::fs::metadata(&path).unwrap_or_else(|error| panic!("{path}: {error}")).permissions().mode() & 0o7777
}

#[tokio::test]
async fn only_their_owner_may_open_the_file_and_those_beside_it() {
    const ALL: [&str; 4] = ["", "-wal", "-shm", "-lock"];
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).expect("a new file");
    store.write(vec![one("a")]).await;
    assert_eq!(ALL.map(|suffix| mode(&path, suffix)), [0o600; 4]);
    drop(store);
    // The files are as an earlier version left them when it was killed.
    let other = Connection::open(&path).expect("a database");
    other.execute_batch("PRAGMA user_version = 1; PRAGMA user_version = 8").expect("a log beside it");
    for suffix in ALL {
        let path = format!("{}{suffix}", path.display());
        std::fs::set_permissions(path, Permissions::from_mode(0o644)).expect("to open it to all");
    }
    let store = opened_again(&path);
    assert_eq!(ALL.map(|suffix| mode(&path, suffix)), [0o600; 4]);
    store.write(vec![one("a")]).await.remove(0).expect("counted");
    drop(other);
}

#[tokio::test]
async fn a_file_of_another_program_keeps_its_mode() {
    let (_directory, path) = place();
    change(&path, "CREATE TABLE recipes (title TEXT)");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("to open it to all");
    SqliteStore::open(&path).err().expect("foreign");
    assert_eq!(mode(&path, ""), 0o644);
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let (directory, path) = place();
    let store = SqliteStore::open(&path).expect("a new file");
    let link = directory.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    for path in [&path, &link] {
        let error = SqliteStore::open(path).err().expect("in use");
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("in use by another process"), "{error}");
    }
    drop(store);
    opened_again(&path);
}

#[tokio::test]
async fn an_unusable_path_is_named() {
    let (directory, path) = place();
    let missing = directory.path().join("missing/livecounter.db");
    for path in [missing.as_path(), directory.path()] {
        let error = SqliteStore::open(path).err().expect("unusable");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
    }
    std::fs::write(
        &path,
        "this is a text that is much longer than the header of a database would be, by far",
    )
    .expect("write");
    let error = SqliteStore::open(&path).err().expect("no database");
    assert!(matches!(error, OpenError::Sqlite { .. }), "{error}");
}

#[tokio::test]
async fn a_file_of_another_program_or_a_newer_version_is_left_alone() {
    let (_directory, path) = place();
    change(&path, "CREATE TABLE recipes (title TEXT)");
    let error = SqliteStore::open(&path).err().expect("foreign");
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");

    let (_directory, path) = place();
    drop(SqliteStore::open(&path).expect("a new file"));
    change(&path, "PRAGMA user_version = 9");
    let error = SqliteStore::open(&path).err().expect("newer");
    assert!(matches!(error, OpenError::Newer { found: 9, .. }), "{error}");
}

#[tokio::test]
async fn a_round_that_fails_leaves_nothing_behind() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).expect("a new file");
    store.write(vec![one("good"), one("good")]).await;
    let before = read(&store, "good").await;
    change(
        &path,
        "CREATE TRIGGER fault BEFORE INSERT ON topic WHEN NEW.name = 'bad' BEGIN SELECT raise(ABORT, 'no'); END",
    );
    let keyed = Write::add(topic("good"), 1, Some("k".parse().expect("a key")));
    let answers = store.write(vec![one("good"), keyed.clone(), one("bad"), one("new")]).await;
    assert_eq!(answers.len(), 4);
    assert!(answers.iter().all(|answer| matches!(answer, Err(WriteError::Unavailable(_)))), "{answers:?}");
    assert_eq!(read(&store, "good").await, before);
    assert_eq!(read(&store, "new").await, Reading::default());
    assert_eq!(store.outbox_len().await.expect("a number"), 1);

    change(&path, "DROP TRIGGER fault");
    let answers = store.write(vec![one("good"), keyed, one("bad")]).await;
    let values: Vec<_> = answers.into_iter().map(|answer| answer.expect("counted").value).collect();
    assert_eq!(values, [3, 4, 1]);
}

#[tokio::test]
async fn a_ping_after_a_failure_tries_the_disk() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).expect("a new file");
    store.ping().await.expect("the store to answer");
    let other = Connection::open(&path).expect("a second connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    assert!(matches!(store.write(vec![one("a")]).await.remove(0), Err(WriteError::Unavailable(_))));
    assert!(store.ping().await.is_err());
    assert_eq!(read(&store, "a").await, Reading::default());
    other.execute_batch("ROLLBACK").expect("the lock is free");
    store.ping().await.expect("the store to answer");
    assert_eq!(store.write(vec![one("a")]).await.remove(0).expect("counted").value, 1);
}

#[tokio::test]
async fn keys_expire_and_are_deleted() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).expect("a new file");
    let keyed = |key: &str| Write::add(topic("a"), 1, Some(key.parse().expect("a key")));
    store.write(vec![keyed("old"), keyed("young")]).await;
    drop(store);
    change(&path, "UPDATE idempotency SET expires = 1000 WHERE key = 'old'");
    let store = opened_again(&path);
    let replay = store.write(vec![keyed("young")]).await.remove(0).expect("replayed");
    assert!(replay.replayed);
    let again = store.write(vec![keyed("old")]).await.remove(0).expect("counted");
    assert_eq!((again.value, again.replayed), (3, false));
    drop(store);
    change(&path, "UPDATE idempotency SET expires = 1000");
    let store = opened_again(&path);
    store.write(vec![one("a")]).await;
    drop(store);
    let left: i64 = Connection::open(&path)
        .and_then(|file| file.query_row("SELECT count(*) FROM idempotency", [], |row| row.get(0)))
        .expect("a number");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn expired_keys_become_fewer_while_as_many_come() {
    let (_directory, path) = place();
    drop(SqliteStore::open(&path).expect("a new file"));
    let expired = 300_000;
    change(
        &path,
        &format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {expired}) \
             INSERT INTO idempotency SELECT 'counter-old', 'k' || i, 1, 1, 1000, 0, 0, 0, 0 FROM n"
        ),
    );
    let store = opened_again(&path);
    let (rounds, keys) = (20, 300);
    for round in 0..rounds {
        let keyed = |n| Write::add(topic("a"), 1, Some(format!("{round}-{n}").parse().expect("a key")));
        assert!(store.write((0..keys).map(keyed).collect()).await.iter().all(Result::is_ok));
    }
    drop(store);
    let left: i64 = Connection::open(&path)
        .and_then(|file| file.query_row("SELECT count(*) FROM idempotency", [], |row| row.get(0)))
        .expect("a number");
    assert!(left <= expired - rounds * keys, "{left} are left of {expired}");
}

#[tokio::test]
async fn a_topic_that_memory_has_forgotten_is_read_from_the_file() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).expect("a new file");
    let topics: Vec<_> = (0..40_000).map(|n| topic(&format!("counter-{n}"))).collect();
    for round in 1..=2 {
        let adds = topics.iter().map(|topic| Write::add(topic.clone(), 1, None)).collect();
        assert!(
            store.write(adds).await.into_iter().all(|added| added.is_ok_and(|added| added.value == round))
        );
        let claims = store.claim(topics.clone(), ClaimTerms { interval: Duration::ZERO, ..TERMS }).await;
        let acknowledged = topics.iter().zip(claims).map(|(topic, claim)| match claim {
            Ok(Claim::Announce(announcement)) => (topic.clone(), announcement.id),
            other => panic!("{topic}: {other:?}"),
        });
        store.acknowledge(acknowledged.collect()).await.expect("acknowledged");
        let readings = store.read(topics.clone()).await;
        assert!(readings.into_iter().all(|reading| reading.is_ok_and(|reading| {
            reading.value() == round && reading.published == reading.id && reading.id.revision == round as u64
        })));
    }
    assert_eq!(store.outbox_len().await.expect("a number"), 0);
}

/// Opens the file with SQLite, past the store.
fn change(path: &Path, sql: &str) {
    Connection::open(path).and_then(|file| file.execute_batch(sql)).expect("a change from outside");
}
