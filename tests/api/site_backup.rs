//! The program for nightly copies of docs/your-site.md.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rusqlite::Connection;

use crate::support::app::TestApp;
use crate::support::process::{repository, require};
use crate::support::server::Server;

async fn copy(database: &Path, directory: &Path) -> Output {
    let mut command = Command::new(repository("docs/examples/site/livecounter-backup"));
    command.args([database, directory]);
    tokio::task::spawn_blocking(move || command.output().expect("the program")).await.expect("its end")
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect()
}

#[tokio::test]
async fn the_nightly_copy_has_what_was_counted_and_replaces_the_one_before() {
    require("sqlite3", "sqlite3");
    let (place, copies) = (tempfile::tempdir().expect("a place"), tempfile::tempdir().expect("a place"));
    let app = TestApp::in_directory(place.path(), &[]).await;
    let copies = copies.path().join("copies");
    for value in [1, 2] {
        assert_eq!(app.add("2").await, value);
        let output = copy(&place.path().join("livecounter.db"), &copies).await;
        assert!(output.status.success(), "{output:?}");
        // If midnight comes between the two, there is one of each day.
        let newest =
            files(&copies).into_iter().max_by_key(|path| path.metadata().and_then(|of| of.modified()).ok());
        let newest = newest.expect("a copy");
        let mode = newest.metadata().expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others may read the copy");
        let read = Connection::open(&newest).expect("a database");
        let of = "SELECT value FROM topic WHERE name = 'counter-2'";
        assert_eq!(read.query_row(of, [], |row| row.get::<_, i64>(0)), Ok(value));
    }
    assert!(files(&copies).len() <= 2, "{:?}", files(&copies));
}

#[tokio::test]
async fn where_there_is_no_database_no_copy_is_made_and_the_old_ones_stay() {
    let place = tempfile::tempdir().expect("a place");
    let (missing, copies) = (place.path().join("livecounter.db"), place.path().join("copies"));
    std::fs::create_dir(&copies).expect("a directory");
    std::fs::write(copies.join("Mon.db"), "old").expect("a file");
    let output = copy(&missing, &copies).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no database"), "{output:?}");
    assert_eq!(files(&copies), [copies.join("Mon.db")]);
    assert!(!missing.exists());
}
