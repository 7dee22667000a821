//! The store upgrades a file of an older version. The statements of the older version are kept here unchanged.

use std::path::Path;
use std::time::Duration;

use livecounter::domain::Topic;
use livecounter::store::sqlite::{OpenError, SqliteStore};
use livecounter::store::{Body, Catalog, Change, Claim, ClaimTerms, LONGEST_LEASE, Outbox, Values, Write};
use rusqlite::Connection;

use crate::sqlite::opened_again;

const SCHEMA_1: &str = include_str!("version_1/schema.sql");
const SCHEMA_2: &str = include_str!("version_2/schema.sql");
const TERMS: ClaimTerms = ClaimTerms { interval: Duration::ZERO, lease: LONGEST_LEASE };

fn topic(name: &str) -> Topic {
    name.parse().expect("a topic")
}

/// A file of version 1: `a` is announced, the claim of `b` is not acknowledged, `c` was never claimed.
fn file_of_version_1(path: &Path) {
    let file = Connection::open(path).expect("a new file");
    let rows = "INSERT INTO topic VALUES ('a', 7, 3, 99, 3, 7, 2, 3), ('b', 5, 2, 98, 2, 5, 1, 1), \
                ('c', 1, 1, 97, 0, 0, 0, 0); \
                INSERT INTO idempotency VALUES ('a', 'k', 7, 7, 4102444800000);";
    let sql = format!(
        "PRAGMA journal_mode = WAL; BEGIN; {SCHEMA_1} PRAGMA application_id = 0x6c697665; \
         PRAGMA user_version = 1; {rows} COMMIT"
    );
    file.execute_batch(&sql).expect("a file of version 1");
}

fn place() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("livecounter.db");
    (directory, path)
}

/// The columns of the tables, and the version of the schema.
fn shape(path: &Path) -> Vec<String> {
    let file = Connection::open(path).expect("the file");
    let sql = "SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk FROM sqlite_schema m, \
               pragma_table_info(m.name) c WHERE m.type = 'table' UNION ALL SELECT user_version FROM pragma_user_version";
    let mut statement = file.prepare(sql).expect("a question");
    let rows =
        statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).expect("the store to answer");
    rows.map(|row| format!("{:?}", row.expect("a row"))).collect()
}

/// A file with such rows of topics as version 2 left it.
fn file_of_version_2(path: &Path) {
    let file = Connection::open(path).expect("a new file");
    let rows = "INSERT INTO topic VALUES ('a', 7, 3, 99, 3, 2, 3, 1795000000000), ('b', 5, 2, 98, 2, 1, 1, 1795000000000); \
                INSERT INTO idempotency VALUES ('a', 'k', 7, 7, 4102444800000);";
    let sql = format!(
        "PRAGMA journal_mode = WAL; BEGIN; {SCHEMA_2} PRAGMA application_id = 0x6c697665; \
         PRAGMA user_version = 2; {rows} COMMIT"
    );
    file.execute_batch(&sql).expect("a file of version 2");
}

#[tokio::test]
async fn a_file_of_version_2_goes_on_where_it_was() {
    let (_directory, path) = place();
    file_of_version_2(&path);
    let store = SqliteStore::open(&path).expect("a file of this version");
    assert_eq!(store.topic_count().await.expect("a number"), 2);
    let listed = store.list("", None, 9).await.expect("a list");
    let told: Vec<_> =
        listed.iter().map(|(topic, it)| (topic.name(), it.body.clone(), it.id.revision)).collect();
    assert_eq!(told, [("a", Body::Number(7), 3), ("b", Body::Number(5), 2)]);
    let replay = Write::add(topic("a"), 7, Some("k".parse().expect("a key")));
    assert!(store.write(vec![replay]).await.remove(0).expect("replayed").replayed);
    let deletion = Write::new(topic("a"), Change::Delete);
    assert!(store.write(vec![deletion]).await.remove(0).expect("deleted").removed);
    drop(store);
    let store = opened_again(&path);
    assert_eq!(store.topic_count().await.expect("a number"), 1);
    assert_eq!(store.outbox_len().await.expect("a number"), 2, "the deletion is still to be announced");
}

#[tokio::test]
async fn a_file_of_version_1_goes_on_where_it_was() {
    let (_directory, path) = place();
    file_of_version_1(&path);
    let store = SqliteStore::open(&path).expect("a file of this version");
    let readings = store.read(["a", "b", "c"].map(topic).to_vec()).await;
    let readings: Vec<_> = readings.into_iter().map(|reading| reading.expect("a reading")).collect();
    let told: Vec<_> =
        readings.iter().map(|it| (it.value(), it.id.revision, it.published.revision)).collect();
    assert_eq!(told, [(7, 3, 3), (5, 2, 2), (1, 1, 0)]);
    assert_eq!(store.topic_count().await.expect("a number"), 3);
    let claims = store.claim(["a", "b", "c"].map(topic).to_vec(), TERMS).await;
    let values = claims.into_iter().map(|claim| match claim.expect("the store to answer") {
        Claim::Announce(it) => Some((it.value(), it.id.revision, it.prev.revision)),
        _ => None,
    });
    assert_eq!(values.collect::<Vec<_>>(), [None, Some((5, 2, 1)), Some((1, 1, 0))]);
    let replay = Write::add(topic("a"), 7, Some("k".parse().expect("a key")));
    assert!(store.write(vec![replay]).await.remove(0).expect("replayed").replayed);
    drop(store);
    assert_eq!(opened_again(&path).topic_count().await.expect("a number"), 3);
}

#[tokio::test]
async fn a_file_that_was_brought_to_this_version_is_as_a_new_one() {
    let [(_older, older), (_old, old), (_new, new)] = [place(), place(), place()];
    file_of_version_1(&older);
    file_of_version_2(&old);
    for path in [&older, &old, &new] {
        drop(SqliteStore::open(path).expect("a file of this version"));
    }
    assert_eq!([shape(&older), shape(&old)], [shape(&new), shape(&new)]);
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_file_as_it_was() {
    let (_directory, path) = place();
    file_of_version_1(&path);
    // A view of the operator uses the column that the upgrade removes.
    let change =
        |sql: &str| Connection::open(&path).and_then(|file| file.execute_batch(sql)).expect("a change");
    change("CREATE VIEW mine AS SELECT published_value FROM topic");
    let before = shape(&path);
    let error = SqliteStore::open(&path).err().expect("no migration");
    assert!(matches!(error, OpenError::Sqlite { .. }), "{error}");
    assert_eq!(shape(&path), before);
    change("DROP VIEW mine");
    opened_again(&path);
}
